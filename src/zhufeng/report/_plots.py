"""Plots: matplotlib as SVG in the page's own style; the same data give the same bytes."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zhufeng.report._section import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A palette that stays apart for the colour-blind (Okabe and Ito, 2008), darkest first.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5d5d5d")

_LABEL_CHARACTERS = 36
# What XML cannot hold, not even escaped (XML 1.0, section 2.2).
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE: dict[str, Any] = {
    "axes.edgecolor": "#8a8f98",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.size": 10.0,
    "grid.color": "#e3e6ea",
    "legend.frameon": False,
    # Text stays text: small, selectable, and in any script the reader's machine can show.
    "svg.fonttype": "none",
    "svg.hashsalt": "zhufeng",
    # A name with a dollar sign is a name, not mathematics.
    "text.parse_math": False,
    "text.usetex": False,
}


def plot(
    draw: Callable[[Axes], object],
    *,
    alt: str,
    caption: str = "",
    size: tuple[float, float] = (7.2, 3.2),
) -> Plot:
    """Draw with matplotlib into a `Plot`.

    Args:
        draw: is given the axes.
        alt: what the plot shows, in words.
        caption: stands below it.
        size: width and height in inches.
    """
    # Neither pyplot nor a backend: no window, no global state but the style.
    import matplotlib as mpl  # noqa: PLC0415 (slow to import)
    from cycler import cycler  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    style: Any = {**_STYLE, "axes.prop_cycle": cycler(color=COLOURS)}
    with mpl.rc_context(), warnings.catch_warnings():
        # From matplotlib's own defaults: the user's matplotlibrc must not change our bytes.
        mpl.rcdefaults()
        mpl.rcParams.update(style)
        # The reader's machine has the glyphs that the font lacks by which the layout is measured.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="constrained_layout not", category=UserWarning)
        figure = Figure(figsize=size)
        draw(figure.subplots())
        sink = io.StringIO()
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    return Plot(svg=_NO_XML.sub("\ufffd", sink.getvalue()), alt=alt, caption=caption)


def bars(
    values: Mapping[str, float],
    *,
    unit: str,
    alt: str,
    caption: str = "",
) -> Plot:
    """Horizontal bars, the first on top, each with its value."""

    def draw(axes: Axes) -> None:
        names = list(values)
        container = axes.barh(range(len(names)), list(values.values()), height=0.65)
        axes.bar_label(container, fmt="{:,.6g}", padding=3)
        axes.set_yticks(range(len(names)), [_short(name) for name in names])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(unit)

    return plot(draw, alt=alt, caption=caption, size=(7.2, 1.0 + 0.32 * len(values)))


def _short(name: str) -> str:
    """A name that leaves room for what it names; ends of paths tell more than beginnings."""
    return name if len(name) <= _LABEL_CHARACTERS else "…" + name[1 - _LABEL_CHARACTERS :]


def lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    x_label: str,
    y_label: str,
    alt: str,
    caption: str = "",
) -> Plot:
    """Lines over a common axis, named in a legend where there are several."""

    def draw(axes: Axes) -> None:
        for name, y in series.items():
            axes.plot(x, y, label=name)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        if len(series) > 1:
            axes.legend()

    return plot(draw, alt=alt, caption=caption)
