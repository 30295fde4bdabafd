"""Every operation of the IR, on forms of all sizes, compiled against the interpreter."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.interpret import Values, interpret
from zhufeng.hdl.ir import OPS, Form, Let, Module, check, problems

CYCLES = 24
WIDTHS = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70, 130)
WORD, WITH_MORE = 64, 8
"""Numbers of more bits than a word are in 8 lanes at most."""
SHAPES = ((), (3,), (20,))
"""A single one, written out, and in a loop."""
VALUES = 90
NUMBERS, COMPARED = ("add", "sub", "mul"), ("eq", "lt", "le")
REDUCED, BITWISE = ("all", "any", "parity"), ("and", "or", "xor")


class Operations:
    """A module of random operations, each on what is there already; all are outputs."""

    def __init__(self, seed: int, most: int | None = None) -> None:
        """Draw it, with numbers of any width or of so many bits at most."""
        self._draw, self._most = random.Random(seed), most
        self._widths = [width for width in WIDTHS if most is None or width <= most]
        self.lets: dict[str, Let] = {}
        for number in range(24):
            form = self._form(self._draw.choice(SHAPES))
            self.lets[f"x{number}"] = Let("input", form, (), (f"x{number}",))
        makers: list[Callable[[], Let | None]] = [
            *[self._number] * 5,
            *[self._compared] * 3,
            self._shifted,
            self._bitwise,
            self._chosen,
            self._cased,
            self._of_bits,
            self._of_bits,
            self._array,
        ]
        while len(self.lets) < VALUES:
            let = self._draw.choice(makers)()
            if (
                let
                and self._fits(let)
                and not problems(let, [self.lets[arg].form for arg in let.args])
            ):
                self.lets[f"v{len(self.lets)}"] = let

    def module(self) -> Module:
        """All of it."""
        inputs = {name: let.form for name, let in self.lets.items() if let.op == "input"}
        outputs = {name: name for name in self.lets if name not in inputs}
        found = Module("operations", inputs, outputs, self.lets)
        check(found)
        return found

    def _fits(self, let: Let) -> bool:
        """Whether it is no wider than asked for."""
        return self._most is None or let.form.width <= self._most

    def _form(self, shape: tuple[int, ...]) -> Form:
        return Form(self._draw.choice(self._widths), signed=self._draw.random() < 0.5, shape=shape)

    def _any(self, fits: Callable[[Form], bool] = lambda form: True) -> str | None:
        found = [name for name, let in self.lets.items() if fits(let.form)]
        return self._draw.choice(found) if found else None

    def _like(self, name: str, fits: Callable[[Form], bool] = lambda form: True) -> str | None:
        """One more of the shape of a value."""
        shape = self.lets[name].form.shape
        return self._any(lambda form: form.shape == shape and fits(form))

    def _let(
        self, op: str, form: Form, *args: str | None, data: tuple[int, ...] = ()
    ) -> Let | None:
        names = tuple(arg for arg in args if arg is not None)
        return Let(op, form, names, data) if len(names) == len(args) else None

    def _number(self) -> Let | None:
        a = self._any()
        assert a
        form = self._form(self.lets[a].form.shape)
        op = self._draw.choice((*NUMBERS, "wrap", "saturate"))
        return self._let(op, form, a, *([self._like(a)] if op in NUMBERS else []))

    def _compared(self) -> Let | None:
        a = self._any()
        assert a
        bit = Form(1, signed=False, shape=self.lets[a].form.shape)
        return self._let(self._draw.choice(COMPARED), bit, a, self._like(a))

    def _shifted(self) -> Let | None:
        a = self._any()
        assert a
        amount = self._like(a, lambda form: form.width <= 8 and not form.signed)
        return self._let(
            self._draw.choice(("shl", "shr")), self._form(self.lets[a].form.shape), a, amount
        )

    def _bitwise(self) -> Let | None:
        a = self._any()
        assert a
        of = self.lets[a].form
        form = Form(of.width, signed=self._draw.random() < 0.5, shape=of.shape)
        if self._draw.random() < 0.3:
            return self._let("not", form, a)
        b = self._like(a, lambda other: other.width == of.width)
        return self._let(self._draw.choice(BITWISE), form, a, b)

    def _same(self, a: str) -> str | None:
        of = self.lets[a].form
        return self._any(lambda form: form == of)

    def _chosen(self) -> Let | None:
        a = self._any()
        assert a
        condition = self._like(a, lambda form: (form.width, form.signed) == (1, False))
        return self._let("mux", self.lets[a].form, condition, a, self._same(a))

    def _cased(self) -> Let | None:
        a = self._any()
        assert a
        selector = self._like(a, lambda form: 1 < form.width <= 3)
        if selector is None:
            return None
        of = self.lets[selector].form
        keys = tuple(self._draw.sample(range(of.low, of.high + 1), 2))
        choices = (self._same(a), self._same(a))
        return self._let("case", self.lets[a].form, selector, *choices, a, data=keys)

    def _of_bits(self) -> Let | None:
        a = self._any()
        assert a
        of = self.lets[a].form
        choice = self._draw.randrange(4)
        if choice == 0:
            bit = Form(1, signed=False, shape=of.shape)
            return self._let(self._draw.choice(REDUCED), bit, a)
        if choice == 1:
            form = Form(of.width.bit_length(), signed=False, shape=of.shape)
            return self._let("leading", form, a)
        if choice == 2:
            low = self._draw.randrange(of.width)
            width = self._draw.randint(1, of.width - low)
            return self._let("bits", Form(width, signed=False, shape=of.shape), a, data=(low,))
        b = self._like(a)
        assert b
        width = of.width + self.lets[b].form.width
        return self._let("cat", Form(width, signed=False, shape=of.shape), a, b)

    def _array(self) -> Let | None:
        a = self._any(lambda form: form.shape != ())
        index = self._any(lambda form: form.shape == () and form.width <= 8 and not form.signed)
        if a is None or index is None:
            return None
        of = self.lets[a].form
        one = Form(of.width, of.signed)
        choice = self._draw.randrange(3)
        if choice == 0:
            return self._let("take", one, a, index)
        if choice == 1:
            return self._let("put", of, a, index, self._any(lambda form: form == one))
        return self._let("pack", Form(of.width * of.size, signed=False), a)


def corners(form: Form, count: int, draw: np.random.Generator) -> Values:
    """Random numbers, among them the ends of a form and those around 0."""
    every: NDArray[np.object_] = np.empty((CYCLES, count, *form.shape), object)
    ends = [number for number in (form.low, form.high, 0, 1, -1) if form.has(number)]
    for place in np.ndindex(every.shape):
        raw = int.from_bytes(draw.bytes(form.width // 8 + 1), "little")
        every[place] = form.wrap(raw) if draw.random() < 0.6 else ends[draw.integers(len(ends))]
    return every


def different(seed: int, lanes: int) -> list[str]:
    """The operations that give something else."""
    most = WORD if lanes > WITH_MORE else None
    module, draw = Operations(seed, most).module(), np.random.default_rng(seed)
    inputs = {port: corners(form, lanes, draw) for port, form in module.inputs.items()}
    there, here = interpret(module, inputs), compiled(module, lanes).run(inputs)
    return [
        f"{name}: {module.lets[name].op} {[str(module.form(a)) for a in module.lets[name].args]}"
        for name, values in there.outputs.items()
        if not np.array_equal(values, here.outputs[name])
    ]


@pytest.mark.parametrize(
    ("seeds", "lanes"), [(range(8), 1), (range(8, 14), 8), (range(14, 15), 32)]
)
def test_operations_do_the_same_in_compiled_code(seeds: range, lanes: int) -> None:
    told = {seed: different(seed, lanes) for seed in seeds}
    assert not {seed: one for seed, one in told.items() if one}


def test_the_operations_are_all_there() -> None:
    made = {let.op for seed in range(14) for let in Operations(seed).lets.values()}
    arrays = {"take", "put", "pack"}
    assert {name for name, op in OPS.items() if op.elementwise} | arrays <= made


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("width", [1, 3, 40])
def test_an_element_of_a_long_array_is_found(width: int, lanes: int) -> None:
    """It is put into memory for it."""
    array, index = Form(width, signed=False, shape=(33,)), Form(6, signed=False)
    lets = {
        "a": Let("input", array, (), ("a",)),
        "i": Let("input", index, (), ("i",)),
        "out": Let("take", Form(width, signed=False), ("a", "i")),
    }
    module = Module("long", {"a": array, "i": index}, {"out": "out"}, lets)
    draw = np.random.default_rng(width)
    inputs = {port: corners(form, lanes, draw) for port, form in module.inputs.items()}
    here = compiled(module, lanes).run(inputs).outputs["out"]
    assert np.array_equal(interpret(module, inputs).outputs["out"], here)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(100, 1100, 50))
def test_many_operations_do_the_same_in_compiled_code(first: int) -> None:
    told = {
        seed: different(seed, (1, 8, 16, 32, 64)[seed % 5]) for seed in range(first, first + 50)
    }
    assert not {seed: one for seed, one in told.items() if one}
