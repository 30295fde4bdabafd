"""What the compiler writes for machines with fewer instructions than this one may have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pytest
from llvmlite import binding

from tests.hdl import test_compile, test_compile_arrays, test_compile_operations
from tests.hdl.programs import program
from zhufeng.hdl.compile import _engine, _operations
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.ir import Form, Let, Module

_BASE: Final = frozenset(
    {"64bit", "cmov", "cx8", "fxsr", "mmx", "sse", "sse2", "sse3", "ssse3", "sse4.1", "sse4.2"}
)
"""What every x86-64 machine of these years has."""
_CACHED = (_operations.has_feature, _operations.vector_bits, _engine._surroundings)


@pytest.fixture(params=["without AVX-512", "without AVX"])
def older(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that has no more than this."""
    every = binding.get_host_cpu_features()
    features = binding.FeatureMap()
    for name, there in every.items():
        kept = name in _BASE if request.param == "without AVX" else not name.startswith("avx512")
        features[name] = there and kept
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: features)
    for one in _CACHED:
        one.cache_clear()
    yield
    for one in _CACHED:
        one.cache_clear()


@pytest.mark.usefixtures("older")
def test_operations_do_the_same() -> None:
    assert not test_compile_operations.different(21, 32)


@pytest.mark.usefixtures("older")
def test_programs_do_the_same() -> None:
    cases = [(20, 1), (21, 8), (22, 32)]
    assert not [
        told for seed, lanes in cases if (told := test_compile.differences(program(seed), lanes))
    ]


@pytest.mark.usefixtures("older")
def test_arrays_do_the_same() -> None:
    # Products added up, in 8 lanes and in 16.
    assert not [told for seed in (9, 10) if (told := test_compile_arrays.differences(seed))]


@pytest.mark.usefixtures("older")
@pytest.mark.parametrize("width", [17, 24, 25, 31, 32])
def test_zeros_are_counted(width: int) -> None:
    """Around every power of two, where a rounded number would have one fewer."""
    form = Form(width, signed=False)
    lets = {
        "x": Let("input", form, (), ("x",)),
        "out": Let("leading", Form(width.bit_length(), signed=False), ("x",)),
    }
    module = Module("zeros", {"x": form}, {"out": "out"}, lets)
    numbers = [(1 << n) + by for n in range(width + 1) for by in (-2, -1, 0, 1, 3)]
    x = np.array([n for n in numbers if form.has(n)])
    found = compiled(module, 8).run({"x": np.repeat(x[:, None], 8, 1)}).outputs["out"]
    assert found[:, 3].tolist() == [width - int(n).bit_length() for n in x]
