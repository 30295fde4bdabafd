"""A simulation that goes on a cycle at a time, as somebody asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from zhufeng.base import InputError
from zhufeng.hdl.compile._batch import Claims, covered_by, failures_of, no_claims
from zhufeng.hdl.compile._data import Bytes, aligned, packed, unpacked
from zhufeng.hdl.compile._given import fits_any
from zhufeng.hdl.compile._state import State
from zhufeng.hdl.interpret import Failure, Values, dtype
from zhufeng.hdl.ir import Form

if TYPE_CHECKING:
    from zhufeng.hdl.compile._layout import Room
    from zhufeng.hdl.compile._simulator import Simulator

_WORD = 64


class Session:
    """What goes on in some lanes, a cycle at a time.

    >>> session = simulator.session()
    >>> session.set("push", 1)
    >>> session.step()["full"]

    Inputs stay as they are until they are set again, and are 0 at the start. `step` gives the
    outputs of the cycle that it ends: what they were, with those inputs, just before the clock's
    edge.
    """

    def __init__(
        self, simulator: Simulator, recorded: Mapping[str, str], start: State, width: int
    ) -> None:
        """As `Simulator.session` makes it; `recorded` are the outputs of what is recorded."""
        self._module = simulator.module
        self._keeping = simulator.keeping
        self._recorded = recorded
        self.lanes = start.lanes
        """How many simulations."""
        self.cycle = start.cycle
        """How many cycles they have behind them."""
        self._rows = [
            _Row(simulator, batch, min(width, start.lanes - number * width))
            for number, batch in enumerate(simulator.keeping.taken(start))
        ]
        self._width = width

    def set(self, port: str, values: ArrayLike) -> None:
        """Give an input.

        Args:
            port: its name.
            values: integers that fit: as the port has them, for all lanes, or [lanes, ...].

        Raises:
            InputError: there is no such input, or the values do not fit.
        """
        form = self._module.inputs.get(port)
        if form is None:
            raise InputError(
                f"an input of {self._module.name}",
                expected=", ".join(self._module.inputs) or "none",
                came=repr(port),
                do="name an input",
            )
        if not form.shape and type(values) is int and form.low <= values <= form.high:
            for row in self._rows:
                row.fill(port, values)
            return
        every = self._checked(port, form, values)
        for number, row in enumerate(self._rows):
            row.put(port, every[number * self._width : (number + 1) * self._width])

    def step(
        self, inputs: Mapping[str, ArrayLike] | None = None, *, reset: int = 0
    ) -> dict[str, Values]:
        """Go on by a cycle.

        Args:
            inputs: some of them, to be set first.
            reset: `rst`.

        Returns:
            Each output in this cycle, [lanes, ...].

        Raises:
            InputError: as `set` does.
        """
        for port, values in (inputs or {}).items():
            self.set(port, values)
        for row in self._rows:
            row.go(self.cycle, reset)
        self.cycle += 1
        return self.outputs

    def settled(
        self, inputs: Mapping[str, ArrayLike] | None = None, *, reset: int = 0
    ) -> dict[str, Values]:
        """The outputs that a step would give; no clock's edge comes, and nothing is claimed.

        Args:
            inputs: as for `step`.
            reset: `rst`.

        Raises:
            InputError: as `set` does.
        """
        for port, values in (inputs or {}).items():
            self.set(port, values)
        for row in self._rows:
            row.look(self.cycle, reset)
        return self.outputs

    @property
    def outputs(self) -> dict[str, Values]:
        """As of the last `step` or `settled`, [lanes, ...]; 0 before the first."""
        return {port: self.get(port) for port in self._module.outputs}

    def get(self, name: str) -> Values:
        """An output, or a value that is recorded, as of the last `step` or `settled`.

        Returns:
            It, [lanes, ...].

        Raises:
            InputError: there is no such output, and nothing of that name is recorded.
        """
        port = self._recorded.get(name, name)
        parts = [row.take(port) for row in self._rows if port in row.takes]
        if not parts:
            raise InputError(
                f"a value of {self._module.name}",
                expected=", ".join((*self._module.outputs, *self._recorded)) or "none",
                came=repr(name),
                do="name an output, or a value that is recorded: compile(..., record=[name])",
            )
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @property
    def state(self) -> State:
        """What is held now; it stays, whatever follows."""
        batches = tuple(_copied(row.state) for row in self._rows)
        return State(
            self._keeping.origin, self.lanes, self.cycle, keeping=self._keeping, batches=batches
        )

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Claims that did not hold so far: of each the first time in each lane."""
        sites = self._keeping.low.sites
        found = [
            one
            for number, row in enumerate(self._rows)
            for one in failures_of(sites, row.claims, number * self._width, row.lanes)
        ]
        return tuple(sorted(found, key=lambda one: (one.cycle, one.lane)))

    @property
    def covered(self) -> dict[str, int]:
        """How often each cover point was true so far, over lanes and instances."""
        counts: Counter[str] = Counter()
        for row in self._rows:
            for text, count in covered_by(self._keeping.low.sites, row.claims, row.lanes):
                counts[text] += count
        return dict(counts)

    def _checked(self, port: str, form: Form, given: ArrayLike) -> Values:
        values = np.asarray(given)
        if values.shape == form.shape:
            values = np.broadcast_to(values, (self.lanes, *form.shape))
        if values.shape == (self.lanes, *form.shape) and fits_any(values, form):
            return values
        raise InputError(
            f"input {port} of {self._module.name}",
            expected=f"integers {list(form.shape)} or {[self.lanes, *form.shape]} "
            f"from {form.low} to {form.high}",
            came=f"{given!r}",
            do="give one for all lanes, or one for each",
        )


