"""A training on the run's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zhufeng.base import derive_seed
from zhufeng.models import Decoder, generate, read_decoder
from zhufeng.report import Block, Figures, Quote, Section, plot
from zhufeng.training._artifact import BF16, BYTES, MODEL, TrainSummary
from zhufeng.training._config import TrainConfig
from zhufeng.training._metrics import Line, read_metrics
from zhufeng.training._task import Task, TokenTask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A curve of more points looks the same and makes the page heavy.
_POINTS = 400
_SAMPLE_TOKENS = 240
_BYTES = 256
_TEMPERATURE = 0.8


def training_section(
    config: TrainConfig,
    task: Task,
    folder: Path,
    summary: TrainSummary,
    *,
    bf16: TrainSummary | None = None,
    seed: int,
) -> Section:
    """What was trained, how the loss fell, and what the model writes.

    Args:
        config: the section ``[train]``.
        task: what was trained.
        folder: of the artifact.
        summary: of the training.
        bf16: of the same training in bf16, where there is one.
        seed: the run's; of the sample.
    """
    what = f"The reference {config.reference}" if config.reference else "A decoder"
    lines = {summary.policy or summary.precision: read_metrics(folder)}
    if bf16 is not None:
        lines[BF16] = read_metrics(folder / BF16)
    blocks: list[Block] = [Figures(figures=_figures(summary, bf16)), _curves(lines)]
    if isinstance(task, TokenTask) and task.tokens and task.tokens.tokenizer == BYTES:
        text = _sample(read_decoder(folder / MODEL), task.tokens.end, seed)
        caption = f"What the model writes by itself, at a temperature of {_TEMPERATURE}"
        blocks.append(Quote(text=text, caption=caption))
    return Section(
        title="Training",
        summary=f"{what} of {summary.parameters:,} parameters learned for {summary.steps:,} steps "
        f"in {summary.policy or summary.precision}; {_outcome(summary)}{_against(summary, bf16)}.",
        blocks=tuple(blocks),
    )


def _outcome(summary: TrainSummary) -> str:
    if summary.bits_per_byte is not None:
        return f"held-out text takes {summary.bits_per_byte:.3f} bits a byte"
    if summary.held_out_loss is not None:
        return f"the held-out loss is {summary.held_out_loss:.4f} nats"
    return f"the loss of its last batch is {summary.loss:.4f} nats"


def _against(summary: TrainSummary, bf16: TrainSummary | None) -> str:
    if bf16 is None:
        return ""
    one = "of one seed alone: those of small models differ by percents"
    return f", a loss {_change(summary, bf16)} against bf16 ({one})"


def _change(summary: TrainSummary, bf16: TrainSummary) -> str:
    """Of the held-out loss, or where there is none, of the last batch's."""
    ours, other = (
        one.loss if one.held_out_loss is None else one.held_out_loss for one in (summary, bf16)
    )
    return f"{100 * (ours / other - 1):+.2f}%"


def _figures(summary: TrainSummary, bf16: TrainSummary | None) -> dict[str, str]:
    figures = {
        "parameters": f"{summary.parameters:,}",
        "steps": f"{summary.steps:,}",
        "targets learned": f"{summary.targets:,}",
        "loss, last batch": f"{summary.loss:.4f} nats",
    }
    if summary.held_out_loss is not None:
        figures["held-out loss"] = f"{summary.held_out_loss:.4f} nats"
    if summary.bits_per_byte is not None:
        figures["bits a byte"] = f"{summary.bits_per_byte:.3f}"
    if bf16 is not None:
        figures["against bf16"] = _change(summary, bf16)
    return figures


def _curves(lines: Mapping[str, Sequence[Line]]) -> Block:
    """Of each training, by the name of its formats: the first one is what was asked for."""

    def draw(axes: Axes) -> None:
        for number, (name, every) in enumerate(lines.items()):
            told, colour = f"{name}, " if len(lines) > 1 else "", f"C{number}"
            learned = [(n["step"] or 0, n["loss"] or 0) for n in every if "loss" in n]
            faint = 1.0 if number == 0 else 0.5
            axes.plot(
                *zip(*_thinned(learned), strict=True),
                label=f"{told}batch",
                linewidth=1,
                color=colour,
                alpha=faint,
            )
            held_out = [
                (n["step"] or 0, n["held_out_loss"] or 0) for n in every if "held_out_loss" in n
            ]
            if held_out:
                marker = "os"[number]
                axes.plot(
                    *zip(*held_out, strict=True),
                    label=f"{told}held out",
                    marker=marker,
                    markersize=3,
                    color=f"C{number + len(lines)}",
                )
        if len(axes.lines) > 1:
            axes.legend()
        axes.set_xlabel("steps")
        axes.set_ylabel("nats a target")

    return plot(draw, alt="Loss of the batches and of the held-out data over the steps")


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most about `_POINTS` points, each the mean of its neighbours."""
    width = max(1, -(-len(points) // _POINTS))
    groups = [points[i : i + width] for i in range(0, len(points), width)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _sample(model: Decoder, end: int, seed: int) -> str:
    """A text from nothing but the token that ends one."""
    stream = derive_seed(seed, "sample")
    prompt = torch.tensor([[end]])
    tokens = generate(
        model.eval(), prompt, _SAMPLE_TOKENS, temperature=_TEMPERATURE, end=end, seed=stream
    )
    written = bytes(token for token in tokens[0].tolist() if token < _BYTES)
    text = written.decode(errors="replace")
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
