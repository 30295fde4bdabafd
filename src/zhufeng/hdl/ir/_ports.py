"""Which outputs follow from which inputs in the same cycle, and cycles among them.

Judged on whole ports: an array is one port.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from zhufeng.hdl.ir._module import Fold, Instance, Memory, Module

Reaches = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class _Order:
    reached: Reaches
    ports: Reaches
    cones: dict[str, tuple[str, ...]] = field(default_factory=dict)


_KNOWN: WeakKeyDictionary[Module, _Order] = WeakKeyDictionary()


class CycleError(Exception):
    """Values that follow from themselves; `path` is the way round, by name and line."""

    def __init__(self, module: Module, path: list[str]) -> None:
        super().__init__(f"a combinational cycle in {module.name}")
        self.module = module
        self.path = path


def port_graph(module: Module) -> Reaches:
    """For each output, the inputs that it depends on within a cycle.

    Raises:
        CycleError: a value depends on itself.
    """
    return _order(module).ports


def order(module: Module) -> tuple[str, ...]:
    """All values, each after those of which it is made in the same cycle.

    Raises:
        CycleError: as `port_graph`.
    """
    return tuple(_order(module).reached)


def cone(module: Module, value: str) -> tuple[str, ...]:
    """A value and all of which it is made within a cycle, in the order of `order`."""
    known = _order(module)
    if value not in known.cones:
        wanted, waiting = {value}, [value]
        while waiting:
            new = set(operands(module, waiting.pop())) - wanted
            wanted |= new
            waiting += new
        known.cones[value] = tuple(name for name in known.reached if name in wanted)
    return known.cones[value]


def _order(module: Module) -> _Order:
    if module not in _KNOWN:
        reached = _reached(module)
        ports = {port: reached[value] for port, value in module.outputs.items()}
        _KNOWN[module] = _Order(reached, ports)
    return _KNOWN[module]


def _reached(module: Module) -> dict[str, frozenset[str]]:
    """The inputs that each value depends on, in an order in which they can be computed."""
    before = {name: list(operands(module, name)) for name in module.lets}
    reached: dict[str, frozenset[str]] = {}
    for root in module.lets:
        # Depth first, by hand: designs are deeper than Python's stack.
        path: dict[str, Iterator[str]] = {}
        if root not in reached:
            path[root] = iter(before[root])
        while path:
            name = next(reversed(path))
            after = next(path[name], None)
            if after is None:
                del path[name]
                reached[name] = _own(module, name).union(*(reached[one] for one in before[name]))
            elif after in path:
                raise CycleError(module, _round(module, list(path), after))
            elif after not in reached:
                path[after] = iter(before[after])
    return reached


def _own(module: Module, name: str) -> frozenset[str]:
    let = module.lets[name]
    return frozenset({str(let.data[0])} if let.op == "input" else ())


def _round(module: Module, path: list[str], again: str) -> list[str]:
    way = [*path[path.index(again) :], again]
    return [f"{_called(module, name)} ({module.lets[name].where})" for name in reversed(way)]


def _called(module: Module, name: str) -> str:
    let = module.lets[name]
    return ".".join(map(str, let.data)) if let.op == "port" else name


def operands(module: Module, name: str) -> Iterator[str]:
    """The values of which a value is made in the same cycle."""
    let = module.lets[name]
    match let.op, *let.data:
        case "port", str(part), str(port) if part in module.instances:
            yield from _of_instance(module.instances[part], port)
        case "port", str(part), str(port):
            yield from _of_fold(module.folds[part], port)
        case "read", str(memory), int(number):
            yield from _of_memory(module.memories[memory], number)
        case _:
            yield from let.args


def _of_instance(instance: Instance, port: str) -> Iterator[str]:
    for one in sorted(port_graph(instance.module)[port]):
        yield instance.inputs[one]


def _of_fold(fold: Fold, port: str) -> Iterator[str]:
    inner = port_graph(fold.module)
    for one in sorted({taken for given in links(fold, port) for taken in inner[given]}):
        yield fold.inputs[one]


def links(fold: Fold, port: str) -> frozenset[str]:
    """The outputs of a link that an output of the fold needs of the links before it, and itself."""
    inner = port_graph(fold.module)
    feeds = dict(fold.carries)
    waiting, seen = [port], {port}
    while waiting:
        given = {feeds[taken] for taken in inner[waiting.pop()] if taken in feeds}
        waiting += given - seen
        seen |= given
    return frozenset(seen)


def _of_memory(memory: Memory, number: int) -> Iterator[str]:
    read = memory.reads[number]
    if read.sync:
        return
    yield read.address
    if read.transparent:
        for write in memory.writes:
            yield from (write.address, write.data)
            yield from (one for one in (write.enable, write.mask) if one is not None)