class _Row:
    """Lanes side by side, with all that a call of their code takes."""

    def __init__(self, simulator: Simulator, start: Bytes, lanes: int) -> None:
        kernel, places = simulator.kernel, simulator.keeping.places
        self.lanes, self.state = lanes, _copied(start)
        self.claims: Claims = no_claims(len(simulator.keeping.low.sites), kernel.lanes)
        self._width, self._doubled, self._run = kernel.lanes, places.doubled, kernel.code.run
        self._rooms = places.inputs
        self._given = {port: aligned(room.bytes) for port, room in places.inputs.items()}
        self._made = {port: aligned(room.bytes) for port, room in places.outputs.items()}
        self._rst = np.zeros(1, np.uint8)
        scratch = aligned(places.scratch_bytes)
        every = (*self._given.values(), *self._made.values())
        pointers = np.array([n for one in every for n in (one.ctypes.data, 0)], np.int64)
        # The code lives as long as its engine.
        self._kept = (scratch, pointers, kernel.code)
        self._behind = [one.ctypes.data for one in (scratch, pointers, self._rst)]
        self._at = (self.state.ctypes.data, self.claims.ctypes.data)
        self._views = {
            port: _view(self._given[port], room, self._width)
            for port, room in places.inputs.items()
            if room.bits <= _WORD
        }
        self.takes: dict[str, Callable[[], Values]] = {
            port: _taking(self._made[port], room, self._width, lanes)
            for port, room in places.outputs.items()
        }

    def fill(self, port: str, value: int) -> None:
        """The same in all lanes."""
        view = self._views.get(port)
        if view is None:
            self.put(port, np.full(self.lanes, value, object))
        else:
            view[...] = value

    def put(self, port: str, values: Values) -> None:
        """Integers that fit, [lanes, ...]."""
        self._given[port][:] = packed(values[None], self._rooms[port], self._width).reshape(-1)

    def take(self, port: str) -> Values:
        """An output, [lanes, ...]."""
        return self.takes[port]()

    def go(self, cycle: int, reset: int) -> None:
        """A cycle."""
        self._rst[0] = reset
        self._call(*self._at, cycle)

    def look(self, cycle: int, reset: int) -> None:
        """The outputs alone."""
        self._rst[0] = reset
        state, claims = _copied(self.state), self.claims.copy()
        self._call(state.ctypes.data, claims.ctypes.data, cycle)

    def _call(self, state: int, claims: int, cycle: int) -> None:
        now = self._doubled * (cycle % 2)
        self._run(state, *self._behind, claims, 1, cycle, 0, 1, 0, now)


def _copied(data: Bytes) -> Bytes:
    found = aligned(len(data))
    found[:] = data
    return found


def _view(data: Bytes, room: Room, width: int) -> Any:
    """The same memory as integers, [lanes, ...]."""
    kind = f"{'i' if room.form.signed else 'u'}{room.bits // 8}"
    return np.moveaxis(data.view(kind).reshape(*room.form.shape, width), -1, 0)


def _taking(data: Bytes, room: Room, width: int, lanes: int) -> Callable[[], Values]:
    """What reads an output."""
    form = room.form
    if room.bits > _WORD:
        return lambda: unpacked(data[None], room, width, lanes)[0]
    view, kind = _view(data, room, width)[:lanes], dtype(form)
    return lambda: np.asarray(view.astype(kind))
