"""Modules: functions that are traced once and then called as hardware."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, TypeVar

from zhufeng.hdl import ir
from zhufeng.hdl._memory import Memory, finished_memory
from zhufeng.hdl._scope import (
    HdlError,
    Levels,
    Scope,
    entered,
    named_locals,
    scope,
    sizes,
    together,
    where,
    wrong,
)
from zhufeng.hdl._signal import Signal, local, physical, spread_array
from zhufeng.hdl._struct import (
    AnyType,
    Inside,
    Mem,
    Reg,
    State,
    Struct,
    assembled,
    fit,
    flatten,
    leaves_of,
)
from zhufeng.hdl._types import Type

S = TypeVar("S", bound=State)
O = TypeVar("O")  # noqa: E741 (what comes out)
O_co = TypeVar("O_co", covariant=True)
P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class _Shape:
    """What a function gave when it was traced: the names of its signals, and how to remake it."""

    leaves: Mapping[str, Type]
    rebuild: Callable[[Sequence[Any]], Any]


class _Traced(Generic[F]):
    """A function that has become a module of the IR."""

    def __init__(self, step: F, inputs: Mapping[str, AnyType], made: ir.Module, out: _Shape):
        self.step = step
        self.name = made.name
        self.inputs = inputs
        self.ir = made
        self.out = out

    def arguments(self, values: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Signal]:
        """The signals of a call, by port."""
        given = {**dict(zip(self.inputs, values, strict=False)), **named}
        if given.keys() != self.inputs.keys() or len(values) + len(named) != len(given):
            raise wrong(
                f"the inputs of {self.name}",
                expected=", ".join(self.inputs) or "none",
                came=", ".join((*(f"number {n}" for n in range(len(values))), *named)) or "none",
                do="give each of them once",
            )
        found: dict[str, Signal] = {}
        for port, kind in self.inputs.items():
            leaves, _ = flatten(fit(given[port], kind, f"input {port} of {self.name}"))
            found |= dict(zip(leaves_of(kind, port), map(local, leaves), strict=True))
        return found

    def placed(self, name: str, inputs: Mapping[str, Signal], levels: Levels, enable: Any) -> Any:
        """An instance in the module under trace; what it gives."""
        here = scope()
        values = {port: spread_array(one, levels) for port, one in inputs.items()}
        here.instances[name] = ir.Instance(self.ir, values, sizes(levels), enable, where())
        ports = [
            Signal(here, here.add("port", physical(kind, levels), (), (name, port)), kind, levels)
            for port, kind in self.out.leaves.items()
        ]
        return self.out.rebuild(ports)


class Module(_Traced[Callable[Concatenate[S, P], tuple[S, O_co]]], Generic[S, P, O_co]):
    """Hardware with state. Called in another module with the field that holds it."""

    def __call__(self, state: S, *values: P.args, **named: P.kwargs) -> tuple[S, O_co]:
        """One cycle: the next state of that field, and the outputs."""
        called: tuple[S, O_co] = self._called(state, values, named, None)
        return called

    def when(self, enable: Signal) -> Callable[Concatenate[S, P], tuple[S, O_co]]:
        """As a call, but while `enable` is 0 nothing in it changes."""

        def call(state: S, /, *values: P.args, **named: P.kwargs) -> tuple[S, O_co]:
            called: tuple[S, O_co] = self._called(state, values, named, enable)
            return called

        return call

    def _called(self, state: Any, values: Any, named: Any, enable: Signal | None) -> Any:
        held = _current(state, self)
        inputs = self.arguments(values, named)
        if enable is not None:
            enable = local(fit(enable, Type("Bool", 1), f"the enable of {held.name}"))
        on_levels = () if enable is None else enable.levels
        used = together(*(one.levels for one in inputs.values()), on_levels)
        if not set(used) <= set(held.levels):
            raise wrong(
                f"{held.name}, one instance, is called once for each of {used[-1].size} elements",
                expected="an array of instances",
                came="one",
                do=f"declare it as instance({self.name}, {used[-1].size}), and vmap over it too",
            )
        on = None if enable is None else spread_array(enable, held.levels)
        outputs = self.placed(held.name, inputs, held.levels, on)
        return replace(held, done=True), outputs


class Function(_Traced[Callable[P, O_co]], Generic[P, O_co]):
    """Hardware without state. Each call in a module is an instance of its own."""

    def __call__(self, *values: P.args, **named: P.kwargs) -> O_co:
        """What it gives."""
        inputs = self.arguments(values, named)
        levels = together(*(one.levels for one in inputs.values()))
        outputs: O_co = self.placed(scope().part_name(self.name), inputs, levels, None)
        return outputs


def inline(traced: _Traced[F]) -> F:
    """The function of a module itself: a call becomes a part of the module under trace.

    Its state is then made of the caller's own values, and it may be called any number of times:
    ``after, out = inline(counter)(Count(n=s.n), x)``.
    """
    return traced.step


@dataclass(frozen=True)
class Held:
    """An instance inside the module under trace: its state is its own."""

    scope: Scope
    name: str
    declared: Inside
    shape: tuple[int, ...]
    levels: Levels = ()
    done: bool = False

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise wrong(
            f"{self.name}.{name}",
            expected="outputs of the instance",
            came="a look into its state",
            do="give the module an output for it",
        )


def _current(state: Any, module: Module[Any, Any, Any]) -> Held:
    """The instance that a call is of."""
    if not isinstance(state, Held) or state.scope is not scope():
        raise wrong(
            f"a call of {module.name}",
            expected="the field of this module's state that holds it, as it is now",
            came=type(state).__name__,
            do=f"declare a field with instance({module.name}) and give it: {module.name}(s.field)",
        )
    if state.declared.module is not module:
        raise wrong(
            f"a call of {module.name} on {state.name}",
            expected=f"the module that it holds, {state.declared.module.name}",
            came=module.name,
            do="call that one, or declare the field anew",
        )
    if state.done or state.name in scope().instances:
        raise wrong(
            f"{state.name} is called twice in a cycle",
            expected="at most one call",
            came="another",
            do="declare an instance for each call, or choose its inputs with mux",
        )
    if state.shape:
        raise wrong(
            f"a call of {module.name} on an array of {list(state.shape)}",
            expected="one instance",
            came="an array of them",
            do=f"write vmap({module.name})(s.{state.name}, ...)",
        )
    return state


def module(
    state: type[S], **inputs: AnyType
) -> Callable[[Callable[Concatenate[S, P], tuple[S, O]]], Module[S, P, O]]:
    """Trace a function ``step(state, inputs...) -> (next state, outputs)`` into a module.

    Args:
        state: the class of its state.
        inputs: the type of each input, by its name.

    Raises:
        HdlError: it describes no hardware; the text names the line.
    """

    def traced(step: Callable[Concatenate[S, P], tuple[S, O]]) -> Module[S, P, O]:
        made, out = _trace(step, state, inputs)
        return Module(step, inputs, made, out)

    return traced


def function(**inputs: AnyType) -> Callable[[Callable[P, O]], Function[P, O]]:
    """Trace a function ``f(inputs...) -> outputs`` into a module without state.

    Args:
        inputs: the type of each input, by its name.

    Raises:
        HdlError: as `module`.
    """

    def traced(step: Callable[P, O]) -> Function[P, O]:
        made, out = _trace(step, None, inputs)
        return Function(step, inputs, made, out)

    return traced


def _trace(
    step: Callable[..., Any], state: type[State] | None, inputs: Mapping[str, AnyType]
) -> tuple[ir.Module, _Shape]:
    here = Scope(step.__name__)
    with entered(here), named_locals(_namer(here)):
        ports = {port: input_of(kind, port) for port, kind in inputs.items()}
        if state is None:
            outputs = step(**ports)
        else:
            now = {name: _held(name, one) for name, one in state.fields_.items()}
            result = step(state.rebuilt(now), **ports)
            outputs = _next_state(step.__name__, state, result)
        out = shape_of(outputs, step.__name__)
        values = [local(one) for one in flatten(outputs)[0]]
        for one in values:
            if one.levels:
                raise _escaped(one)
    given = dict(zip(out.leaves, (one.value for one in values), strict=True))
    return finished(here, given), out


def _escaped(one: Signal) -> HdlError:
    return HdlError(
        f"{one.scope.name}: a value of {one.type} has escaped from vmap",
        expected="what vmap returns",
        came="an element of it, kept elsewhere",
        do="return it from the function that vmap calls",
    )


def _namer(here: Scope) -> Callable[[str, object], None]:
    def visit(name: str, value: object) -> None:
        if name.startswith("_"):
            return
        if isinstance(value, Signal) and value.scope is here:
            here.call_it(value.value, name)
        elif isinstance(value, Struct):
            for field in value.fields_:
                visit(f"{name}_{field}", getattr(value, field))

    return visit


def input_of(kind: AnyType, name: str) -> Any:
    """The signals of an input of the module under trace."""
    here = scope()
    signals = []
    for port, leaf in leaves_of(kind, name).items():
        here.inputs[port] = leaf.form
        signals.append(Signal(here, here.add("input", leaf.form, data=(port,)), leaf))
    return assembled(kind, signals)


def _held(name: str, declared: Any) -> Any:
    here = scope()
    match declared:
        case Reg(kind):
            return Signal(here, here.add("register", kind.form, data=(name,)), kind)
        case Mem(banks=banks):
            return Memory(here, name, declared, banks)
        case _:
            return Held(here, name, declared, declared.shape)


def _next_state(name: str, state: type[State], result: Any) -> Any:
    match result:
        case (State() as after, outputs) if isinstance(after, state):
            pass
        case _:
            raise wrong(
                f"what {name} returns",
                expected=f"({state.__name__}(...), outputs)",
                came=type(result).__name__,
                do="return the next state and the outputs",
            )
    here = scope()
    for field, declared in state.fields_.items():
        value = getattr(after, field)
        match declared:
            case Reg(kind, reset):
                here.registers[field] = ir.Register(kind.form, reset, value.value, where())
            case Mem():
                here.memories[field] = finished_memory(value, field, declared)
            case _:
                _check_stored(value, field)
    return outputs


def _check_stored(value: Any, field: str) -> None:
    if not isinstance(value, Held) or value.name != field or value.shape != value.declared.shape:
        raise wrong(
            f"the field {field} of the next state",
            expected=f"what the call on s.{field} returned",
            came=value.name if isinstance(value, Held) else type(value).__name__,
            do=f"store the state of each instance where it came from: {field}={field}",
        )
    called = field in scope().instances
    if called != value.done:
        raise wrong(
            f"the field {field} of the next state",
            expected=f"what the call on s.{field} returned",
            came="its state of before the call",
            do=f"write {field}, out = module(s.{field}, ...) and return {field}={field}",
        )


def shape_of(value: Any, name: str) -> _Shape:
    """The signals that a function gives, by name."""
    if isinstance(value, Signal):
        return _Shape({"out": value.type}, lambda leaves: leaves[0])
    if not isinstance(value, Struct):
        raise wrong(
            f"the outputs of {name}",
            expected="a signal or a Struct",
            came=type(value).__name__,
            do="define a Struct with a field for each output",
        )
    leaves: dict[str, Type] = {}

    def gather(one: Struct, prefix: str) -> None:
        for field in one.fields_:
            part = getattr(one, field)
            if isinstance(part, Struct):
                gather(part, f"{prefix}{field}_")
            else:
                leaves[prefix + field] = part.type

    gather(value, "")
    return _Shape(leaves, flatten(value)[1])


def finished(here: Scope, outputs: Mapping[str, str]) -> ir.Module:
    """The module that a scope has become.

    Raises:
        HdlError: a wire is open, or values follow from themselves.
    """
    for name in here.unconnected():
        here.resolve(name)
    called = here.names()

    def name_of(value: str) -> str:
        return called[here.resolve(value)]

    lets = {
        called[name]: replace(let, args=tuple(map(name_of, let.args)))
        for name, let in here.lets.items()
        if name in called
    }
    traced = ir.Module(
        here.name,
        here.inputs,
        outputs,
        {},
        here.registers,
        here.memories,
        here.instances,
        here.folds,
        tuple(here.claims),
    )
    made = traced.revalued(lets, name_of)
    ir.check(made)
    try:
        ir.port_graph(made)
    except ir.CycleError as error:
        raise HdlError(
            f"{error.module.name}: a value follows from itself within a cycle",
            expected="a register on every way round",
            came=" <- ".join(error.path),
            do="put a register on the way, or make one side independent of the other",
        ) from None
    return made
