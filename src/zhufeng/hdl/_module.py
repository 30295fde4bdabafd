"""Modules: functions that are traced once and then called as hardware."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Concatenate, Generic, Never, NoReturn, ParamSpec, TypeVar

from zhufeng.hdl import ir
from zhufeng.hdl._memory import Memory, finished_memory
from zhufeng.hdl._refusals import OF_INSTANCES, refuse
from zhufeng.hdl._scope import (
    HdlError,
    Levels,
    Scope,
    entered,
    named_locals,
    scope,
    sizes,
    together,
    told,
    where,
    wrong,
)
from zhufeng.hdl._signal import Signal, fitted, local, physical, spread_array
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
    given_as,
    leaves_of,
    need_declared,
    need_type,
    told_whole,
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
        scope()
        given = {**dict(zip(self.inputs, values, strict=False)), **named}
        if given.keys() != self.inputs.keys() or len(values) + len(named) != len(given):
            raise wrong(
                f"the inputs of {self.name}",
                expected=", ".join(self.inputs) or "none",
                came=given_as(values, named),
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

    has_state = True

    def __call__(self, state: S, /, *values: P.args, **named: P.kwargs) -> tuple[S, O_co]:
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

    def __call__(self, /, *values: P.args, **named: P.kwargs) -> O_co:
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
    if not isinstance(traced, _Traced):
        raise wrong(
            "inline",
            expected="what @module or @function has made",
            came=told(traced),
            do="call a plain function as it is; it is traced into the caller anyway",
        )
    return traced.step


@dataclass(frozen=True)
class Held:
    """An instance inside the module under trace: its state is its own."""

    told_: ClassVar[str] = "the state of an instance"
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


refuse(Held, OF_INSTANCES)


def _current(state: Any, module: Module[Any, Any, Any]) -> Held:
    """The instance that a call is of."""
    if not isinstance(state, Held) or state.scope is not scope():
        do = f"declare a field with instance({module.name}) and give it: {module.name}(s.field)"
        if isinstance(state, Held) and state.scope in scope().around():
            do = "vmap over an array of instances: a link of fold holds no state"
        raise wrong(
            f"a call of {module.name}",
            expected="the field of this module's state that holds it, as it is now",
            came=told(state),
            do=do,
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
    state: type[S], /, **inputs: AnyType
) -> Callable[[Callable[Concatenate[S, P], tuple[S, O]]], Module[S, P, O]]:
    """Trace a function ``step(state, inputs...) -> (next state, outputs)`` into a module.

    Args:
        state: the class of its state.
        inputs: the type of each input, by its name.

    Raises:
        HdlError: it describes no hardware; the text names the line.
    """

    _need_state(state)

    def traced(step: Callable[Concatenate[S, P], tuple[S, O]]) -> Module[S, P, O]:
        made, out = _trace(step, state, inputs)
        return Module(step, inputs, made, out)

    return traced


def _need_state(state: object) -> None:
    if not isinstance(state, type) or not issubclass(state, State):
        raise wrong(
            "@module",
            expected="the class of its state, then the type of each input",
            came=told(state),
            do="write @module(S, x=UInt(8)), S derived from State; @function has no state",
        )
    need_declared(state, "reg(UInt(8), reset=0)")


def function(*given: Never, **inputs: AnyType) -> Callable[[Callable[P, O]], Function[P, O]]:
    """Trace a function ``f(inputs...) -> outputs`` into a module without state.

    Args:
        inputs: the type of each input, by its name.

    Raises:
        HdlError: as `module`.
    """
    if given:
        raise wrong(
            "@function",
            expected="the type of each input, by name",
            came=", ".join(map(told, given)),
            do="write @function(x=UInt(8)) before a function of x",
        )

    def traced(step: Callable[P, O]) -> Function[P, O]:
        made, out = _trace(step, None, inputs)
        return Function(step, inputs, made, out)

    return traced


def _trace(
    step: Callable[..., Any], state: type[State] | None, inputs: Mapping[str, AnyType]
) -> tuple[ir.Module, _Shape]:
    _need_function(step, state, inputs)
    here = Scope(step.__name__, fields=() if state is None else state.fields_)
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
    given = dict(zip(out.leaves, (one.value for one in values), strict=True))
    return finished(here, given), out


def _need_function(
    step: Callable[..., Any], state: type[State] | None, inputs: Mapping[str, AnyType]
) -> None:
    """Refuse what cannot be traced with these inputs."""
    name = getattr(step, "__name__", "")
    for one in (name, *inputs):
        if not (one.isascii() and one.isidentifier()):
            raise wrong(
                f"an input of {name}" if one in inputs else "the name of a module",
                expected="a name of the letters a to z, digits and _",
                came=one or told(step),
                do="define a function with def, and call it and its inputs so",
            )
    for port, kind in inputs.items():
        need_type(kind, f"input {port} of {name}")
    taken = inspect.signature(step)
    try:
        taken.bind(*([] if state is None else [state]), **inputs)
    except TypeError:
        raise wrong(
            f"the arguments of {name}",
            expected=", ".join((*([] if state is None else ["the state"]), *inputs)) or "none",
            came=", ".join(taken.parameters) or "none",
            do="declare the type of each input: @function(x=UInt(8)), @module(S, x=UInt(8))",
        ) from None


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
        if port in here.inputs:
            raise wrong(
                f"input {port} of {here.name}",
                expected="names that differ",
                came="an input and a field of another one that are called so",
                do="rename one of them",
            )
        _, value = here.input(port, leaf.form)
        signals.append(Signal(here, value, leaf))
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
                came=told_whole(result),
                do="return the next state and the outputs, an empty Struct if there are none",
            )
    here = scope()
    for field, declared in state.fields_.items():
        value = getattr(after, field)
        match declared:
            case Reg(kind, reset):
                after_it = fitted(value, kind, f"{state.__name__}.{field}")
                here.registers[field] = ir.Register(kind.form, reset, after_it.value, where())
            case Mem():
                here.memories[field] = finished_memory(value, field, declared)
            case _:
                _check_stored(value, field)
    return outputs


def _check_stored(value: Any, field: str) -> None:
    if (
        not isinstance(value, Held)
        or value.scope is not scope()
        or (value.name, value.shape) != (field, value.declared.shape)
    ):
        raise wrong(
            f"the field {field} of the next state",
            expected=f"what the call on s.{field} returned",
            came=_told_held(value, field),
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


def _told_held(value: Any, field: str) -> str:
    if not isinstance(value, Held):
        return told(value)
    if value.scope is not scope():
        return f"{value.name} of {value.scope.name}"
    return "one of an array of instances" if value.name == field else f"s.{value.name}"


def shape_of(value: Any, name: str) -> _Shape:
    """The signals that a function gives, by name."""
    if isinstance(value, Signal):
        return _Shape({"out": value.type}, lambda leaves: leaves[0])
    if not isinstance(value, Struct):
        raise wrong(
            f"the outputs of {name}",
            expected="a signal or a Struct",
            came=told(value),
            do="make a constant of it: const(UInt(8), 3)"
            if isinstance(value, int)
            else "return a Struct with a field for each output, an empty one for none",
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
    for name in here.wires():
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
