"""The IR as text that reads back.

design  = module*                                    each after those that it uses
module  = "module" NAME "{" line* "}"
line    = "input" NAME ":" form
        | "output" NAME "=" value
        | "reg" NAME ":" form [reset] "<-" value                              at
        | "mem" NAME ":" form "x" INT [numbers] port*                         at
        | "inst" NAME [numbers] ":" NAME "(" given ")" ["when" value]         at
        | "fold" NAME [numbers] "x" INT ":" NAME "(" given ")" carry*         at
        | value "=" OP [data] ["(" value ("," value)* ")"] ":" form           at
        | ("assert" | "assume" | "cover") value STRING                        at
port    = "read" value ["when" value] ["sync"] ["transparent"]
        | "write" value value ["when" value] ["mask" value]
given   = [NAME "=" value ["*"] ("," NAME "=" value ["*"])*]     "*": an element a link
carry   = "carry" NAME "->" NAME
reset   = "=" numbers
at      = ["@" STRING]
form    = ("u" | "s") INT [numbers]
value   = "%" NAME-OR-INT
numbers, data = a list in JSON
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, Literal, cast

from zhufeng.hdl.ir._check import below
from zhufeng.hdl.ir._form import Form
from zhufeng.hdl.ir._module import (
    Claim,
    Data,
    Fold,
    Instance,
    Let,
    Memory,
    Module,
    ReadPort,
    Register,
    WritePort,
)


def print_ir(module: Module) -> str:
    """The text of a module, after those inside it."""
    return "\n".join(_texts(module).values())


def module_names(module: Module) -> dict[int, str]:
    """What each module inside `module`, and it itself, is called, by its `id`.

    Equal ones share a name; of others that are called alike, the later ones get a number.
    """
    modules = below(module)
    names: dict[int, str] = {}
    known: dict[tuple[str, str], str] = {}
    taken = {one.name for one in modules}
    alike: dict[str, Iterator[str]] = {}
    for one in modules:
        body = one.name, "\n".join(_lines(one, names))
        if body not in known:
            wanted = alike.setdefault(one.name, _numbered(one.name, taken))
            known[body] = next(wanted)
        names[id(one)] = known[body]
    return names


def _numbered(name: str, taken: set[str]) -> Iterator[str]:
    """`name`, then `name` with a number behind it, from 2 on; none that is taken."""
    yield name
    for number in count(2):
        found = f"{name}__{number}"
        if found not in taken:
            taken.add(found)
            yield found


def _texts(module: Module) -> dict[str, str]:
    names = module_names(module)
    return {
        names[id(one)]: "\n".join(
            (f"module {names[id(one)]} {{", *(f"  {line}" for line in _lines(one, names)), "}\n")
        )
        for one in below(module)
    }


def _lines(module: Module, names: Mapping[int, str]) -> Iterator[str]:
    for name, form in module.inputs.items():
        yield f"input {name} : {form}"
    for name, register in module.registers.items():
        reset = "" if register.reset is None else f" = {_numbers(register.reset)}"
        yield f"reg {name} : {register.form}{reset} <- %{register.next}{_at(register.where)}"
    for name, memory in module.memories.items():
        yield _memory(name, memory)
    for name, one in module.instances.items():
        when = "" if one.enable is None else f" when %{one.enable}"
        inputs = _given(one.inputs, frozenset())
        called = names[id(one.module)]
        yield f"inst {name}{_shape(one.shape)} : {called}{inputs}{when}{_at(one.where)}"
    for name, fold in module.folds.items():
        carries = "".join(f" carry {taken}->{given}" for taken, given in fold.carries)
        size = f"{_shape(fold.shape)} x {fold.length}"
        inputs = _given(fold.inputs, fold.each)
        called = names[id(fold.module)]
        yield f"fold {name}{size} : {called}{inputs}{carries}{_at(fold.where)}"
    for name, let in module.lets.items():
        data = _numbers(let.data) if let.data else ""
        args = f"({', '.join(f'%{arg}' for arg in let.args)})" if let.args else ""
        yield f"%{name} = {let.op}{data}{args} : {let.form}{_at(let.where)}"
    for claim in module.claims:
        yield f"{claim.kind} %{claim.value} {json.dumps(claim.text)}{_at(claim.where)}"
    for name, value in module.outputs.items():
        yield f"output {name} = %{value}"


def _memory(name: str, memory: Memory) -> str:
    init = "" if memory.init is None else f" {_numbers(memory.init)}"
    ports = "".join((*map(_read, memory.reads), *map(_write, memory.writes)))
    return f"mem {name} : {memory.form} x {memory.depth}{init}{ports}{_at(memory.where)}"


def _read(port: ReadPort) -> str:
    when = "" if port.enable is None else f" when %{port.enable}"
    words = (" sync" if port.sync else "") + (" transparent" if port.transparent else "")
    return f" read %{port.address}{when}{words}"


def _write(port: WritePort) -> str:
    when = "" if port.enable is None else f" when %{port.enable}"
    mask = "" if port.mask is None else f" mask %{port.mask}"
    return f" write %{port.address} %{port.data}{when}{mask}"


def _given(inputs: Mapping[str, str], each: frozenset[str]) -> str:
    one_by_one = (f"{port}=%{value}{'*' * (port in each)}" for port, value in inputs.items())
    return f"({', '.join(one_by_one)})"


def _numbers(data: tuple[Data, ...]) -> str:
    return json.dumps(data, ensure_ascii=False)


def _shape(shape: tuple[int, ...]) -> str:
    return f" {_numbers(shape)}" if shape else ""


def _at(where: str) -> str:
    return f" @{json.dumps(where, ensure_ascii=False)}" if where else ""


class IrTextError(Exception):
    """Text that is no IR; names the line."""


_TOKEN = re.compile(
    r"""\s+ | (?P<token> "(?:[^"\\]|\\.)*" | -?\d\w* | \w+ | -> | <- | [%{}()\[\]:=,@*] )""",
    re.VERBOSE,
)


