"""From bits of nets to values of the IR."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zhufeng.base import InputError
from zhufeng.hdl.ir import BIT, Form
from zhufeng.hdl.reader._builder import Builder
from zhufeng.hdl.reader._netlist import Bit, Bits, Netlist


@dataclass(frozen=True)
class _Run:
    """Neighbouring bits of one value, or of a constant."""

    value: str
    """Empty for a constant."""
    low: int
    """The place of the lowest bit; the number itself of a constant."""
    width: int

    def continued(self, value: str, place: int) -> bool:
        """Whether that is the next bit of the same."""
        return value == self.value and (not value or place == self.low + self.width)


class Words(Builder):
    """Values that are looked up by the bits they drive."""

    def __init__(self, netlist: Netlist) -> None:
        super().__init__()
        self.netlist = netlist
        self._places: dict[Bit, tuple[str, int]] = {}
        self._widths: dict[str, int] = {}
        self._known: dict[Bits, str] = {}
        self._called: dict[str, str] = {}
        self._titles = _titles(netlist)

    def title(self, bits: Bits) -> str | None:
        """What the Verilog calls these bits, if it gives all of them together a name."""
        return self._titles.get(bits)

    def drive(self, bits: Bits, value: str, where: str) -> None:
        """From now on these bits are those of a value.

        Raises:
            InputError: something else drives them too.
        """
        self._widths[value] = len(bits)
        self._known[bits] = value
        for place, bit in enumerate(bits):
            if bit in self._places or isinstance(bit, str):
                raise InputError(
                    f"{self.netlist.named(bit)} in {self.netlist.title} ({where})",
                    expected="one driver",
                    came="two: they are tied together",
                    do="choose between them with a condition",
                )
            self._places[bit] = value, place

    def declare(self, bits: Bits, where: str) -> str:
        """A name for the value that drives these bits, made later."""
        title = self.title(bits)
        value = self._new(title) if title else str(next(self._numbers))
        self.drive(bits, value, where)
        return value

    def word(self, bits: Bits) -> str:
        """The value of some bits, lowest first."""
        if bits not in self._known:
            value, title = self._joined(bits), self.title(bits)
            if title and value not in self._widths and self.lets[value].op != "const":
                made = self.lets.pop(value)
                value = self.add(made, self._new(title))
            self._known[bits] = value
        return self._known[bits]

    def _new(self, title: str) -> str:
        name = self.names.new(title)
        self._called[name] = title
        return name

    def bit(self, bit: Bit) -> str:
        """The value of one bit."""
        return self.word((bit,))

    def signed(self, bits: Bits) -> str:
        """The value of some bits, read as a number with a sign."""
        return self.wrap(self.word(bits), Form(len(bits), signed=True))

    def call(self, bits: Bits, title: str) -> None:
        """Have a value of some bits that is called `title`."""
        value = self.word(bits)
        if self._called.get(value) != title:
            self.add(self.let("wrap", Form(len(bits)), value), self.names.new(title))

    def _joined(self, bits: Bits) -> str:
        form, copies = Form(len(bits)), _copies(bits)
        if 1 < copies == len(bits) and isinstance(bits[0], int):
            return self.wrap(self.signed(bits[:1]), form)
        if copies > 1 and isinstance(bits[-1], int):
            return self.wrap(self.signed(bits[: len(bits) - copies + 1]), form)
        runs = list(self._runs(bits))
        if len(runs) > 1 and not runs[-1].value and not runs[-1].low:
            return self.wrap(self.word(bits[: len(bits) - runs[-1].width]), form)
        parts = [self._part(run) for run in reversed(runs)]
        return parts[0] if len(parts) == 1 else self.make("cat", form, *parts)

    def _part(self, run: _Run) -> str:
        if not run.value:
            return self.constant(run.low, Form(run.width))
        if (run.low, run.width) == (0, self._widths[run.value]):
            return run.value
        return self.make("bits", Form(run.width), run.value, data=(run.low,))

    def _runs(self, bits: Bits) -> Iterator[_Run]:
        found: _Run | None = None
        for bit in bits:
            value, place = self._place(bit)
            if found is not None and found.continued(value, place):
                low = found.low if value else found.low | place << found.width
                found = _Run(value, low, found.width + 1)
            else:
                yield from () if found is None else (found,)
                found = _Run(value, place, 1)
        assert found is not None
        yield found

    def _place(self, bit: Bit) -> tuple[str, int]:
        """A value and the place in it; of a constant its number. What nothing drives is 0."""
        return self._places.get(bit, ("", int(bit == "1")))

    def to_bit(self, value: str, width: int) -> str:
        """Whether any bit of a value is 1."""
        return value if width == 1 else self.make("any", BIT, value)


def _copies(bits: Bits) -> int:
    """How many at the upper end are the same."""
    copies = 0
    while copies < len(bits) and bits[-1 - copies] == bits[-1]:
        copies += 1
    return copies


def _titles(netlist: Netlist) -> dict[Bits, str]:
    """The name of bits: a port's first, then one without a path, then a short one."""
    named = [(name, net) for name, net in netlist.nets.items() if not net.hidden]
    named.sort(key=lambda one: (one[0] not in netlist.ports, "." in one[0], len(one[0]), one[0]))
    found: dict[Bits, str] = {}
    for name, net in named:
        found.setdefault(net.bits, name)
    return found
