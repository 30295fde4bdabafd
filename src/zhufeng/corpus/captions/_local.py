"""A vision-language model in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zhufeng.base import InputError, brief, needs_extra
from zhufeng.corpus.captions._config import CaptionConfig, model_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Whatever the folder's generation_config.json prefers.
_GREEDY = {"do_sample": False, "num_beams": 1, "temperature": None, "top_k": None, "top_p": None}

# Pixels of a picture to try a model on.
_TRIAL = 64


class LocalModel:
    """A model and its processor from a folder; greedy, so that a picture has one caption."""

    def __init__(self, config: CaptionConfig, device: str) -> None:
        """Load them.

        Raises:
            InputError: the folder does not hold a vision-language model.
            MissingExtraError: without the extra ``train``.
        """
        assert config.model is not None
        folder = model_folder(config.model)
        with needs_extra("train"):
            import torch  # noqa: F401, PLC0415 (slow to import)
            import transformers  # noqa: F401, PLC0415 (slow to import)
        self._config = config
        try:
            with _quiet():
                self._load(folder, device)
                # A template without a place for a picture shows only when it is used.
                self._ask(np.zeros((_TRIAL, _TRIAL, 3), np.uint8), 1)
        except Exception as error:  # noqa: BLE001 (transformers raises whatever a folder makes it)
            raise InputError(
                f"{config.model} is not a model that describes pictures",
                expected="a vision-language model that transformers knows, and its processor",
                came=brief(error),
                do="name the folder of a vision-language model in captions.model",
            ) from None

    def _load(self, folder: Path, device: str) -> None:
        import torch  # noqa: PLC0415 (slow to import)
        import transformers  # noqa: PLC0415 (slow to import)

        safely = {"local_files_only": True, "trust_remote_code": False}
        processor: Any = transformers.AutoProcessor
        model: Any = transformers.AutoModelForImageTextToText
        self._processor = processor.from_pretrained(folder, **safely)
        self._model = model.from_pretrained(
            folder, dtype=torch.float32 if device == "cpu" else "auto", **safely
        )
        self._model.eval().to(torch.device(device))

    def describe(self, picture: NDArray[np.uint8]) -> str:
        """What the model says of a picture, RGB [h, w, 3]."""
        return self._ask(picture, self._config.max_tokens)

    def _ask(self, picture: NDArray[np.uint8], max_tokens: int) -> str:
        import torch  # noqa: PLC0415 (slow to import)

        with _one_thread(), torch.inference_mode():
            inputs = self._inputs(picture).to(self._model.device, dtype=self._model.dtype)
            tokens = self._model.generate(**inputs, max_new_tokens=max_tokens, **_GREEDY)[0]
            asked = inputs.get("input_ids")
            # Decoders give the question back before the answer; encoder-decoders do not.
            if asked is not None and torch.equal(tokens[: asked.shape[1]], asked[0]):
                tokens = tokens[asked.shape[1] :]
        text: str = self._processor.decode(tokens, skip_special_tokens=True)
        return text

    def _inputs(self, picture: NDArray[np.uint8]) -> Any:
        from PIL import Image  # noqa: PLC0415 (slow to import)

        image = Image.fromarray(picture)
        prompt = self._config.prompt
        if getattr(self._processor, "chat_template", None):
            parts = [{"type": "image", "image": image}, {"type": "text", "text": prompt}]
            return self._processor.apply_chat_template(
                [{"role": "user", "content": parts}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        token = getattr(self._processor, "image_token", None)
        if isinstance(token, str):
            return self._processor(images=image, text=f"{token}\n{prompt}", return_tensors="pt")
        # Models like BLIP know one question, what a picture shows, and continue what is given.
        return self._processor(images=image, return_tensors="pt")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own progress bars."""
    import transformers  # noqa: PLC0415 (slow to import)

    # transformers is typed in part.
    logging: Any = transformers.utils.logging
    if not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one core: sums do not depend on how many there are, and workers share them."""
    import torch  # noqa: PLC0415 (slow to import)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
