"""docs/formats.md, chapters 1 and 2: the compiled functions against the golden model."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from tests.formats import golden
from zhufeng.formats import blocks
from zhufeng.formats.host import (
    Blocks,
    Rounding,
    dequantise,
    multiply,
    quantise,
    quantise_planes,
    restored,
    stored,
)
from zhufeng.hdl.compile import compile_function
from zhufeng.hdl.interpret import interpret

Floats = npt.NDArray[np.float32]
WIDTHS = (4, 5, 6, 8)
SPECIAL = np.array([np.inf, -np.inf, np.nan], np.float32)


def drawn(seed: int, rows: int, size: int = 64) -> Floats:
    """Numbers of all magnitudes: blocks of one scale and of many, with zeros and ties."""
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((rows, size)) * 2.0 ** draw.integers(-120, 120, (rows, 1))
    wide = draw.random((rows, 1)) < 0.3
    x *= np.where(wide, 2.0 ** draw.integers(-12, 1, (rows, size)), 1)
    ties = draw.random((rows, 1)) < 0.3
    x = np.where(ties, np.round(draw.standard_normal((rows, size)) * 40) / 8, x)
    x[draw.random((rows, size)) < 0.1] = 0
    return x.astype(np.float32)


def cut(x: Floats) -> npt.NDArray[np.uint32]:
    """Its blocks' bits."""
    return golden.cut(x, -1).view(np.uint32)


def same(found: Blocks, codes: npt.NDArray[Any], elements: npt.NDArray[Any]) -> None:
    """Blocks of the golden model; what fills up a last step is zero blocks."""
    count = codes.shape[-1]
    assert np.array_equal(found.codes[..., :count], codes)
    assert np.array_equal(found.elements[..., :count, :], elements)
    assert not found.codes[..., count:].any()
    assert not found.elements[..., count:, :].any()


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_1_1_elements_are_symmetric_integers(bits: int) -> None:
    largest = 2 ** (bits - 1) - 1
    for rounding in (None, Rounding(1, 2, 3, 0)):
        found = quantise(drawn(1, 4000), bits, rounding).elements
        assert (found.min(), found.max()) == (-largest, largest)


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_1_2_a_code_is_a_power_of_two_or_zero_or_poison(bits: int) -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(1, 256)
    elements = np.zeros((1, 256, 16), np.int8)
    elements[0, 1:255] = numbers = np.resize(np.arange(-7, 8), 16)
    found = dequantise(Blocks(bits, 256 * 16, codes, elements)).reshape(256, 16)
    exact = numbers * 2.0 ** (np.arange(1, 255)[:, None] - 124 - bits)
    # Of the largest scale, not all are fp32.
    fits = abs(exact) < 2.0**128
    assert np.array_equal(found[1:255][fits], exact[fits])
    assert fits.mean() > 0.99
    assert not found[0].any()
    assert np.isnan(found[255]).all()
    x = np.zeros((2, 16), np.float32)
    x[1, 3] = np.nan
    for made in (quantise(x, bits), quantise(x, bits, Rounding(0, 0, 0, 0))):
        assert made.codes[:, 0].tolist() == [0, 255]
        assert not made.elements.any()


