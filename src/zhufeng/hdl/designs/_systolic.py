"""The systolic array at work: a matrix product, checked against NumPy's."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zhufeng.base import generator
from zhufeng.hdl.designs._load import load_design
from zhufeng.hdl.designs._trial import Trial, Verdict
from zhufeng.hdl.examples import skewed, sums_of, systolic
from zhufeng.hdl.interpret import Run
from zhufeng.report import COLOURS, Code, Plot, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

SYSTOLIC = "zhufeng.hdl.examples:systolic"
# A larger array is not drawn.
_DRAWN = 16
_WATCHED = (
    *("load", "w[0]", "a[0]", "a[1]", "pes[0][0].a_reg", "pes[0][0].w_reg", "pes[0][0].p_reg"),
    *("pes[1][0].p_reg", "out[0]", "out[1]"),
)
_TOLD = (
    "a[k] is the activation that enters row k, out[c] the sum that leaves column c; pes[r][c] is "
    "the element in row r and column c with its weight w_reg and its sum p_reg"
)
# Of an element's square, where neighbours are 1 apart.
_HALF = 0.32
_TEXT_PT = 8


def systolic_trial(parameters: Mapping[str, Any], seed: int) -> Trial:
    """The array multiplies 2n rows of random activations by random weights.

    Args:
        parameters: of `zhufeng.hdl.examples.systolic`.
        seed: draws the numbers.
    """
    design = load_design(SYSTOLIC, None, parameters)
    number = design.inputs["a"]
    (n,) = number.shape
    draw = generator(seed, "matrices")
    x = draw.integers(number.low, number.high, (2 * n, n), endpoint=True)
    w = draw.integers(number.low, number.high, (n, n), endpoint=True)
    given = skewed(x, w)

    def judge(run: Run) -> Verdict:
        total = design.form(design.outputs["out"])
        exact = np.vectorize(total.wrap)(x.astype(object) @ w.astype(object))
        wrong = int((sums_of(given, run.outputs["out"]) != exact).sum())
        product = f"{exact.size:,} sums of a {2 * n} x {n} by {n} x {n} product"
        checked = f"{wrong:,} of the {product} differ from" if wrong else f"all {product} equal"
        return Verdict(
            f"An array of {n} x {n} processing elements that multiplies matrices of "
            f"{number.width}-bit integers, described once, as a Python function of one clock "
            "cycle. The simulation and the Verilog below both come from that description; "
            f"{checked} NumPy's.",
            {"sums_checked": exact.size, "sums_wrong": wrong},
            {"sums as NumPy has them": f"{exact.size - wrong:,} of {exact.size:,}"},
            (*([_array(w)] if n <= _DRAWN else []), _source()),
        )

    first = given.reset.count(1) + n - 1
    return Trial(design, given.inputs, tuple(given.reset), judge, _WATCHED, _TOLD, first)


def _source() -> Code:
    head, _, body = inspect.getsource(systolic).split('"""', 2)
    return Code(
        text=head.rstrip() + body,
        caption="All of the description: zhufeng/hdl/examples/systolic.py",
    )


def _array(w: NDArray[np.int64]) -> Plot:
    n = len(w)
    row, column = (axis.ravel() for axis in np.indices((n, n)))
    across, down = np.repeat([[1], [0]], n * n, 1), np.repeat([[0], [1]], n * n, 1)
    step = 1 - 2 * _HALF

    def draw(axes: Axes) -> None:
        from matplotlib.collections import PolyCollection  # noqa: PLC0415 (slow to import)

        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * _HALF
        squares = list(np.stack([column, row], 1)[:, None] + corners)
        axes.add_collection(PolyCollection(squares, facecolors="#eef3f8", edgecolors=COLOURS[0]))
        for (r, c), weight in np.ndenumerate(w):
            axes.annotate(str(weight), (c, r), ha="center", va="center", fontsize=_TEXT_PT)
        same: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.004}
        axes.quiver(column - _HALF - step, row, *across * step, color=COLOURS[0], **same)
        axes.quiver(column, row + _HALF, *down * step, color=COLOURS[1], **same)
        axes.annotate("activations", (-0.8, (n - 1) / 2), rotation=90, ha="right", va="center")
        axes.annotate("sums", ((n - 1) / 2, n - 0.1), ha="center", va="top")
        axes.set_xlim(-1.4, n - 0.5)
        axes.set_ylim(n + 0.3, -0.5)
        axes.set_aspect("equal")
        axes.set_axis_off()

    size = 1.2 + 0.42 * n
    return plot(
        draw,
        alt=f"A grid of {n} by {n} squares with a weight in each, arrows to the right and down",
        caption="Each square is a processing element with the weight that it holds. Every cycle, "
        "activations go one element to the right and sums one element down, each with the product "
        "of weight and activation added",
        size=(size, size),
    )
