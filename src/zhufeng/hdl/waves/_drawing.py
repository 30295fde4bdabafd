"""Waves as a drawing: bits as lines, numbers as boxes with the number in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from zhufeng.hdl.verilog._names import CLOCK
from zhufeng.hdl.waves._waves import Wave, Waves
from zhufeng.report import COLOURS, Plot, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# As wide as the page's other drawings.
_WIDTH_IN, _ROW_IN, _AXIS_IN = 7.2, 0.3, 0.55
_POINTS_PER_INCH = 72
_LABEL_CHARACTERS = 20
_TEXT_PT = 7.5
# Of a sans-serif font, as parts of its size.
_LETTER = 0.62
# Of a row's height: how far above and below its middle a signal goes.
_HALF = 0.32
# In cycles: how long a number takes to become another.
_SLANT = 0.1
# A wide number without sign reads better in hexadecimal.
_DECIMAL_BITS = 16
_TICKS = 12


def draw_waves(
    waves: Waves,
    names: Sequence[str],
    *,
    first: int = 0,
    cycles: int = 13,
    alt: str,
    caption: str = "",
) -> Plot:
    """Draw some signals under one another.

    Args:
        waves: of a run.
        names: full names of the signals, the first on top.
        first: the cycle to begin with.
        cycles: how many; numbers of five digits find room in a dozen.
        alt: what is to be seen, in words.
        caption: stands below it.

    Raises:
        KeyError: a name is none of a signal.
    """
    chosen = [waves[name] for name in names]
    last = min(first + cycles, waves.cycles)

    def draw(axes: Axes) -> None:
        labels = [CLOCK, *names] if waves.clocked else [*names]
        if waves.clocked:
            _draw_clock(axes, first, last)
        for row, wave in enumerate(chosen, start=len(labels) - len(names)):
            _Row(axes, row, _room_pt(labels, last - first)).draw(wave, first, last)
        axes.set_yticks(range(len(labels)), [_short(label) for label in labels])
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlim(first, last)
        step = max(1, -(-(last - first) // _TICKS))
        axes.set_xticks(range(first, last + 1, step))
        axes.set_xlabel("cycle")
        axes.grid(visible=False, axis="y")
        axes.set_xticks(range(first, last + 1), minor=True)
        axes.grid(visible=True, axis="x", which="both", linewidth=0.5)
        axes.tick_params(axis="both", which="both", length=0)
        axes.spines["left"].set_visible(False)

    height = _AXIS_IN + _ROW_IN * (len(names) + waves.clocked)
    return plot(draw, alt=alt, caption=caption, size=(_WIDTH_IN, height))


def _short(name: str) -> str:
    return name if len(name) <= _LABEL_CHARACTERS else "…" + name[1 - _LABEL_CHARACTERS :]


def _room_pt(labels: Sequence[str], cycles: int) -> float:
    """About how wide a cycle is drawn."""
    longest = min(max(map(len, labels)), _LABEL_CHARACTERS)
    beside = 10 * _LETTER * longest + 20
    return (_WIDTH_IN * _POINTS_PER_INCH - beside) / max(cycles, 1)


def _draw_clock(axes: Axes, first: int, last: int) -> None:
    x, y = [], []
    for cycle in range(first, last):
        x += [cycle, cycle, cycle + 0.5, cycle + 0.5]
        y += [_HALF, -_HALF, -_HALF, _HALF]
    axes.plot([*x, last], [*y, _HALF], color=COLOURS[-1], linewidth=0.9)


@dataclass(frozen=True)
class _Row:
    """Where a signal is drawn."""

    axes: Axes
    row: int
    room_pt: float

    def draw(self, wave: Wave, first: int, last: int) -> None:
        """The signal in those cycles."""
        steps = list(_steps(wave.values[first:last], first))
        if wave.width == 1:
            self._bit(steps)
        else:
            self._numbers(wave, steps)

    def _bit(self, steps: Sequence[tuple[int, int, int]]) -> None:
        x: list[float] = []
        y: list[float] = []
        for begin, end, value in steps:
            x += [begin, end]
            y += [self.row + _HALF - 2 * _HALF * value] * 2
        self.axes.plot(x, y, color=COLOURS[0], linewidth=1.2)

    def _numbers(self, wave: Wave, steps: Sequence[tuple[int, int, int]]) -> None:
        from matplotlib.collections import PolyCollection  # noqa: PLC0415 (slow to import)

        low, high = self.row - _HALF, self.row + _HALF
        boxes = []
        for begin, end, value in steps:
            left, right = begin + _SLANT, end - _SLANT
            boxes.append(
                [
                    *((begin, self.row), (left, low), (right, low)),
                    *((end, self.row), (right, high), (left, high)),
                ]
            )
            text = _told(value, wave)
            if len(text) * _LETTER * _TEXT_PT < (end - begin - _SLANT) * self.room_pt:
                place = ((begin + end) / 2, self.row)
                self.axes.annotate(text, place, ha="center", va="center", fontsize=_TEXT_PT)
        drawn = PolyCollection(boxes, facecolors="#eef3f8", edgecolors=COLOURS[0], linewidths=0.9)
        self.axes.add_collection(drawn)


def _told(value: int, wave: Wave) -> str:
    if wave.signed or wave.width <= _DECIMAL_BITS:
        return str(value)
    return f"{value:0{-(-wave.width // 4)}x}"


def _steps(values: Sequence[int], first: int) -> Iterator[tuple[int, int, int]]:
    """From which cycle to which it has which value."""
    begin = first
    for value, same in groupby(values):
        end = begin + len(list(same))
        yield begin, end, value
        begin = end
