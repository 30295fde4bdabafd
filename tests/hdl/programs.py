"""Random programs over the whole language."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.hdl.expressions import Draw, Expressions, Pool, leaves, struct
from zhufeng.hdl import (
    Bits,
    Bool,
    HdlError,
    Module,
    Signal,
    State,
    Type,
    UInt,
    assert_,
    assume,
    connect,
    cover,
    function,
    instance,
    ir,
    mem,
    module,
    reg,
    vmap,
    wire,
)
from zhufeng.hdl.interpret import Values

_CYCLES = ("follows from itself", "connected to one another alone")
# Names that Verilog, or its printer, keeps for itself.
_NAMES = ("x", "reg", "en", "ix0", "y_out", "clk", "begin", "rst", "v1", "g_x", "logic_", "x_in")
_TEXTS = ('it holds "so" 100 %', "it holds, \\ or not: %d", "es gilt – 成立")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """A program and what it is given."""

    module: ir.Module
    seed: int
    """Of its inputs."""


def program(seed: int) -> Program:
    """The program of a seed."""
    draw = Draw(seed)
    while True:
        try:
            return Program(_Maker(draw).program(), seed)
        except HdlError as error:
            # A wire may be connected to what follows from it: that is not for us to foresee.
            if not any(one in str(error) for one in _CYCLES):
                raise


@dataclass(frozen=True)
class _Kind:
    """What a port takes: a type, or arrays of a struct."""

    one: Any
    shape: Shape = ()

    @property
    def declared(self) -> Any:
        return self.one.array(*self.shape) if self.shape else self.one


@dataclass(frozen=True)
class _Made:
    module: Module[Any, ..., Any]
    inputs: Mapping[str, _Kind]


@dataclass(frozen=True)
class _Bank:
    """A memory as it is declared."""

    kind: Type
    depth: int
    reads: tuple[str, ...]
    writes: int
    transparent: bool
    group: int | None
    banks: Shape

    @property
    def early(self) -> bool:
        """Whether what is read follows from what is written in the same cycle."""
        return self.transparent and "async" in self.reads


class _Maker(Expressions):
    """Makes modules: state, instances, memories, claims."""

    def __init__(self, draw: Draw) -> None:
        super().__init__(draw)
        self._library: list[list[_Made]] = [[], []]
        """Modules that may be instances, by how deep they are."""
        self._named = 0

    def program(self) -> ir.Module:
        """A design of up to three levels."""
        for _ in range(self.draw.randrange(3)):
            self._function()
        made = self._module(0).module.ir
        return _apart(made) if self.draw.rarely(3) else made

    # Modules.

    def _function(self) -> None:
        inputs = {f"a{n}": self.type_() for n in range(1 + self.draw.randrange(2))}

        def body(**given: Signal) -> Any:
            pool = list(given.values())
            self.grow(pool, 1 + self.draw.randrange(4))
            if self.draw.rarely(3):
                self.claim(pool)
            return self._outputs(pool)

        body.__name__ = self._name("f")
        self.functions.append((function(**inputs)(body), inputs))

    def _module(self, depth: int) -> _Made:
        inputs = {"go": _Kind(Bool)}
        for n in range(self.draw.randrange(4)):
            inputs[self._free(f"i{n}", inputs)] = self.kind()
        inside = {f"u{n}": self._inside(depth) for n in range(self._parts(depth))}
        banks = {f"m{n}": self._bank() for n in range(self.draw.choice((0, 0, 1, 1, 2)))}
        registers = {self._free(f"r{n}", {}): self.type_() for n in range(self.draw.randrange(4))}
        fields = {name: reg(kind, reset=self._reset(kind)) for name, kind in registers.items()}
        fields |= {name: self._memory(bank) for name, bank in banks.items()}
        fields |= {name: instance(one.module, *shape) for name, (one, shape) in inside.items()}
        name = self._name("m")
        state: Any = type(f"State{name}", (State,), fields)

        def step(s: Any, **given: Any) -> tuple[Any, Any]:
            body = _Body(self, s, given)
            body.write(registers, banks, inside)
            seen = body.ends if self.draw.rarely(3) else body.pool
            return state(**body.after), self._outputs(seen)

        step.__name__ = name
        declared = {port: kind.declared for port, kind in inputs.items()}
        made = _Made(module(state, **declared)(step), inputs)
        if depth:
            self._library[depth - 1].append(made)
        return made

    def _parts(self, depth: int) -> int:
        return self.draw.choice((0, 1, 2)) if depth < len(self._library) else 0

    def _inside(self, depth: int) -> tuple[_Made, Shape]:
        """A module below, a new one or one that is there, and the shape of its instances."""
        known = self._library[depth]
        again = known and self.draw.rarely(2)
        made = self.draw.choice(known) if again else self._module(depth + 1)
        return made, self.draw.choice(((), (), (2,), (3,), (2, 2)))

    def _name(self, prefix: str) -> str:
        self._named += 1
        # Verilog's own names among them.
        return self.draw.choice((f"{prefix}{self._named}", f"{prefix}_same", "always", "bench"))

    def _free(self, plain: str, taken: Mapping[str, object]) -> str:
        wanted = self.draw.choice(_NAMES) if self.draw.rarely(4) else plain
        return plain if wanted in taken else wanted

    def kind(self) -> _Kind:
        """What a port or a wire takes."""
        if not self.draw.rarely(4):
            return _Kind(self.type_())
        inner = struct("Part", {"low": self.scalar_type(), "high": self.type_()})
        outer = struct("Whole", {"part": inner, "more": self.scalar_type()})
        one = self.draw.choice((inner, outer))
        return _Kind(one, self.draw.choice(((), (2,), (3,))))

    def _reset(self, kind: Type) -> Any:
        match self.draw.randrange(4):
            case 0:
                return self.fitting(kind)
            case 1:
                return None
            case 2:
                return self.numbers(kind)
            case _:
                return 0

    def _bank(self) -> _Bank:
        kind = self.scalar_type()
        groups = [n for n in range(1, kind.width + 1) if kind.width % n == 0]
        group = self.draw.choice(groups) if groups and self.draw.rarely(3) else None
        return _Bank(
            kind,
            1 + self.draw.randrange(8),
            self.draw.choice((("sync",), ("async",), ("sync", "async"), ("async", "async"))),
            self.draw.choice((1, 1, 2, 3, 0)),
            self.draw.rarely(2),
            group,
            self.draw.choice(((), (), (), (2,), (2, 2))),
        )

    def _memory(self, bank: _Bank) -> Any:
        numbers = [self.fitting(bank.kind) for _ in range(self.draw.randrange(bank.depth + 1))]
        return mem(
            bank.kind,
            bank.depth,
            reads=bank.reads,  # type: ignore[arg-type] # of literals
            writes=bank.writes,
            transparent=bank.transparent,
            byte_enable=bank.group,
            initial=None if self.draw.rarely(4) else numbers,
            banks=bank.banks,
        )

    def _outputs(self, pool: Pool) -> Any:
        found = [pool[-1], *(self.any(pool) for _ in range(self.draw.randrange(7)))]
        if len(found) == 1:
            return found[0]
        kinds: dict[str, Any] = {}
        values: list[Any] = []
        for number, value in enumerate(found):
            name = self._free(f"o{number}", kinds)
            if self.draw.rarely(6):
                nested = struct("Nested", {"x": value.type, "go": found[0].type})
                kinds[name], whole = nested, nested(value, found[0])
                values.append(whole)
            else:
                kinds[name] = value.type
                values.append(value)
        return struct("Out", kinds)(*values)

    def claim(self, pool: Pool) -> None:
        """Claim something that may not hold."""
        text = f"{self._name('claim')}: {self.draw.choice(_TEXTS)}"
        self.draw.choice((assert_, cover, assume))(self.condition(pool), text)


def _apart(module: ir.Module) -> ir.Module:
    """A module of which no two parts share one: equal ones are as if written twice."""
    return replace(
        module,
        instances={n: replace(p, module=_apart(p.module)) for n, p in module.instances.items()},
        folds={n: replace(p, module=_apart(p.module)) for n, p in module.folds.items()},
    )


class _Body:
    """The inside of a module under trace."""

    def __init__(self, maker: _Maker, state: Any, given: Mapping[str, Any]) -> None:
        self._make = maker
        self._draw = maker.draw
        self._state = state
        self._go = given["go"]
        self.pool: Pool = leaves(list(given.values()))
        self.after: dict[str, Any] = {}
        """The next state, by field."""
        self._wires: list[tuple[_Kind, Any]] = []
        self.ends: Pool = [self._go]
        """Registers and what instances give."""
        self._last: Pool = []
        """What the instance that was called last gives."""

    def write(
        self,
        registers: Mapping[str, Type],
        banks: Mapping[str, _Bank],
        inside: Mapping[str, tuple[_Made, Shape]],
    ) -> None:
        """Everything that happens in a cycle."""
        self.ends += [getattr(self._state, name) for name in registers]
        self.pool += self.ends[1:]
        self._open((1, 2) if len(inside) > 1 else (0, 0, 1, 2))
        for name, bank in banks.items():
            self.after[name] = getattr(self._state, name)
            if bank.early:
                self._store(name, bank)
            self._load(name, bank)
        for name, (made, shape) in inside.items():
            self._make.grow(self.pool, self._draw.randrange(3))
            if not self._draw.rarely(16):
                self._call(name, made, shape)
            else:
                self.after[name] = getattr(self._state, name)
        self._make.grow(self.pool, 2 + self._draw.randrange(14))
        for name, bank in banks.items():
            if not bank.early:
                self._store(name, bank)
        for _ in range(self._draw.choice((0, 0, 1, 2))):
            self._claim()
        self._close()
        for name, kind in registers.items():
            self.after[name] = self._make.to(self._make.any(self.pool), kind)

    # What goes both ways.

    def _open(self, counts: Sequence[int]) -> None:
        for _ in range(self._draw.choice(counts)):
            kind = self._make.kind()
            later = wire(kind.declared)
            self._wires.append((kind, later))
            self.pool += leaves(later)

    def _close(self) -> None:
        """Connect the wires, mostly to what instances give: that need not follow from them."""
        wires = [leaf for _, later in self._wires for leaf in leaves(later)]
        rest = [one for one in self.pool if all(one is not other for other in wires)]
        for kind, later in self._wires:
            among = self._draw.choice((self.ends, self._last or self.ends, self._last or rest))
            connect(later, self._given(kind, (), among))

    # Instances.

    def _call(self, name: str, made: _Made, shape: Shape) -> None:
        """One instance, or all of an array of them; some inputs are the same for all of those."""
        arguments, axes = [], []
        for port, kind in made.inputs.items():
            same = bool(shape) and self._draw.rarely(3)
            axes.append(None if same else 0)
            arguments.append(self._argument(port, kind, () if same else shape))
        state = getattr(self._state, name)
        match self._draw.randrange(4):
            case 2:
                on = self._make.condition(self.pool)
                call: Callable[..., Any] = made.module.when(on)
            case 3:
                axes, arguments = [0, *axes], [self._given(_Kind(Bool), shape), *arguments]
                call = lambda held, on, *given: made.module.when(on)(held, *given)  # noqa: E731
            case _:
                call = made.module
        for _ in shape:
            call = vmap(call, in_axes=[0, *axes])
        self.after[name], outputs = call(state, *arguments)
        self._last = leaves(outputs)
        self.ends += self._last
        self.pool += self._last

    def _argument(self, port: str, kind: _Kind, shape: Shape) -> Any:
        if self._wires and isinstance(kind.one, Type) and self._draw.rarely(2):
            whole = kind.one.array(*shape, *kind.shape)
            _, later = self._draw.choice(self._wires)
            return self._make.to(self._make.any([*leaves(later), *self._last]), whole)
        if port == "go" and not self._draw.rarely(4):
            return self._make.to(self._go, Bool.array(*shape))
        return self._given(kind, shape)

    def _given(self, kind: _Kind, shape: Shape, pool: Pool | None = None) -> Any:
        """Values for a port or a wire, made of those of a pool."""
        among = self.pool if pool is None else pool
        whole = (*shape, *kind.shape)
        if isinstance(kind.one, Type):
            return self._make.of_type(kind.one.array(*whole), among)
        parts = [self._given(_Kind(part), whole, among) for part in kind.one.fields_.values()]
        build = kind.one
        for _ in whole:
            build = vmap(build)
        return build(*parts)

    # Memories.

    def _load(self, name: str, bank: _Bank) -> None:
        """Use all read ports."""
        arguments = []
        for port in bank.reads:
            arguments.append(self._address(bank))
            if port == "sync":
                arguments.append(self._given(_Kind(Bool), bank.banks))
        enabled = not self._draw.rarely(2)

        def read(memory: Any, *given: Signal) -> Any:
            found, rest = [], list(given)
            for port in bank.reads:
                address = rest.pop(0)
                enable = rest.pop(0) if port == "sync" else None
                memory, value = memory.read(address, enable if enabled else None)
                found.append(value)
            return memory, found

        self.after[name], values = _each(read, bank.banks)(self.after[name], *arguments)
        self.pool += values

    def _store(self, name: str, bank: _Bank) -> None:
        """Use all write ports."""
        enabled = not self._draw.rarely(8)
        mask = None if bank.group is None else Bits(bank.kind.width // bank.group)
        for _ in range(bank.writes):
            data = self._given(_Kind(bank.kind), bank.banks)
            enable = self._given(_Kind(Bool), bank.banks) & self._go
            masks = () if mask is None else (self._given(_Kind(mask), bank.banks),)

            def write(memory: Any, address: Signal, data: Any, on: Signal, *mask: Signal) -> Any:
                return memory.write(address, data, on if enabled else None, *mask)

            each = _each(write, bank.banks)
            address = self._address(bank)
            self.after[name] = each(self.after[name], address, data, enable, *masks)

    def _address(self, bank: _Bank) -> Signal:
        width = self._draw.choice((2, 3, 1, 4, 0))
        return self._make.to(self._make.any(self.pool), UInt(width).array(*bank.banks))

    # Claims.

    def _claim(self) -> None:
        array = self._make.pick(self.pool, lambda kind: bool(kind.shape))
        if array is None or self._draw.rarely(2):
            self._make.claim(self.pool)
            return

        def each(element: Signal) -> Signal:
            self._make.claim([*self.pool[:2], element])
            return element

        vmap(each)(array)


def _each(f: Callable[..., Any], banks: Shape) -> Callable[..., Any]:
    for _ in banks:
        f = vmap(f)
    return f


def stimulus(of: Program, cycles: int) -> dict[str, Values]:
    """Random inputs, [cycles, ...]: anything, the ends of the range more often, some held.

    The input `go` is 0 in the first cycles, until the reset is over.
    """
    draw = random.Random(of.seed)
    found: dict[str, Values] = {}
    for port, form in of.module.inputs.items():
        rows = [[_element(form, draw) for _ in range(form.size)] for _ in range(cycles)]
        for cycle in range(1, cycles):
            if draw.random() < _HELD:
                rows[cycle] = rows[cycle - 1]
        found[port] = np.array(rows, object).reshape(cycles, *form.shape)
    if "go" in found:
        found["go"][:_QUIET] = 0
    return found


_HELD, _ENDS, _QUIET = 0.2, 0.3, 3


def _element(form: ir.Form, draw: random.Random) -> int:
    if draw.random() < _ENDS:
        return draw.choice((form.low, form.high, 0))
    return draw.randint(form.low, form.high)
