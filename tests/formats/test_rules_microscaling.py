"""Chapter 7 of docs/formats.md: microscaling."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import ml_dtypes
import numpy as np
import pytest

from tests.formats.microscaling_cases import dot_inputs, drawn, nvfp4_drawn, nvfp4_inputs
from tests.formats.microscaling_oracle import (
    DTYPES,
    FRACTION,
    LOWEST,
    NAN,
    TABLES,
    Array,
    Quantised,
    accumulated,
    encoded,
    largest,
    mx_numbers,
    mx_quantised,
    nvfp4_numbers,
    nvfp4_quantised,
    nvfp4_scales,
    values,
)
from zhufeng.base import InputError
from zhufeng.formats.floats import E2M1, E2M3, E3M2, E4M3, E5M2, FP16, FP32, multiply
from zhufeng.formats.microscaling import (
    INT8,
    MX_ELEMENTS,
    Element,
    Scale,
    mx_decoder,
    mx_dot,
    mx_quantiser,
    nvfp4_decoder,
    nvfp4_dot,
    nvfp4_quantiser,
    nvfp4_tensor_scale,
)
from zhufeng.hdl.compile import HostFunction, Simulator, compile_function
from zhufeng.hdl.compile import compile as compiled

SCALES: Final[tuple[Scale, ...]] = ("down", "up")
PAIRS: Final = [(E4M3, E5M2), *((element, element) for element in MX_ELEMENTS)]

of_each = pytest.mark.parametrize("element", MX_ELEMENTS, ids=lambda one: one.name)
of_each_scale = pytest.mark.parametrize("scale", SCALES)
of_each_pair = pytest.mark.parametrize(
    "pair", PAIRS, ids=lambda one: f"{one[0].name}-{one[1].name}"
)


@cache
def host(made: Any) -> HostFunction:
    return compile_function(made.ir, 1)  # The fewer lanes, the sooner it is compiled.


@cache
def simulator(made: Any) -> Simulator:
    return compiled(made.ir, 1)


def fp32(bits: Array) -> Array:
    return bits.astype(np.uint32).view(np.float32)


def bits_of(numbers: Any) -> Array:
    return np.asarray(numbers, np.float32).view(np.uint32)


def decoded(element: Element, scale: int | Array, bits: Array) -> Array:
    return fp32(host(mx_decoder(element))(scale=scale, elements=bits)["out"])


def quantised(element: Element, scale: Scale, x: Array, noise: Array | None = None) -> Quantised:
    named: dict[str, Any] = {} if noise is None else {"noise": noise}
    found = host(mx_quantiser(element, scale, noisy=noise is not None))(x=bits_of(x), **named)
    return Quantised(found["scale"], found["elements"])


def nvfp4(x: Array, tensor_scale: Any, noise: Array | None = None) -> Quantised:
    named: dict[str, Any] = {} if noise is None else {"noise": noise}
    found = host(nvfp4_quantiser(noisy=noise is not None))(
        x=bits_of(x), tensor_scale=bits_of(tensor_scale), **named
    )
    return Quantised(found["scale"], found["elements"])


def block(*numbers: float, size: int = 32) -> Array:
    """A block that begins so, and goes on with zeros."""
    return np.array([[*numbers, *[0.0] * (size - len(numbers))]], np.float32)


def assert_equal(found: Quantised, right: Quantised) -> None:
    assert np.array_equal(found.scale, right.scale)
    wrong = np.flatnonzero((found.elements != right.elements).any(-1))
    assert not len(wrong), (wrong[:3], found.elements[wrong[:3]], right.elements[wrong[:3]])


# 7.1 and 7.2: what bits are.


@of_each
def test_rule_7_1_elements_are_those_of_the_specification(element: Element) -> None:
    every = np.arange(1 << element.bits)
    rows = np.resize(every, (max(1, len(every) // 32), 32))
    found = decoded(element, 127, rows).ravel()[: len(every)]
    right = values(element).astype(np.float32)
    finite = np.isfinite(right)
    assert np.array_equal(found[finite].view(np.uint32), right[finite].view(np.uint32))
    assert np.array_equal(found[~finite], right[~finite], equal_nan=True)
    for bits, number in TABLES[element].items():
        assert found[bits] == number
        if element != INT8:
            assert found[bits | 1 << (element.bits - 1)] == -number


def test_rule_7_1_there_are_no_other_blocks() -> None:
    for make in (mx_quantiser, mx_decoder):
        with pytest.raises(InputError, match="expected: e5m2, e4m3, e3m2, e2m3, e2m1, int8"):
            make(FP16)
    with pytest.raises(InputError, match="came:     e4m3 and int8"):
        mx_dot(E4M3, INT8)
    with pytest.raises(InputError, match="expected: down, up"):
        mx_quantiser(E4M3, "even")


@of_each
def test_rule_7_2_a_scale_is_a_power_of_two_or_nan(element: Element) -> None:
    code, every = np.arange(255)[:, None], np.arange(1 << element.bits)
    rows = np.resize(every, (max(1, len(every) // 32), 32))
    found = decoded(element, code, rows).reshape(255, -1)[:, : len(every)]
    power = (
        np.arange(255, dtype=np.uint8).view(ml_dtypes.float8_e8m0fnu).astype(np.float64)[:, None]
    )
    with np.errstate(over="ignore"):
        right = (values(element) * power).astype(np.float32)
    unknown = np.isnan(right)
    assert np.array_equal(np.isnan(found), unknown)
    assert np.array_equal(found.view(np.uint32)[~unknown], right.view(np.uint32)[~unknown])
    assert (decoded(element, 255, rows).view(np.uint32) == NAN).all()


# 7.3 to 7.7: quantisers.


@of_each
@of_each_scale
def test_rule_7_3_subnormal_inputs_are_0_and_what_is_no_number_is_the_blocks_nan(
    element: Element, scale: Scale
) -> None:
    tiny = 2.0**-126 - 2.0**-149
    found = quantised(element, scale, block(tiny, -tiny, 2.0**-149, -0.0))
    minus = 0 if element == INT8 else 1 << (element.bits - 1)
    assert found.scale.tolist() == [0]
    assert found.elements[0].tolist() == [0, minus, 0, minus, *[0] * 28]
    for odd in (np.inf, -np.inf, np.nan):
        found = quantised(element, scale, block(1.0, -2.0, odd, -tiny, -1.0))
        assert found.scale.tolist() == [255]
        assert not found.elements.any()


def test_rule_7_4_down_the_largest_power_of_two_is_the_formats_own() -> None:
    # By hand from OCP Microscaling Formats 1.0, 6.3: 2^floor(log2 amax) over 2^emax.
    for element, emax in zip(MX_ELEMENTS, (15, 8, 4, 2, 2, 0), strict=True):
        for amax, exponent in ((1.0, 0), (1.999, 0), (2.0, 1), (0.75, -1), (3e38, 127)):
            assert quantised(element, "down", block(-amax)).scale == exponent - emax + 127
        tiny = quantised(element, "down", block(2.0**-126))
        assert tiny.scale == max(0, 1 - emax)
    assert quantised(E4M3, "down", block(2.0**-126)).elements[0, 0] == 0x40  # 2·2^-127
    assert quantised(INT8, "down", block(2.0**-126)).elements[0, 0] == 0x40


@of_each
def test_rule_7_5_up_no_element_saturates(element: Element) -> None:
    x = drawn(element, 3000, 32, seed=1)
    x = x[np.isfinite(x).all(-1)]
    found = quantised(element, "up", x)
    assert np.array_equal(found.scale, mx_quantised(x, element, "up", None).scale)
    amax = np.abs(x).max(-1).astype(np.float64)
    amax[amax < 2.0**-126] = 0
    most = largest(element) * np.ldexp(1.0, found.scale.astype(int) - 127)
    # Of INT8 alone, the largest numbers of fp32 would need a scale that there is not.
    assert ((amax <= most) | ((element == INT8) & (found.scale == 254))).all()
    assert ((amax > most / 2) | (found.scale == 0)).all()


def test_rule_7_5_up_by_hand() -> None:
    assert quantised(E4M3, "up", block(448.0)).scale == 127
    assert quantised(E4M3, "up", block(-448.0 - 2.0**-15)).scale == 128
    assert quantised(E2M1, "up", block(6.0, 1.0)).scale == 127
    assert quantised(E2M1, "up", block(6.1, 7.0)).elements[0, :2].tolist() == [0x5, 0x6]
    top = quantised(INT8, "up", block(3.4e38))
    assert (top.scale.item(), top.elements[0, 0]) == (254, 0x7F)


@of_each
@of_each_scale
def test_rule_7_6_to_nearest_ties_to_even_up_to_the_largest(element: Element, scale: Scale) -> None:
    x = drawn(element, 4000, 32, seed=2)
    assert_equal(quantised(element, scale, x), mx_quantised(x, element, scale, None))


def test_rule_7_6_by_hand() -> None:
    # The scale is 2^0: amax has the exponent emax. What the right side says is element bits.
    fp4 = block(7.0, 6.0, 5.0, 3.5, 2.5, 1.75, 1.25, 0.75, 0.25, -0.75, -5.1, -0.0)
    right = [0x7, 0x7, 0x6, 0x6, 0x4, 0x4, 0x2, 0x2, 0x0, 0xA, 0xF, 0x8]
    fp8 = block(500.0, 448.0, 2.0**-6, 7 * 2.0**-9, 2.0**-10, 1.5 * 2.0**-9, 17.0, 19.0, -1.0)
    right8 = [0x7E, 0x7E, 0x08, 0x07, 0x00, 0x02, 0x58, 0x5A, 0xB8]
    e5m2 = block(57344.0, 61440.0, 65535.0, 2.0**-16, 2.0**-17, 3 * 2.0**-17, -1.0)
    right5 = [0x7B, 0x7B, 0x7B, 0x01, 0x00, 0x02, 0xBC]
    e3m2 = block(28.0, 31.0, 0.0625, 0.03125, 0.09375, 9.0, 11.0)
    right3 = [0x1F, 0x1F, 0x01, 0x00, 0x02, 0x18, 0x1A]
    e2m3 = block(7.5, 7.9, 0.125, 0.0625, 0.1875, 4.25, 4.75)
    right2 = [0x1F, 0x1F, 0x01, 0x00, 0x02, 0x18, 0x1A]
    int8 = block(1.0, -1.0, 1.999, -1.999, 0.5 / 64, 1.5 / 64, -2.5 / 64, 127 / 64)
    right1 = [0x40, 0xC0, 0x7F, 0x81, 0x00, 0x02, 0xFE, 0x7F]
    for element, x, bits in (
        (E2M1, fp4, right),
        (E4M3, fp8, right8),
        (E5M2, e5m2, right5),
        (E3M2, e3m2, right3),
        (E2M3, e2m3, right2),
        (INT8, int8, right1),
    ):
        found = quantised(element, "down", x)
        assert found.scale == 127
        assert found.elements[0, : len(bits)].tolist() == bits


@of_each
def test_rule_7_6_an_element_stays_what_it_is(element: Element) -> None:
    every = np.abs(values(element))
    every = np.unique(every[np.isfinite(every) & (every <= largest(element))])
    rows = np.concatenate([np.full((len(every), 31), every[-1]), every[:, None]], axis=1)
    found = quantised(element, "down", rows.astype(np.float32))
    assert (found.scale == 127).all()
    assert np.array_equal(found.elements[:, 31], encoded(element, every))


@of_each
def test_rule_7_7_stochastic_rounding_adds_a_byte_below_the_spacing(element: Element) -> None:
    draw = np.random.default_rng(3)
    for scale in SCALES if element in (E4M3, E2M1) else SCALES[:1]:
        x = drawn(element, 2000, 32, seed=4)
        noise = draw.integers(0, 256, x.shape, np.uint8)
        noise[::5] = draw.choice([0, 255], noise[::5].shape)
        found = quantised(element, scale, x, noise)
        assert_equal(found, mx_quantised(x, element, scale, noise))


def test_rule_7_7_by_hand() -> None:
    x = np.repeat(block(6.0, 2.25, 0.75, 0.125, -2.25, 5.0), 4, axis=0)
    noise = np.zeros(x.shape, np.uint8)
    noise[:] = np.array([0, 191, 192, 255])[:, None]
    # t of 2.25 is 576 = 2·256 + 64 of a spacing of 1, of 0.125 it is 64 of one of 0.5.
    found = quantised(E2M1, "down", x, noise).elements[:, :6].tolist()
    assert found[0] == [0x7, 0x4, 0x1, 0x0, 0xC, 0x6]
    assert found[1] == [0x7, 0x4, 0x2, 0x0, 0xC, 0x7]
    assert found[2] == [0x7, 0x5, 0x2, 0x1, 0xD, 0x7]
    assert found[3] == [0x7, 0x5, 0x2, 0x1, 0xD, 0x7]


@of_each
def test_rule_7_7_the_mean_over_all_bytes_is_the_number(element: Element) -> None:
    # Of multiples of the 256th part of a spacing, none of them near the largest.
    draw = np.random.default_rng(5)
    below = FRACTION[element] + 8
    top = np.frexp(largest(element))[1] - 1
    exponent = draw.integers(LOWEST[element], max(top, LOWEST[element] + 1), 31) - below
    numbers = [largest(element), *np.ldexp(draw.integers(0, 1 << below, 31), exponent)]
    noise = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 32))
    found = quantised(element, "down", np.tile(np.array(numbers, np.float32), (256, 1)), noise)
    assert np.array_equal(values(element)[found.elements].mean(0), numbers)


# 7.8 to 7.11: NVFP4.


def test_rule_7_8_a_number_is_an_element_times_two_scales() -> None:
    scale, element = np.arange(128)[:, None], np.arange(16)
    found = fp32(host(nvfp4_decoder())(scale=scale, elements=element)["out"])[:, 0]
    exact = values(E4M3)[:128, None] * values(E2M1)
    assert np.array_equal(found[:127].view(np.uint32), bits_of(exact[:127]))
    assert (found[127].view(np.uint32) == NAN).all()
    # The highest bit of the scale of a block has no meaning.
    again = host(nvfp4_decoder())(scale=scale + 128, elements=element)["out"]
    assert np.array_equal(fp32(again)[:, 0].view(np.uint32), found.view(np.uint32))


def test_rule_7_9_the_scale_of_a_tensor_is_its_largest_magnitude_over_2688() -> None:
    draw = np.random.default_rng(6)
    amax = draw.integers(0, 1 << 32, 200_000, np.uint32)
    amax[:1000] = np.arange(0x05F00000, 0x05F00000 + 1000 * 4096, 4096)
    found = fp32(host(nvfp4_tensor_scale())(amax=amax)["out"])
    with np.errstate(invalid="ignore"):
        right = np.abs(amax.view(np.float32)) / np.float32(2688)
    finite = np.isfinite(right)
    assert np.array_equal(found[finite], np.maximum(right, np.float32(2.0**-126))[finite])
    assert (found[~finite].view(np.uint32) == NAN).all()
    by_hand = [(0.0, 2.0**-126), (2688.0, 1.0), (-5376.0, 2.0), (2.0**-126 * 2688, 2.0**-126)]
    for one, scale in by_hand:
        assert fp32(host(nvfp4_tensor_scale())(amax=bits_of(one))["out"]) == scale


def test_rule_7_10_the_scale_of_a_block_is_the_quotient_rounded_once() -> None:
    x, tensor = nvfp4_drawn(5000, seed=7)
    right = nvfp4_scales(x, tensor)
    assert np.array_equal(nvfp4(x, tensor).scale, right)
    assert len(np.unique(right)) == 128
    for one, scale in ((2688.0, 0x7E), (6.0, 0x38), (1e30, 0x7E), (6 * 2.0**-10, 0x00)):
        assert nvfp4(block(one, size=16), 1.0).scale == scale


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_rule_7_10_what_is_no_number_is_the_blocks_nan(odd: float) -> None:
    poison = block(1.0, -2.0, odd, -3.0, size=16)
    scales = [0.0, -1.0, 2.0**-127, odd]
    usable = np.repeat(block(1.0, -2.0, -3.0, size=16), len(scales), axis=0)
    for found in (nvfp4(poison, 1.0), nvfp4(usable, np.array(scales, np.float32))):
        assert (found.scale == 0x7F).all()
        assert not found.elements.any()


def test_rule_7_11_elements_are_the_quotients_rounded_once() -> None:
    x, tensor = nvfp4_drawn(800, seed=8)
    assert_equal(nvfp4(x, tensor), nvfp4_quantised(x, tensor, None))


def test_rule_7_11_stochastically_too() -> None:
    x, tensor = nvfp4_drawn(800, seed=9)
    noise = np.random.default_rng(10).integers(0, 256, x.shape, np.uint8)
    assert_equal(nvfp4(x, tensor, noise), nvfp4_quantised(x, tensor, noise))


@pytest.mark.soak
def test_rule_7_11_of_many_blocks() -> None:
    x, tensor = nvfp4_drawn(40_000, seed=11)
    noise = np.random.default_rng(12).integers(0, 256, x.shape, np.uint8)
    assert_equal(nvfp4(x, tensor), nvfp4_quantised(x, tensor, None))
    assert_equal(nvfp4(x, tensor, noise), nvfp4_quantised(x, tensor, noise))


def test_rule_7_11_by_hand() -> None:
    # The scale of the block is 1: 6 over 6·1.
    x = block(6.0, 5.0, 3.5, 2.5, 1.75, 1.25, 0.75, 0.25, -0.76, -0.24, -0.0, size=16)
    found = nvfp4(x, 1.0)
    assert found.scale == 0x38
    right = [0x7, 0x6, 0x6, 0x4, 0x4, 0x2, 0x2, 0x0, 0xA, 0x8, 0x8]
    assert found.elements[0, :11].tolist() == right
    # It rounds to 0, and so do all elements.
    found = nvfp4(block(6 * 2.0**-10, -(2.0**-9), size=16), 1.0)
    assert (found.scale.item(), found.elements[0, :2].tolist()) == (0, [0, 8])
    # Where the scale saturates, elements do.
    found = nvfp4(block(1e30, -2e4, 1000.0, size=16), 1.0)
    assert (found.scale.item(), found.elements[0, :3].tolist()) == (0x7E, [0x7, 0xF, 0x4])
    # A zero stays one where scales are as small as fp32 itself.
    found = nvfp4(block(6 * 2.0**-126, 2.0**-127, size=16), 2.0**-126)
    assert (found.scale.item(), found.elements[0, :3].tolist()) == (0x38, [7, 0, 0])


# 7.12 to 7.16: dot units.


def run(made: Any, given: dict[str, Array]) -> Array:
    out: Array = simulator(made).run(given).outputs["out"].astype(np.uint32)
    return out


@of_each_pair
def test_rule_7_12_a_step_adds_the_exact_sum_of_its_products_rounded_once(
    pair: tuple[Element, Element],
) -> None:
    given = dot_inputs(pair, (2, 400), seed=13)
    numbers = mx_numbers(pair, given)
    assert np.array_equal(run(mx_dot(*pair), given)[1], accumulated(numbers)[1])
    small = np.abs(numbers[0][np.isfinite(numbers[0])])
    assert small.min() == 0
    assert small[small > 0].min() < 2.0**-100
    assert np.isinf(numbers).any()


def test_rule_7_12_by_hand() -> None:
    # 1·1·2^-1·2^3 + 448·(-448)·2^2, and the largest sum of E2M1: 32·36.
    a, b = (one.astype(DTYPES[E4M3]).view(np.uint8) for one in (block(1, 448), block(1, -448)))
    given = {"a": a, "b": b, "a_scale": np.full(1, 126), "b_scale": np.full(1, 130)}
    two = {name: np.stack([one, one]) for name, one in given.items()}
    assert fp32(run(mx_dot(E4M3, E4M3), two))[:, 0].tolist() == [0.0, 4.0 - 4 * 448.0**2]
    full = np.full((3, 1, 32), 0x7)
    ones = np.full((3, 1), 127)
    found = run(mx_dot(E2M1, E2M1), {"a": full, "b": full, "a_scale": ones, "b_scale": ones})
    assert fp32(found)[:, 0].tolist() == [0.0, 1152.0, 2304.0]


def test_rule_7_13_scales_in_e4m3_lose_nothing() -> None:
    given = nvfp4_inputs((2, 2000), seed=14)
    exact = [values(E2M1)[given[name]] for name in "ab"]
    scales = [values(E4M3)[given[f"{name}_scale"] & 0x7F] for name in "ab"]
    sums = (exact[0] * exact[1]).sum(-1) * scales[0] * scales[1]  # All of it exact in float64.
    found = fp32(run(nvfp4_dot(), given))
    assert np.array_equal(found[1].astype(np.float64), sums[0])
    full = {name: np.full((2, 1, 16), 0x7) for name in "ab"}
    full |= {f"{name}_scale": np.full((2, 1), 0x7E) for name in "ab"}
    assert fp32(run(nvfp4_dot(), full))[1] == 16 * 36 * 448.0**2


@of_each_pair
def test_rule_7_14_sums_are_added_in_fp32_one_after_another(pair: tuple[Element, Element]) -> None:
    given = dot_inputs(pair, (40, 40), seed=15)
    assert np.array_equal(run(mx_dot(*pair), given), accumulated(mx_numbers(pair, given)))


def test_rule_7_14_subnormal_sums_stay_what_they_are() -> None:
    # 1.5·2^-126, less 2^-126, and 2^-127 more, which is none.
    a = np.array([[0x3C], [0xB8], [0x30]])[..., None] * (np.arange(32) == 0)
    b = np.full((3, 1, 32), 0x38)
    given = {"a": a, "b": b, "a_scale": np.full((3, 1), 1), "b_scale": np.full((3, 1), 127)}
    given = {name: np.concatenate([one, one[:1]]) for name, one in given.items()}
    found = fp32(run(mx_dot(E4M3, E4M3), given))[:, 0].tolist()
    assert found == [0.0, 1.5 * 2.0**-126, 2.0**-127, 2.0**-127]


def test_rule_7_14_of_nvfp4_too() -> None:
    given = nvfp4_inputs((60, 40), seed=16)
    assert np.array_equal(run(nvfp4_dot(), given), accumulated(nvfp4_numbers(given)))


@of_each_pair
def test_rule_7_15_what_is_no_number_makes_the_result_nan_and_it_stays(
    pair: tuple[Element, Element],
) -> None:
    lanes = [
        (name, int(bits))
        for element, name in zip(pair, "ab", strict=True)
        for bits in np.flatnonzero(~np.isfinite(values(element)))
    ]
    lanes += [("a_scale", 255), ("b_scale", 255)]
    given = dot_inputs(pair, (12, len(lanes)), seed=17)
    given["a_scale"] = given["b_scale"] = np.full((12, len(lanes)), 127)
    given = {name: one.copy() for name, one in given.items()}
    for lane, (name, bits) in enumerate(lanes):
        given[name][5, lane, ...] = (
            bits if name.endswith("scale") else np.where(np.arange(32) == lane % 32, bits, 0)
        )
        given["b" if name[0] == "a" else "a"][5, lane] = 0  # Zero does not hide it.
    found = run(mx_dot(*pair), given)
    assert (found[6:] == NAN).all()
    assert np.array_equal(found, accumulated(mx_numbers(pair, given)))
    assert np.isfinite(fp32(found[:6])).all()


def test_rule_7_15_a_nan_of_nvfp4_and_infinities_of_both_signs() -> None:
    given = nvfp4_inputs((9, 4), seed=18)
    given["a_scale"][4, 0], given["b_scale"][4, 1] = 0x7F, 0xFF
    found = run(nvfp4_dot(), given)
    assert (found[5:, :2] == NAN).all()
    assert np.array_equal(found, accumulated(nvfp4_numbers(given)))
    # Too large for fp32, then the same with the other sign.
    top, minus = np.full((1, 32), 0x7E), np.full((1, 32), 0xFE)
    huge: dict[str, Any] = {f"{name}_scale": np.full((4, 1), 254) for name in "ab"}
    huge |= {"a": np.stack([top, top, minus, top]), "b": np.stack([top] * 4)}
    infinite = run(mx_dot(E4M3, E4M3), huge)[:, 0].tolist()
    assert infinite == [0, 0x7F800000, 0x7F800000, NAN]


def test_rule_7_16_scales_of_tensors_are_multiplied_at_the_end() -> None:
    draw = np.random.default_rng(19)
    tensors = [draw.standard_normal((12, 64, 16)).astype(np.float32) * 37 for _ in "ab"]
    given: dict[str, Array] = {}
    by, exact = [], []
    for name, x in zip("ab", tensors, strict=True):
        amax = bits_of(np.abs(x).max())
        scale = fp32(host(nvfp4_tensor_scale())(amax=amax)["out"])
        found = nvfp4(x.reshape(-1, 16), scale)
        given[name] = found.elements.reshape(12, 64, 16)
        given[f"{name}_scale"] = found.scale.reshape(12, 64)
        by.append(scale)
        exact.append(values(E2M1)[given[name]] * values(E4M3)[given[f"{name}_scale"]][..., None])
    sums = run(nvfp4_dot(), given)[-1]
    product = host(multiply(FP32))
    once = product(a=sums, b=bits_of(by[0]))["out"]
    result = fp32(product(a=once, b=bits_of(by[1]))["out"])
    assert np.array_equal(result, fp32(sums) * by[0] * by[1])
    # 11 steps in fp32 and two products, beside the exact ones.
    right = (exact[0] * exact[1])[:-1].sum((0, -1)) * float(by[0]) * float(by[1])
    most = np.abs(exact[0] * exact[1])[:-1].sum((0, -1)) * float(by[0]) * float(by[1])
    assert (np.abs(result - right) <= 13 * 2.0**-24 * most).all()
    unquantised = (tensors[0] * tensors[1]).astype(np.float64)[:-1].sum((0, -1))
    assert np.corrcoef(result, unquantised)[0, 1] > 0.97
