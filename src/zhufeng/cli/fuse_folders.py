"""``zhufeng fuse unify``, ``verify``, ``export``, ``unite`` and ``experts``: folders to folders."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from zhufeng.cli._common import FINDING, Several, Talk, Whole, emit, emit_json, emit_table

if TYPE_CHECKING:
    from zhufeng.fusion.unify import LayoutPlan

_NO_TALK = Talk()
_Output = Annotated[Path, Parameter(name=("--output", "-o"))]


def unify(folder: Path, /, *, output: _Output, talk: Talk = _NO_TALK) -> int:
    """Bring a model of another family to the one architecture; killed, the same command goes on.

    Parameters
    ----------
    folder
        As Hugging Face has it: config.json and safetensors. Nothing of it is run.
    output
        The canonical folder to make.
    """
    talk.begin()
    from zhufeng.fusion.unify import unify as bring  # noqa: PLC0415 (torch)

    _tell(bring(folder, output.resolve()), output, talk)
    return 0


def export(
    folder: Path, /, *, output: _Output, family: str | None = None, talk: Talk = _NO_TALK
) -> int:
    """Bring a canonical folder to the layout of another family.

    Parameters
    ----------
    folder
        A canonical folder.
    output
        The folder to make, as Hugging Face has it.
    family
        Its 'model_type'; the one that the folder came from without.
    """
    talk.begin()
    from zhufeng.fusion.unify import export as bring  # noqa: PLC0415 (torch)

    _tell(bring(folder, output.resolve(), family), output, talk)
    return 0


def verify(
    folder: Path,
    canonical: Path,
    /,
    *,
    precision: Annotated[tuple[Literal["fp64", "fp32", "bf16"], ...], Several] = ("fp64", "bf16"),
    tokens: Whole = 16,
    seed: Whole = 0,
    talk: Talk = _NO_TALK,
) -> int:
    """Compare a model with what unify made of it; exit code 1 where a number differs.

    Parameters
    ----------
    folder
        The model, which transformers' own code runs.
    canonical
        What unify made of it.
    precision
        In which both compute; both are in memory, one after the other.
    tokens
        Of each of two random sequences.
    seed
        Of the tokens.
    """
    talk.begin()
    from zhufeng.fusion.unify import verify as compare  # noqa: PLC0415 (torch)

    found = compare(folder, canonical, precision, tokens=max(tokens, 1), seed=seed)
    if talk.json:
        emit_json([asdict(one) for one in found])
    else:
        rows = [
            [
                one.precision,
                f"{one.logits:g}",
                f"{one.largest_logit:g}",
                f"{one.gradient:g}",
                f"{one.largest_gradient:g}",
            ]
            for one in found
        ]
        columns = ("precision", "logits differ by", "of", "embedding's gradient by", "of")
        emit_table(columns, rows)
    return 0 if all(one.none for one in found) else FINDING


def unite(
    folder: Path,
    *folders: Path,
    output: _Output,
    base: Whole = 0,
    talk: Talk = _NO_TALK,
) -> int:
    """Bring models to the union of their tokenizers, so that they can be merged.

    Parameters
    ----------
    folder
        Models with a tokenizer.json, each of another name.
    output
        The folder to make, with a model each.
    base
        Number of the model whose tokenizer the union begins with, from 0.
    """
    talk.begin()
    from zhufeng.fusion.vocabulary import unite as bring  # noqa: PLC0415 (torch)

    counts = bring((folder, *folders), output.resolve(), base)
    if talk.json:
        emit_json({"folder": str(output), "rows": counts})
        return 0
    columns = list(next(iter(counts.values())))
    rows = [[name, *(f"{of[key]:,}" for key in columns)] for name, of in counts.items()]
    emit_table(("rows of", *columns), rows)
    emit(f"\n{output}\n")
    return 0


def experts(recipe: Path, /, *, output: _Output, talk: Talk = _NO_TALK) -> int:
    """Put dense models together as one mixture of experts; killed, the same command goes on.

    Parameters
    ----------
    recipe
        A TOML file: base, [[experts]] each (model, texts), active, router.
    output
        The canonical folder to make.
    """
    talk.begin()
    from zhufeng.fusion.experts import assemble, read_experts  # noqa: PLC0415 (torch)

    plan = assemble(read_experts(recipe), output.resolve())
    size = sum(plan.layout.sizes.values())
    if talk.json:
        told = {"folder": str(output), "experts": len(plan.recipe.experts), "bytes": size}
        emit_json(told)
    else:
        emit(f"{len(plan.recipe.experts)} experts, {size:,} bytes\n{output}\n")
    return 0


def _tell(plan: LayoutPlan, output: Path, talk: Talk) -> None:
    tensors, size = len(plan.moves), sum(plan.layout.sizes.values())
    if talk.json:
        emit_json(
            {
                "folder": str(output),
                "family": plan.origin.family,
                "tensors": tensors,
                "bytes": size,
                "left_out": list(plan.origin.left_out),
            }
        )
        return
    emit(f"{plan.origin.family}: {tensors} tensors, {size:,} bytes\n")
    emit("".join(f"left out: {name}\n" for name in plan.origin.left_out) + f"{output}\n")
