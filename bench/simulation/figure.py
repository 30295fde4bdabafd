"""The figure of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulation.rows import Row
from zhufeng.report import COLOURS, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS, _VERILATOR, _ELSE = COLOURS[0], COLOURS[1], COLOURS[6]


def figure(rows: Sequence[Row]) -> str:
    """Bars of cycles a second, a group for each design; SVG."""
    places, place, before = [], 0.0, rows[0].design
    for row in rows:
        place += 1.7 if row.design != before else 1
        before = row.design
        places.append(place)

    def draw(axes: Axes) -> None:
        speeds = [row.cycles_per_s / 1e6 for row in rows]
        container = axes.barh(places, speeds, color=[_colour(row) for row in rows], height=0.75)
        axes.bar_label(container, fmt="{:,.3g}", padding=3)
        axes.set_yticks(places, [f"{row.design}: {row.what}" for row in rows])
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.invert_yaxis()
        axes.margins(x=0.12, y=0.01)
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("million cycles, or lane-cycles, a second of CPU time on one core")

    names = ", ".join(dict.fromkeys(row.design for row in rows))
    made = plot(
        draw,
        alt=f"Speed of simulation of {names}, by simulator, on a logarithmic axis",
        size=(8.4, 1 + 0.26 * place),
    )
    return made.svg


def _colour(row: Row) -> str:
    if row.what.startswith("ours"):
        return _OURS
    return _VERILATOR if row.what.startswith("Verilator") else _ELSE
