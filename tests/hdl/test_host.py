"""Functions over arrays: against the interpreter, NumPy, and bfloat16 of ml_dtypes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from simulation.host import BLOCK, bf16_multiply, shared_scale, squeeze
from tests.hdl.programs import program
from zhufeng.base import InputError
from zhufeng.hdl import Bool, Function, Signal, SInt, UInt, assert_, function
from zhufeng.hdl.compile import HostFunction, compile_function
from zhufeng.hdl.interpret import Values, anything, interpret
from zhufeng.hdl.ir import Form, Let, Module, rebuilt, stateful
from zhufeng.hdl.passes import Flattening

ELEMENTS = 131  # neither whole rows of 8 lanes nor of 64


def without_state(module: Module) -> Module:
    """What a program computes within a cycle: all that is held is given, and nothing is claimed."""
    flat = Flattening()(rebuilt(module, lambda one: replace(one, claims=())))
    lets, inputs = dict(flat.lets), dict(flat.inputs)
    for name, let in flat.lets.items():
        if let.op in ("register", "read"):
            port = f"held_{name}"
            inputs[port] = let.form
            lets[name] = Let("input", let.form, (), (port,))
    return replace(flat, inputs=inputs, lets=lets, registers={}, memories={})


def drawn(module: Module, seed: int, count: int) -> dict[str, Values]:
    draw = np.random.default_rng(seed)
    return {
        port: anything(form, (count, *form.shape), draw) for port, form in module.inputs.items()
    }


def truth(module: Module, inputs: Mapping[str, Values]) -> Mapping[str, Values]:
    """What the interpreter gives for each element."""
    run = interpret(module, {port: values[None] for port, values in inputs.items()})
    return {port: values[0] for port, values in run.outputs.items()}


def unequal(module: Module, seed: int, lanes: int, threads: int) -> list[str]:
    inputs = drawn(module, seed, ELEMENTS)
    found = HostFunction(module, lanes)(threads=threads, **inputs)
    known = truth(module, inputs)
    assert list(found) == list(known)
    return [port for port, values in known.items() if not np.array_equal(found[port], values)]


@pytest.mark.parametrize(
    ("lanes", "seeds"), [(1, range(25)), (8, range(25, 45)), (64, range(45, 50))]
)
def test_random_functions_are_those_of_the_interpreter(lanes: int, seeds: range) -> None:
    told = {}
    for seed in seeds:
        module = without_state(program(seed).module)
        if module.inputs and not stateful(module):
            told[seed] = unequal(module, seed, lanes, threads=1 + seed % 2)
    assert len(told) > len(seeds) // 2
    assert not {seed: ports for seed, ports in told.items() if ports}


# bf16: every pair of the exponents' ends and middle, and of all significands.


def as_bf16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = bits.view(ml_dtypes.bfloat16).astype(np.float32)
    return found


def bf16_product(a: NDArray[np.uint16], b: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """As ml_dtypes rounds the product, which is exact in double; subnormal numbers are 0."""

    def flushed(bits: NDArray[np.uint16]) -> NDArray[np.uint16]:
        return np.where(bits & 0x7F80, bits, bits & 0x8000).astype(np.uint16)

    with np.errstate(invalid="ignore", over="ignore"):
        x, y = (as_bf16(flushed(one)).astype(np.float64) for one in np.broadcast_arrays(a, b))
        exact = x * y
        rounded = exact.astype(ml_dtypes.bfloat16).view(np.uint16)
    # A product that is subnormal before it is rounded is 0 even where it would round to a normal.
    small = np.abs(exact) < 2.0**-126 * (1 - 2.0**-9)
    return np.where(small, rounded & 0x8000, flushed(rounded)).astype(np.uint16)


def test_every_pair_of_significands_is_multiplied_as_ml_dtypes_does() -> None:
    """All 2^14 pairs of them, at exponents whose product is and is not normal."""
    f = compile_function(bf16_multiply.ir)
    fraction = np.arange(128, dtype=np.uint16)
    for ea, eb in ((127, 127), (100, 150), (254, 127), (200, 181), (200, 182), (0, 200), (255, 9)):
        for sign in (0, 0x8000):
            a = (fraction[:, None] | (ea << 7) | sign).astype(np.uint16)
            b = (fraction[None] | (eb << 7)).astype(np.uint16)
            found, known = f(a=a, b=b)["out"], bf16_product(a, b)
            nan = np.isnan(as_bf16(known))
            assert (found.shape, str(found.dtype)) == ((128, 128), "uint16")
            assert np.array_equal(np.isnan(as_bf16(found)), nan)
            assert np.array_equal(found[~nan], known[~nan]), (ea, eb)


def test_every_bf16_times_some_others() -> None:
    """All 2^16 numbers, which include every subnormal number, infinity and NaN."""
    f = compile_function(bf16_multiply.ir)
    a = np.arange(1 << 16, dtype=np.uint16)
    for b in (0x3F80, 0xC049, 0x0000, 0x7F80, 0x7FC1, 0x00FF, 0x8001):
        found, known = f(a=a, b=np.uint16(b))["out"], bf16_product(a, np.uint16(b) + 0 * a)
        nan, near = np.isnan(as_bf16(known)), (found & 0x7FFF == 0) | (known & 0x7FFF == 0)
        assert np.array_equal(np.isnan(as_bf16(found)), nan)
        assert np.array_equal(found[~nan & ~near], known[~nan & ~near])
        # At the border of what is subnormal, 0 or the least normal number.
        assert (np.abs(as_bf16(found[near]) - as_bf16(known[near])) <= 2.0**-126).all()


def test_blocks_of_an_array_come_out_as_numpy_has_them() -> None:
    draw = np.random.default_rng(3)
    x = draw.integers(-(1 << 15), 1 << 15, (3, 77, BLOCK)) >> draw.integers(0, 12, (3, 77, 1))
    magnitude = np.where(x < 0, ~x, x).max(-1)
    shift = np.maximum(0, np.frexp(magnitude)[1] - 7)
    parts = x >> shift[..., None]
    for lanes in (None, 1, 16, 64):
        found = compile_function(shared_scale.ir, lanes)(x=x.astype(np.int16))
        assert np.array_equal(found["shift"], shift)
        assert np.array_equal(found["parts"], parts)
        assert np.array_equal(found["sum"], parts.sum(-1))
        kinds = {port: values.dtype for port, values in found.items()}
        assert kinds == {"shift": np.uint8, "parts": np.int8, "sum": np.int16}


# Shapes, dtypes, sizes.


@function(x=SInt(5), y=SInt(5), up=Bool)
def sums(x: Signal, y: Signal, up: Signal) -> Signal:
    return (x + y > 3) & up


@function(x=UInt(70), y=UInt(64))
def wide(x: Signal, y: Signal) -> Signal:
    return x * y


def test_leading_axes_are_broadcast_as_numpy_does() -> None:
    f = compile_function(sums.ir)
    x, y = np.arange(-16, 16)[:, None], np.arange(-16, 16)
    found = f(x=x, y=y, up=True)["out"]
    assert found.dtype == bool
    assert np.array_equal(found, x + y > 3)
    single = f(x=3, y=1, up=True)["out"]
    assert single.shape == ()
    assert single
    assert f(x=np.zeros((4, 0), int), y=1, up=False)["out"].shape == (4, 0)
    assert f(x=x[::-2], y=y[None, 3:4], up=np.ones((1, 1), bool))["out"].tolist() == [
        [bool(one - 13 > 3)] for one in x[::-2, 0]
    ]


def test_a_block_may_be_alike_for_all() -> None:
    found = compile_function(shared_scale.ir)(x=np.arange(BLOCK))
    assert found["parts"].tolist() == list(range(BLOCK))
    assert found["sum"].shape == ()


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 4096, 4097])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.uint64, np.int16, object])
def test_any_integers_that_fit_of_any_number(count: int, kind: type) -> None:
    x: NDArray[Any] = np.random.default_rng(count).integers(0, 256, count).astype(kind)
    whole = x.astype(int)
    mixed = ((whole << 1) & 255) ^ (whole >> 2)
    found = compile_function(squeeze.ir)(x=x)["out"]
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.where(whole & 128, ~mixed & 255, mixed))


def test_more_than_64_bits() -> None:
    draw = np.random.default_rng(5)
    x, y = anything(Form(70), (99,), draw), anything(Form(64), (99,), draw)
    found = compile_function(wide.ir)(x=x, y=y.astype(np.uint64), threads=2)["out"]
    assert found.tolist() == [int(a) * int(b) for a, b in zip(x, y, strict=True)]


def test_what_it_is_given_stays_and_is_not_what_it_gives() -> None:
    x = np.arange(256, dtype=np.uint8)
    x.flags.writeable = False
    f: HostFunction = compile_function(squeeze.ir)
    first = f(x=x)["out"]
    again = first.copy()
    assert not np.shares_memory(first, x)
    assert first.flags.writeable
    f(x=x[::-1])
    assert np.array_equal(first, again)


def test_threads_do_the_same() -> None:
    a = np.random.default_rng(1).integers(0, 1 << 16, (2, 400_001), dtype=np.uint16)
    f = compile_function(bf16_multiply.ir)
    known = f(a=a[0], b=a[1])["out"]
    for threads in (2, 5):
        assert np.array_equal(f(a=a[0], b=a[1], threads=threads)["out"], known)


def claimed() -> Function[..., Signal]:
    @function(x=UInt(8))
    def small(x: Signal) -> Signal:
        assert_(x < 200, "not so large")
        return x

    return small


def test_a_claim_that_does_not_hold_names_the_element() -> None:
    f = compile_function(claimed().ir)
    x = np.arange(200, dtype=np.uint8)
    assert np.array_equal(f(x=x)["out"], x), "what fills the last row up claims nothing"
    x = np.zeros((3, 1000), np.uint8)
    x[1, 777], x[2, 5] = 200, 255
    with pytest.raises(
        InputError, match=r"element \[1, 777\] of what small .*\n.*not so large"
    ) as e:
        f(x=x)
    assert "x=200" in str(e.value)


def _compiled_apart(cache: str) -> list[int]:
    os.environ["ZHUFENG_CACHE"] = cache
    return [int(compile_function(adder(n).ir, 8)(x=n)["out"]) for n in range(6)]


def adder(number: int) -> Function[..., Signal]:
    """One of many functions."""

    @function(x=UInt(8))
    def adder(x: Signal) -> Signal:
        return x + number

    return adder


def test_several_processes_may_compile_the_same_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_compiled_apart, [str(tmp_path)] * 4))
    assert found == [[2 * n for n in range(6)]] * 4
    assert all(path.suffix == ".o" and "." not in path.stem for path in tmp_path.rglob("*.o"))
