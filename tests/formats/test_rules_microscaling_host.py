"""Microscaling over arrays: as the functions of hardware one after another give it, and rules 7.17
and 7.18 of docs/formats.md.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.formats import golden
from tests.formats.microscaling_cases import drawn, nvfp4_drawn
from tests.formats.microscaling_oracle import (
    mx_quantised,
    nvfp4_block_scale,
    nvfp4_element,
    nvfp4_quantised,
    table_of,
    values,
)
from zhufeng.formats import host
from zhufeng.formats.floats import E2M1, E4M3
from zhufeng.formats.microscaling import (
    INT8,
    MX_ELEMENTS,
    Element,
    Scale,
    mx_decoder,
    mx_numbers,
    mx_quantiser,
)
from zhufeng.hdl.compile import compile_function

OF = {"seed": 2**63 + 11, "step": 7, "tensor": 5, "orientation": 1}


def octets(first: int, count: int) -> np.ndarray[Any, Any]:
    """Of so many blocks of 16, by the golden model."""
    return np.array([list(golden.block_bytes(**OF, index=first + i)) for i in range(count)])


@pytest.mark.parametrize("noisy", [False, True], ids=["nearest", "stochastic"])
@pytest.mark.parametrize("scale", ["down", "up"])
@pytest.mark.parametrize("element", MX_ELEMENTS, ids=lambda one: one.name)
def test_numbers_are_those_that_are_quantised_and_decoded(
    element: Element, scale: Scale, *, noisy: bool
) -> None:
    draw = np.random.default_rng(3)
    any_bits = draw.integers(0, 1 << 32, (2000, 32), dtype=np.uint32)
    x = np.concatenate([drawn(element, 4000, 32, 5).view(np.uint32), any_bits])
    given: dict[str, Any] = {"x": x}
    if noisy:
        given["noise"] = draw.choice([0, 1, 127, 128, 254, 255], x.shape).astype(np.uint8)
    two: dict[str, Any] = compile_function(mx_quantiser(element, scale, noisy=noisy).ir, 16)(
        **given
    )
    right = compile_function(mx_decoder(element).ir, 16)(**two)["out"]
    found = compile_function(mx_numbers(element, scale, noisy=noisy).ir, 1)(**given)
    assert np.array_equal(found["scale"], two["scale"])
    assert np.array_equal(found["numbers"], right)


@pytest.mark.parametrize("element", MX_ELEMENTS, ids=lambda one: one.name)
def test_what_is_stored_comes_back_in_as_few_bytes(element: Element) -> None:
    x = drawn(element, 30, 32, 6).reshape(6, 160)[:, :150]
    made = host.mx_quantise(np.ascontiguousarray(x), element)
    kept = host.stored_mx(made.numbers, element)
    assert kept.bytes == 6 * 5 * (1 + 32 * element.bits // 8)
    back = host.restored_mx(kept, element)
    assert np.array_equal(back, made.numbers, equal_nan=True)
    zeros = made.numbers == 0
    assert np.array_equal(np.signbit(back[zeros]), np.signbit(made.numbers[zeros]))


@pytest.mark.parametrize("element", [E4M3, INT8, E2M1], ids=lambda one: one.name)
def test_rule_7_17_bytes_of_mx_are_those_of_two_blocks(element: Element) -> None:
    x = np.random.default_rng(1).standard_normal((3, 70)).astype(np.float32)
    found = host.mx_quantise(x, element, host.Rounding(**OF))
    whole = np.pad(x, ((0, 0), (0, 26))).reshape(9, 32)
    right = mx_quantised(whole, element, "up", octets(0, 18).reshape(9, 32))
    scales = np.exp2(right.scale.astype(float) - 127)
    numbers = values(element)[right.elements] * scales[:, None]
    assert np.array_equal(found.scales.reshape(-1), right.scale)
    assert np.array_equal(found.numbers, numbers.reshape(3, 96)[:, :70])


def test_rule_7_17_bytes_of_nvfp4_are_those_of_a_block() -> None:
    x = np.random.default_rng(2).standard_normal((3, 40)).astype(np.float32)
    found = host.nvfp4_quantise(x, host.Rounding(**OF))
    whole = np.pad(x, ((0, 0), (0, 8))).reshape(9, 16)
    right = nvfp4_quantised(whole, np.full(9, found.tensor_scale), octets(0, 9))
    assert np.array_equal(found.scales.reshape(-1), right.scale)
    assert np.array_equal(found.elements.reshape(9, 16), right.elements)


def test_nvfp4_over_arrays_is_that_of_its_blocks() -> None:
    x = nvfp4_drawn(60, 4)[0].reshape(20, 48)[:, :45]
    x = np.ascontiguousarray(np.where(np.isfinite(x), x, 1), np.float32)
    found = host.nvfp4_quantise(x)
    largest = np.where(abs(x) < 2.0**-126, 0, abs(x)).max()
    assert float(found.tensor_scale) == max(float(np.float32(largest / 2688.0)), 2.0**-126)
    whole = np.pad(x, ((0, 0), (0, 3))).reshape(60, 16)
    right = nvfp4_quantised(whole, np.full(60, found.tensor_scale), None)
    assert np.array_equal(found.scales.reshape(-1), right.scale)
    assert np.array_equal(found.elements.reshape(60, 16), right.elements)
    numbers = values(E2M1)[right.elements] * values(E4M3)[right.scale][:, None]
    assert np.array_equal(found.numbers(), numbers.reshape(20, 48)[:, :45], equal_nan=True)
    back = host.restored_nvfp4(host.stored_nvfp4(found))
    assert host.stored_nvfp4(found).bytes == 60 * 9 + 4
    assert np.array_equal(back.elements, found.elements)
    assert np.array_equal(back.scales, found.scales)
    assert back.tensor_scale == found.tensor_scale


def test_rule_7_18_a_tile_of_nvfp4_reads_the_same_along_both_axes() -> None:
    draw = np.random.default_rng(7)
    x = (draw.standard_normal((40, 50)) * np.exp2(draw.integers(-9, 9, (40, 50)))).astype(
        np.float32
    )
    x[16:32, 16:32] = 0
    by = host.nvfp4_quantise(x, tiles=True)
    tensor = Fraction(float(by.tensor_scale))
    for top in range(0, 40, 16):
        for left in range(0, 50, 16):
            tile = x[top : top + 16, left : left + 16]
            scale = nvfp4_block_scale(Fraction(float(abs(tile).max())), tensor)
            assert set(by.scales[top : top + 16, left // 16]) == {scale}
            found = by.elements[top : top + 16, left // 16, : tile.shape[1]]
            over = tensor * table_of(E4M3)[scale]
            right = [
                [
                    nvfp4_element(Fraction(float(abs(one))) / over, None) if over else 0
                    for one in row
                ]
                for row in tile
            ]
            assert (found & 7).tolist() == right
            assert np.array_equal(found >> 3, np.signbit(tile))
    turned = host.nvfp4_quantise(np.ascontiguousarray(x.T), tiles=True)
    assert np.array_equal(turned.numbers(), by.numbers().T)
    x[3, 20] = np.nan
    broken = np.isnan(host.nvfp4_quantise(x, tiles=True).numbers())
    assert broken.all()  # The scale of the tensor is NaN, too.


def test_rounding_to_bf16_on_the_way_is_rounding_before() -> None:
    x = np.random.default_rng(8).standard_normal((9, 100)).astype(np.float32)
    bits = x.view(np.uint32)
    halved = ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32)
    assert np.array_equal(
        host.mx_quantise(x, E4M3, half=True).numbers, host.mx_quantise(halved, E4M3).numbers
    )
    for tiles in (False, True):
        found = host.nvfp4_quantise(x, tiles=tiles, half=True)
        right = host.nvfp4_quantise(halved, tiles=tiles)
        assert np.array_equal(found.elements, right.elements)
        assert found.tensor_scale == right.tensor_scale
