"""``zhufeng trace``: one step of a model as what it asks of hardware."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from zhufeng.base import code_of
from zhufeng.cli._common import Talk, Whole, finish_run
from zhufeng.route import add_to_run

_NO_TALK = Talk()
_CONFIG = "config.json"
_EXPECTED = "package.module:function, file.py:function, or a path of a config.json or of its folder"


def trace(
    model: str | None = None,
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    batch: Annotated[Whole | None, Parameter(name=("--batch",))] = None,
    sequence: Annotated[Whole | None, Parameter(name=("--seq", "--sequence"))] = None,
    mode: Literal["train", "prefill", "decode"] | None = None,
    optimizer: Literal["adamw", "none"] | None = None,
    precision: Literal["fp32", "bf16"] | None = None,
    meta: Annotated[bool | None, Parameter(negative="")] = None,
    config: Path | None = None,
    talk: Talk = _NO_TALK,
) -> int:
    """Capture one step of a model as a Workload, as the artifact 'trace' of a run.

    Every operation with its flops and bytes, every matrix product with the zeros, exponents and
    bits of its operands; gradients are checked against eager first.

    Parameters
    ----------
    model
        A Hugging Face model's folder or config.json, a decoder's, or package.module:function or
        file.py:function (which returns a torch.nn.Module, or a module and its batch). The run's
        own trained model without.
    output
        The run's folder; made if it is not there.
    batch
        Sequences in the batch.
    sequence
        Tokens in each.
    mode
        A training step, a prompt (prefill), or one more token (decode).
    optimizer
        Whose update is part of a training step.
    precision
        bf16 is torch's autocast.
    meta
        Shapes, flops and bytes without data, for models that fit no machine.
    config
        A TOML file with a section [trace].
    """
    talk.begin()
    flags: dict[str, Any] = {
        **(_model(model) if model is not None else {}),
        "batch": batch,
        "sequence": sequence,
        "mode": mode,
        "optimizer": optimizer,
        "precision": precision,
        "meta": meta,
    }
    if meta:
        flags.pop("weights", None)
    run, result = add_to_run(output, "trace", flags, config)
    finish_run(run, [result], talk)
    return 0


def _model(model: str) -> dict[str, Any]:
    """The keys of the section that the argument stands for."""
    path = Path(model)
    if path.is_dir():
        weights = sorted(str(file) for file in path.glob("*.safetensors"))
        return {"model": str(path / _CONFIG), **({"weights": weights} if weights else {})}
    if path.exists() or path.suffix == ".json" or ":" not in model:
        return {"model": model}
    code = code_of(model, expected=_EXPECTED)
    return {"function": model, "code": None if code is None else str(code)}