def parse_ir(text: str) -> Module:
    """The last module of a text that `print_ir` has written.

    Raises:
        IrTextError: it is none.
    """
    parser = _Parser(text)
    modules: dict[str, Module] = {}
    while parser.next:
        module = parser.module(modules)
        modules[module.name] = module
    if not modules:
        raise IrTextError("no module")
    return modules[module.name]


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    @property
    def next(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        token = self.next
        self._at += 1
        return token

    def expect(self, wanted: str) -> None:
        line = self._tokens[min(self._at, len(self._tokens) - 1)][1]
        came = self.take()
        if came != wanted:
            raise IrTextError(f"line {line}: expected '{wanted}', came '{came}'")

    def accept(self, wanted: str) -> bool:
        if self.next != wanted:
            return False
        self._at += 1
        return True

    def module(self, known: Mapping[str, Module]) -> Module:
        self.expect("module")
        name = self.take()
        parts: dict[str, dict[str, Any]] = {
            key: {} for key in ("input", "output", "reg", "mem", "inst", "fold", "let")
        }
        claims: list[Claim] = []
        self.expect("{")
        while not self.accept("}"):
            self._line(parts, claims, known)
        return Module(
            name,
            parts["input"],
            parts["output"],
            parts["let"],
            parts["reg"],
            parts["mem"],
            parts["inst"],
            parts["fold"],
            tuple(claims),
        )

    def _line(
        self, parts: dict[str, dict[str, Any]], claims: list[Claim], known: Mapping[str, Module]
    ) -> None:
        match word := self.take():
            case "%":
                name = self.take()
                self.expect("=")
                parts["let"][name] = self._let()
            case "assert" | "assume" | "cover":
                claims.append(self._claim(word))
            case "input" | "output" | "reg" | "mem" | "inst" | "fold":
                name = self.take()
                read: dict[str, Callable[[], Any]] = {
                    "input": self._form_after,
                    "output": self._output,
                    "reg": self._register,
                    "mem": self._memory,
                    "inst": lambda: self._instance(known),
                    "fold": lambda: self._fold(known),
                }
                parts[word][name] = read[word]()
            case _:
                line = self._tokens[self._at - 1][1] if self._at <= len(self._tokens) else "last"
                raise IrTextError(f"line {line}: '{word}' begins no line")

    def _form_after(self) -> Form:
        self.expect(":")
        return self._form()

    def _form(self) -> Form:
        token = self.take()
        if not re.fullmatch(r"[us]\d+", token):
            raise IrTextError(f"'{token}' is no form")
        shape = self._json() if self.next == "[" else ()
        return Form(int(token[1:]), token[0] == "s", cast("tuple[int, ...]", shape))

    def _output(self) -> str:
        self.expect("=")
        return self._value()

    def _value(self) -> str:
        self.expect("%")
        return self.take()

    def _json(self) -> tuple[Data, ...]:
        self.expect("[")
        items: list[Data] = []
        while not self.accept("]"):
            items.append(self._json() if self.next == "[" else json.loads(self.take()))
            self.accept(",")
        return tuple(items)

    def _ints(self) -> tuple[int, ...]:
        return cast("tuple[int, ...]", self._json())

    def _where(self) -> str:
        return str(json.loads(self.take())) if self.accept("@") else ""

    def _when(self) -> str | None:
        return self._value() if self.accept("when") else None

    def _let(self) -> Let:
        op = self.take()
        data = self._json() if self.next == "[" else ()
        args: list[str] = []
        if self.accept("("):
            while not self.accept(")"):
                args.append(self._value())
                self.accept(",")
        return Let(op, self._form_after(), tuple(args), data, self._where())

    def _claim(self, kind: str) -> Claim:
        value, text = self._value(), str(json.loads(self.take()))
        known = cast('Literal["assert", "assume", "cover"]', kind)
        return Claim(known, value, text, self._where())

    def _register(self) -> Register:
        form = self._form_after()
        reset = self._ints() if self.accept("=") else None
        self.expect("<-")
        return Register(form, reset, self._value(), self._where())

    def _memory(self) -> Memory:
        form = self._form_after()
        self.expect("x")
        depth = int(self.take())
        init = self._ints() if self.next == "[" else None
        reads: list[ReadPort] = []
        writes: list[WritePort] = []
        while self.next in ("read", "write"):
            if self.take() == "read":
                reads.append(
                    ReadPort(
                        self._value(), self._when(), self.accept("sync"), self.accept("transparent")
                    )
                )
            else:
                mask = None
                address, data, when = self._value(), self._value(), self._when()
                if self.accept("mask"):
                    mask = self._value()
                writes.append(WritePort(address, data, when, mask))
        return Memory(form, depth, init, tuple(reads), tuple(writes), self._where())

    def _given(self) -> tuple[dict[str, str], frozenset[str]]:
        inputs: dict[str, str] = {}
        each = set()
        self.expect("(")
        while not self.accept(")"):
            port = self.take()
            self.expect("=")
            inputs[port] = self._value()
            if self.accept("*"):
                each.add(port)
            self.accept(",")
        return inputs, frozenset(each)

    def _of(self, known: Mapping[str, Module]) -> Module:
        self.expect(":")
        name = self.take()
        if name not in known:
            raise IrTextError(f"no module '{name}' above")
        return known[name]

    def _instance(self, known: Mapping[str, Module]) -> Instance:
        shape = self._ints() if self.next == "[" else ()
        module = self._of(known)
        inputs, _ = self._given()
        return Instance(module, inputs, shape, self._when(), self._where())

    def _fold(self, known: Mapping[str, Module]) -> Fold:
        shape = self._ints() if self.next == "[" else ()
        self.expect("x")
        length = int(self.take())
        module = self._of(known)
        inputs, each = self._given()
        carries = []
        while self.accept("carry"):
            taken = self.take()
            self.expect("->")
            carries.append((taken, self.take()))
        return Fold(module, inputs, length, tuple(carries), each, shape, self._where())


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Each token with its line."""
    for number, line in enumerate(text.splitlines(), start=1):
        at = 0
        while at < len(line):
            found = _TOKEN.match(line, at)
            if found is None:
                raise IrTextError(f"line {number}: '{line[at]}' is nothing")
            at = found.end()
            if found["token"]:
                yield found["token"], number