@pytest.mark.parametrize("size", [1, 15, 16, 17, 31, 32, 33, 100])
def test_rule_1_3_an_operand_is_cut_along_the_axis_that_is_summed_over(size: int) -> None:
    x = drawn(2, 50, size)
    same(quantise(x, 6), *golden.quantise_many(cut(x), 6))
    back = dequantise(quantise(x, 8))
    assert back.shape == x.shape


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_1_4_elements_stand_side_by_side_in_memory(bits: int) -> None:
    made = quantise(drawn(3, 60, 48), bits)
    kept = stored(made)
    assert kept.elements.shape == (60, 3, 2 * bits)
    assert kept.bytes == 60 * 3 * (2 * bits + 1)
    for element, octets in zip(
        made.elements[:, :3].reshape(-1, 16), kept.elements.reshape(-1, 2 * bits), strict=True
    ):
        whole = sum((int(q) % 2**bits) << (bits * n) for n, q in enumerate(element))
        assert octets.tobytes() == whole.to_bytes(2 * bits, "little")
    back = restored(kept)
    assert np.array_equal(back.codes, made.codes)
    assert np.array_equal(back.elements, made.elements)


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_2_1_subnormal_inputs_are_0(bits: int) -> None:
    draw = np.random.default_rng(4)
    small = draw.integers(0, 1 << 23, (300, 16)).astype(np.uint32)
    small |= draw.integers(0, 2, small.shape).astype(np.uint32) << np.uint32(31)
    assert not quantise(small.view(np.float32), bits).codes.any()
    mixed = drawn(5, 300, 16)
    with_small = np.where(mixed == 0, small.view(np.float32), mixed)
    a, b = quantise(mixed, bits), quantise(with_small, bits)
    assert np.array_equal(a.codes, b.codes)
    assert np.array_equal(a.elements, b.elements)
    halves = (mixed.view(np.uint32) & 0xFFFF0000).view(np.float32)
    same(quantise(halves, bits), *golden.quantise_many(cut(halves), bits))


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("special", SPECIAL)
def test_rule_2_2_an_infinity_or_a_nan_poisons_its_block(bits: int, special: float) -> None:
    x = drawn(6, 40)
    x[np.arange(40), np.arange(40)] = special
    for made in (quantise(x, bits), quantise(x, bits, Rounding(0, 1, 2, 1))):
        codes = made.codes.copy()
        hit = np.zeros_like(codes, bool)
        hit[np.arange(40), np.arange(40) // 16] = True
        assert (codes[hit] == 255).all()
        assert not made.elements[hit].any()
        assert (codes[~hit] < 255).all()


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_2_3_the_scale_is_the_smallest_that_holds_the_largest_element(bits: int) -> None:
    largest = 2 ** (bits - 1) - 1
    fields = np.arange(1, 255, dtype=np.uint32)[:, None] << np.uint32(23)
    edge = np.uint32(largest << (25 - bits) & 0x7FFFFF)
    near = [0, 1, edge - 1, edge, edge + 1, 0x7FFFFE, 0x7FFFFF]
    amax = (fields | np.array(near, np.uint32)).reshape(-1)
    x = np.zeros((amax.size, 16), np.uint32)
    x[:, 5] = amax
    codes = quantise(x.view(np.float32), bits).codes[:, 0]
    exact = amax.view(np.float32).astype(np.float64)
    exponents = codes.astype(np.int64) - 124 - bits
    held = codes > 0
    assert (exact[held] <= largest * 2.0 ** exponents[held]).all()
    assert (exact[held] > largest * 2.0 ** (exponents[held] - 1)).all()
    assert (exact[~held] <= largest * 2.0 ** (-124 - bits)).all()
    assert codes.max() == 254
    assert (~held).sum() == near.index(int(edge)) + 1


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_2_4_to_nearest_ties_to_even_and_never_above_qmax(bits: int) -> None:
    x = np.concatenate([drawn(7, 3000), extremes(bits)])
    found = quantise(x, bits)
    same(found, *golden.quantise_many(cut(x), bits))
    assert abs(found.elements).max() == 2 ** (bits - 1) - 1


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_2_5_stochastic_rounding_adds_a_byte_below_the_point(bits: int) -> None:
    x = np.concatenate([drawn(8, 3000), extremes(bits)])
    rounding = Rounding(seed=0xFEDCBA9876543210, step=77, tensor=5, orientation=1)
    found = quantise(x, bits, rounding)
    noise = golden.bytes_many(*key(rounding), np.arange(x.size // 16)).reshape(
        *x.shape[:-1], -1, 16
    )
    same(found, *golden.quantise_many(cut(x), bits, noise))
    assert abs(found.elements).max() == 2 ** (bits - 1) - 1


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_2_5_every_byte_with_the_largest_elements(bits: int) -> None:
    x = extremes(bits).reshape(-1, 16)[:, None].repeat(256, 1)
    noise = np.arange(256, dtype=np.uint8)[:, None].repeat(16, 1)
    code = golden.quantise_many(x.view(np.uint32), bits).codes
    given = {"x": x.view(np.uint32), "code": code, "noise": np.broadcast_to(noise, x.shape)}
    found = compiled(bits)(**given)["out"]
    assert np.array_equal(found, golden.quantise_many(x.view(np.uint32), bits, noise).elements)
    assert abs(found).max() == 2 ** (bits - 1) - 1


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_2_6_two_planes_are_one_number_of_twice_the_bits(bits: int) -> None:
    x = np.concatenate([drawn(9, 2000), extremes(bits)])
    rounding = Rounding(3, 4, 5, 0)
    noise = golden.bytes_many(*key(rounding), np.arange(x.size // 16)).reshape(
        *x.shape[:-1], -1, 16
    )
    for own, given in ((None, None), (rounding, noise)):
        found, right = quantise_planes(x, bits, own), golden.planes_many(cut(x), bits, given)
        same(found.high, *right.hi)
        same(found.low, *right.lo)
    near = quantise_planes(x, bits)
    whole = dequantise(near.high).astype(np.float64) + dequantise(near.low)
    step = 2.0 ** (near.high.codes.astype(np.float64) - 124 - bits - (bits - 1))
    # Where lo has no scale, what it would add is lost.
    lost = (near.low.codes == 0) & (near.high.codes < bits)
    error = abs(whole - np.where(abs(x) < 2.0**-126, 0, x)).reshape(*step.shape, 16)
    assert (error <= step[..., None] / 2)[~lost & (near.high.codes > 0)].all()


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_2_7_the_low_plane_has_a_scale_of_its_own(bits: int) -> None:
    x = np.zeros((4, 32), np.float32)
    x[0] = 7
    x[1, 0], x[1, 1] = 1, 2.0**-7
    x[2, 3] = np.inf
    x[3, :2] = 1.25 * 2.0**-120, 2.0**-125
    found = quantise_planes(x, bits)
    high, low = found.high.codes[:, 0], found.low.codes[:, 0]
    assert low[0] == 0
    assert low[1] == (high[1] - (bits - 1) if bits > 4 else 0)
    assert (high[2], low[2]) == (255, 255)
    assert low[3] == (
        high[3] - (bits - 1) if high[3] > bits - 1 and found.low.elements[3, 0].any() else 0
    )
    assert not found.low.elements[:, 1].any()


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_2_8_a_tile_with_one_scale_reads_the_same_along_both_axes(bits: int) -> None:
    x = drawn(10, 96, 64)
    x[33, 40] = np.inf
    rows, columns = (
        quantise(x, bits, tiles=True),
        quantise(np.ascontiguousarray(x.T), bits, tiles=True),
    )
    assert np.array_equal(dequantise(rows), dequantise(columns).T, equal_nan=True)
    tiles = x.reshape(6, 16, 4, 16).swapaxes(1, 2).view(np.uint32)
    right = golden.quantise_many(tiles, bits, tiles=True)
    assert np.array_equal(rows.codes, right.codes.swapaxes(1, 2).reshape(96, 4))
    assert np.array_equal(rows.elements, right.elements.swapaxes(1, 2).reshape(96, 4, 16))
    assert (rows.codes[32:48, 2] == 255).all()
    part = quantise(x[:21], bits, tiles=True)
    assert np.array_equal(part.codes[:16], rows.codes[:16])


@pytest.mark.parametrize("bits", WIDTHS)
def test_numbers_that_are_rounded_to_bf16_first_are_those_of_ml_dtypes(bits: int) -> None:
    draw = np.random.default_rng(12)
    x = np.concatenate(
        [drawn(12, 900), draw.integers(0, 2**32, (900, 64), np.uint32).view(np.float32)]
    )
    # Ties, and what is just beside them.
    x[::3] = (
        ((x[::3].view(np.uint32) & 0xFFFF0000) + draw.integers(0x7FFF, 0x8002, (600, 64)))
        .astype(np.uint32)
        .view(np.float32)
    )
    with np.errstate(over="ignore", invalid="ignore"):
        right = x.astype(ml_dtypes.bfloat16).astype(np.float32)
    rounding = Rounding(1, 2, 3, 0)
    for own in (None, rounding):
        found, plain = quantise(x, bits, own, half=True), quantise(right, bits, own)
        assert np.array_equal(found.codes, plain.codes)
        assert np.array_equal(found.elements, plain.elements)
    planes, plain_planes = quantise_planes(x, bits, half=True), quantise_planes(right, bits)
    assert np.array_equal(planes.low.elements, plain_planes.low.elements)
    tiles, plain_tiles = (
        quantise(one, bits, tiles=True, half=h) for one, h in ((x, True), (right, False))
    )
    assert np.array_equal(tiles.codes, plain_tiles.codes)


def test_of_nothing_there_are_no_blocks() -> None:
    for shape in ((0, 40), (3, 0), (2, 0, 16)):
        for tiles in (False, True):
            x = np.zeros(shape, np.float32)
            made = quantise(x, 6, tiles=tiles)
            assert dequantise(made).shape == shape
            assert quantise_planes(x, 6, Rounding(0, 0, 0, 0)).low.codes.shape == made.codes.shape
            other = quantise(np.ones((*shape[:-2], 5, shape[-1]), np.float32), 6)
            product = multiply(made, other)
            assert product.shape == (*shape[:-1], 5)
            assert not product.any()


@pytest.mark.parametrize("bits", WIDTHS)
def test_interpreter_and_compiled_function_quantise_alike(bits: int) -> None:
    x = drawn(11, 40, 16).view(np.uint32)
    scales = interpret(
        blocks.scale_code(bits).ir, {"amax": np.arange(0, 2**31 - 1, 2**23 - 1)[None]}
    )
    assert scales.outputs["out"].shape == (1, 257)
    codes = golden.quantise_many(x, bits).codes
    run = interpret(blocks.quantiser(bits).ir, {"x": x[None], "code": codes[None]})
    assert np.array_equal(run.outputs["out"][0], golden.quantise_many(x, bits).elements)


def extremes(bits: int) -> Floats:
    """Blocks whose numbers are at the edges of every rounding, at many scales."""
    largest = 2 ** (bits - 1) - 1
    halves = np.arange(0, 2 * largest + 1) / 2
    near = np.concatenate([np.nextafter(np.float32(halves), np.float32(side)) for side in (0, 1e9)])
    numbers = np.concatenate([halves, near])
    numbers = numbers[numbers <= largest]
    numbers = np.resize(numbers, -(-numbers.size // 15) * 15).reshape(-1, 15)
    rows = np.concatenate([np.full((len(numbers), 1), largest), numbers], 1)
    scaled = rows[:, None] * 2.0 ** np.arange(-100, 100, 13)[:, None]
    both = np.concatenate([scaled, -scaled]).reshape(-1, 16).astype(np.float32)
    return both[: len(both) // 4 * 4].reshape(-1, 64)


def key(rounding: Rounding) -> tuple[int, int, int, int]:
    """For the golden model."""
    return rounding.seed, rounding.step, rounding.tensor, rounding.orientation


def compiled(bits: int) -> Any:
    """The stochastic quantiser, with its noise given."""

    return compile_function(blocks.quantiser(bits, stochastic=True).ir, 1)
