"""Matrices of microscaling blocks: the dot units that decode first, over rows and columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zhufeng.formats.floats import E2M1, E2M3, E3M2, E4M3, E5M2
from zhufeng.formats.microscaling import INT8, Element, mx_dot, nvfp4_dot
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.compile import compile_grid

PAIRS = [(E2M1, E2M1), (E2M3, E3M2), (E4M3, E4M3), (E4M3, E5M2), (INT8, INT8)]
STEPS = 5


def drawn(seed: int, rows: int, bits: int, count: int, scales: tuple[int, int]) -> Any:
    """Elements of all kinds, and scales; of the first row one is NaN."""
    draw = np.random.default_rng(seed)
    elements = draw.integers(0, 1 << bits, (rows, STEPS, count)).astype(np.uint8)
    codes = draw.integers(*scales, (rows, STEPS)).astype(np.uint8)
    codes[0, 2] = 255
    return elements, codes


def checked(unit: Any, decoded: Any, a: Any, b: Any) -> None:
    """Each pair as the unit that multiplies elements as they are gives it."""
    given = {"a": a[0], "a_scale": a[1], "b": b[0], "b_scale": b[1]}
    grid = compile_grid(decoded.ir, ["a", "a_scale"], ["b", "b_scale"])
    found = grid(**given)["out"]
    m, n = len(a[0]), len(b[0])
    rows, columns = (index.reshape(-1) for index in np.indices((m, n)))
    pairs = {
        port: np.moveaxis(np.append(one, one[:, :1], 1)[index], 1, 0)
        for index, (port, one) in zip((rows, rows, columns, columns), given.items(), strict=True)
    }
    right = compiled(unit.ir, 8).run(pairs).outputs["out"][-1]
    assert np.array_equal(found.reshape(-1), right)
    assert np.isnan(found[0].view(np.float32)).all()
    assert np.isfinite(found[1:].view(np.float32)).any()


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda one: one.name)
def test_decoded_elements_give_the_same_products(first: Element, second: Element) -> None:
    a = drawn(1, 6, first.bits, 32, (115, 140))
    b = drawn(2, 19, second.bits, 32, (115, 140))
    for one, kind in ((a, first), (b, second)):
        # Few of them are no numbers, or nothing else would be left.
        special = one[0] & 0x7F >= (0x7F if kind is E4M3 else 0x7C)
        if kind in (E4M3, E5M2):
            one[0][special & (np.arange(32) > 0)] = 3
    checked(mx_dot(first, second), mx_dot(first, second, decoded=True), a, b)


def test_decoded_elements_of_nvfp4_give_the_same_products() -> None:
    a, b = drawn(3, 6, 4, 16, (1, 120)), drawn(4, 19, 4, 16, (1, 120))
    checked(nvfp4_dot(), nvfp4_dot(decoded=True), a, b)
