"""The models of text recognition that rapidocr carries, and how they are run."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhufeng.base import InputError, needs_extra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DETECTOR = "PP-OCRv6_det_small.onnx"
RECOGNISER = "PP-OCRv6_rec_small.onnx"

# fenv_t of the C library on x86-64: seven words of the x87, then MXCSR.
_FENV_WORDS = 8
_FLUSH_TO_ZERO, _DENORMALS_ARE_ZERO = 0x8000, 0x0040


def model_file(name: str) -> Path:
    """Where rapidocr keeps a model; nothing of rapidocr is imported.

    Raises:
        MissingExtraError: rapidocr is not installed.
        InputError: it carries other models.
    """
    with needs_extra("corpus"):
        spec = importlib.util.find_spec("rapidocr")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name="rapidocr")
    file = Path(spec.origin).parent / "models" / name
    if not file.is_file():
        raise InputError(
            "rapidocr has other models",
            expected=name,
            came=f"no such file in {file.parent}",
            do="pip install 'rapidocr>=3.10,<4'",
        )
    return file


class Model:
    """One ONNX model, on one thread of this process or on CUDA."""

    def __init__(self, name: str, device: str) -> None:
        """Load it.

        Raises:
            InputError: onnxruntime cannot run on CUDA.
            MissingExtraError: without the extra ``corpus``.
        """
        with needs_extra("corpus"):
            import onnxruntime  # noqa: PLC0415 (slow to import)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # The inputs are of all sizes: an arena would keep memory for each.
        options.enable_cpu_mem_arena = False
        providers = ["CPUExecutionProvider"]
        if device == "cuda":
            _check_cuda(onnxruntime.get_available_providers())
            providers.insert(0, "CUDAExecutionProvider")
        self._session: Any = onnxruntime.InferenceSession(
            str(model_file(name)), options, providers=providers
        )
        self._input = self._session.get_inputs()[0].name

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run on a batch; the model's first output."""
        with denormals_as_zero():
            found: NDArray[np.float32] = self._session.run(None, {self._input: values})[0]
        return found

    def characters(self) -> list[str]:
        """What the recogniser can read, by its output's channels; the first stands for nothing."""
        listed = self._session.get_modelmeta().custom_metadata_map["character"]
        return ["", *listed.splitlines(), " "]


def _check_cuda(providers: Sequence[str]) -> None:
    if "CUDAExecutionProvider" not in providers:
        raise InputError(
            "text on the screen cannot be read on CUDA",
            expected="an onnxruntime with the provider CUDAExecutionProvider",
            came=", ".join(providers),
            do="pip install onnxruntime-gpu in place of onnxruntime, or take --device cpu",
        )


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Let this thread's processor take the tiniest numbers for zero within the block.

    The detector's GELUs make so many that it runs three times slower with them. The session
    option of onnxruntime for it reaches this thread only if the process's very first session
    has it, so that the outcome would hang on who came first.
    """
    library = _c_library()
    if library is None:
        yield
        return
    saved = (ctypes.c_uint32 * _FENV_WORDS)()
    library.fegetenv(saved)
    changed = (ctypes.c_uint32 * _FENV_WORDS)(*saved)
    changed[-1] |= _FLUSH_TO_ZERO | _DENORMALS_ARE_ZERO
    library.fesetenv(changed)
    try:
        yield
    finally:
        library.fesetenv(saved)


def _c_library() -> Any:
    # Elsewhere the layout differs, and ARM is not slowed down.
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    return ctypes.CDLL("libm.so.6")
