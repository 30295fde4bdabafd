"""A failure that was found: its least sequence, to be seen and to be run again."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from zhufeng.base import InputError, write_durable
from zhufeng.hdl.compile import State
from zhufeng.hdl.interpret import Run, Values
from zhufeng.hdl.verify._bench import Bench, ClaimName
from zhufeng.hdl.verify._trials import Stimulus
from zhufeng.hdl.waves import Wave, Waves, waves_of, write_vcd

_FORMAT: Final = {"format": "zhufeng hdl failure", "version": 1}
_TOLD: Final = "zhufeng"
_COLUMNS: Final = 16
_ROWS: Final = 32


@dataclass(frozen=True)
class Failure:
    """A claim that does not hold, with the least sequence of inputs that shows it."""

    claim: ClaimName
    seed: int
    """In which it failed first."""
    lane: int
    cycle: int
    """The cycle of that seed and lane."""
    inputs: Mapping[str, Values]
    """Each input of the design, or of its stimulus, [cycles, ...]; the claim fails in the last."""
    reset: tuple[int, ...]
    """`rst` in each cycle."""
    start: State
    """What everything holds before the first cycle."""
    waves: Waves
    """What all signals do."""

    def __len__(self) -> int:
        return len(self.reset)

    def table(self) -> str:
        """The sequence as text: a line a signal, a column a cycle."""
        return table_of(self.waves)

    def write(self, path: Path) -> None:
        """Write it to a file (.npz of NumPy) from which `Replay.read` has it run again."""
        told = {
            **_FORMAT,
            "kind": self.claim.kind,
            "path": self.claim.path,
            "text": self.claim.text,
            "where": self.claim.where,
            "content": self.start.origin.content,
            "reset": list(self.reset),
        }
        arrays = {f"input {port}": _stored(values) for port, values in self.inputs.items()}
        arrays |= {key: _stored(part.values) for key, part in self.start.parts.items()}
        head = np.frombuffer(json.dumps(told).encode(), np.uint8)
        file = io.BytesIO()
        np.savez_compressed(file, **{_TOLD: head}, **arrays)  # type: ignore[arg-type]
        write_durable(path, file.getvalue())

    def write_vcd(self, path: Path) -> None:
        """Write all signals as a VCD file."""
        write_vcd(path, self.waves)


@dataclass(frozen=True)
class Replay:
    """A failure as a file tells it."""

    claim: ClaimName
    content: str
    """The hash of what failed, to tell whether it has changed since."""
    stimulus: Stimulus
    start: Mapping[str, Values]

    @staticmethod
    def read(path: Path) -> Replay:
        """Read what `Failure.write` has written.

        Raises:
            InputError: the file is not there, or is something else.
        """
        try:
            with np.load(path) as file:
                arrays = dict(file)
            told: dict[str, Any] = json.loads(arrays.pop(_TOLD).tobytes())
            known = {key: told[key] for key in _FORMAT} == _FORMAT
            claim = ClaimName(told["kind"], told["path"], told["text"], told["where"])
            reset = tuple(told["reset"])
        except OSError as error:
            raise _no_failure(path, error.strerror or "something else") from None
        except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
            raise _no_failure(path, "something else") from None
        if not known:
            raise _no_failure(path, f"{told['format']}, version {told['version']}")
        inputs: dict[str, Values] = {}
        start: dict[str, Values] = {}
        for key, values in arrays.items():
            port = key.removeprefix("input ")
            (inputs if port != key else start)[port] = _numbers(values)
        return Replay(claim, told["content"], Stimulus(inputs, reset), start)

    def run(self, bench: Bench) -> Played:
        """Run it again on the design, changed or not.

        Raises:
            InputError: the design has other inputs.
        """
        return played(bench, self.stimulus, self.start)


@dataclass(frozen=True)
class Played:
    """What came of a sequence, on the design without anything added."""

    start: State
    run: Run
    waves: Waves

    def cycle(self, bench: Bench, claim: ClaimName) -> int | None:
        """Where a claim fails first; None where it holds."""
        found = (one.cycle for one in self.run.failures if bench.named_plain(one) == claim)
        return next(found, None)


def played(bench: Bench, stimulus: Stimulus, start: Mapping[str, Values]) -> Played:
    """Run a sequence on the design, in one lane, with all signals recorded.

    Args:
        bench: of the design.
        stimulus: its inputs.
        start: what registers and memories hold at the start, by key, [1, ...]; those that are
            not named, anything.
    """
    simulator = bench.plain_simulator
    begin = simulator.start(1, 0, reset=False)
    parts = {
        key: part._replace(values=start[key])
        if key in start and start[key].shape == part.values.shape
        else part
        for key, part in begin.parts.items()
    }
    begin = State(begin.origin, 1, 0, parts=parts)
    inputs = {port: values[:, None] for port, values in stimulus.inputs.items()}
    run = simulator.run(inputs, len(stimulus), lanes=1, reset=stimulus.reset, start=begin)
    return Played(begin, run, waves_of(bench.plain, inputs, run, reset=stimulus.reset))


def failure_of(
    bench: Bench, claim: ClaimName, found: tuple[int, int, int], stimulus: Stimulus, start: State
) -> Failure:
    """A failure from the sequence that makes it.

    Args:
        bench: in which it was found.
        claim: the claim that fails.
        found: seed, lane and cycle.
        stimulus: what is drawn.
        start: of one lane of the bench.
    """
    given = _effective(bench, stimulus, start)
    done = played(bench, given, bench.plain_start(start))
    assert done.cycle(bench, claim) == len(given) - 1, (
        "the design itself does as it does in the bench"
    )
    return Failure(claim, *found, given.inputs, given.reset, done.start, done.waves)


def _effective(bench: Bench, stimulus: Stimulus, start: State) -> Stimulus:
    """What the design is given: what is offered, not what was drawn meanwhile."""
    inputs = {port: values[:, None] for port, values in stimulus.inputs.items()}
    run = bench.simulator.run(
        inputs, len(stimulus), lanes=1, outputs=(), reset=stimulus.reset, start=start
    )
    offered = {port: run.recorded[name][:, 0] for port, name in bench.effective.items()}
    return Stimulus({**stimulus.inputs, **offered}, stimulus.reset)


def table_of(waves: Waves) -> str:
    """Signals as text: a line a signal, a column a cycle, ports first."""
    rows = rows_of(waves)[:_ROWS]
    blocks = []
    for begin in range(0, waves.cycles, _COLUMNS):
        columns = range(begin, min(begin + _COLUMNS, waves.cycles))
        cells = [["cycle", *map(str, columns)]]
        cells += [[one.full_name, *(str(one.values[n]) for n in columns)] for one in rows]
        wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
        blocks.append("\n".join(_line(row, wide) for row in cells))
    return "\n\n".join(blocks) + "\n"


def rows_of(waves: Waves) -> list[Wave]:
    """The signals to show: ports before what is inside, what is handed on once."""
    order = sorted(waves.signals, key=lambda one: len(one.path))
    once = {(one.name, one.index, one.values): one for one in reversed(order)}
    return [one for one in order if once[one.name, one.index, one.values] is one]


def _line(cells: list[str], wide: list[int]) -> str:
    first, *others = zip(cells, wide, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(size) for cell, size in others)])


def _stored(values: Values) -> Values:
    """Numbers of any width: as they are, or as bytes along one more axis, in two's complement."""
    if values.dtype != object:
        return values
    numbers = [int(one) for one in values.reshape(-1)]
    size = max((one.bit_length() // 8 + 1 for one in numbers), default=1)
    data = b"".join(one.to_bytes(size, "little", signed=True) for one in numbers)
    return np.frombuffer(data, np.dtype("V1")).reshape(*values.shape, size)


def _numbers(stored: Values) -> Values:
    if stored.dtype != np.dtype("V1"):
        return stored
    rows = stored.reshape(-1, stored.shape[-1])
    numbers = np.empty(len(rows), object)
    numbers[:] = [int.from_bytes(row.tobytes(), "little", signed=True) for row in rows]
    return numbers.reshape(stored.shape[:-1])


def _no_failure(path: Path, came: str) -> InputError:
    return InputError(
        str(path),
        expected="a file of a failure that zhufeng hdl verify has written",
        came=came,
        do="name a failure.npz from the folder of a regression",
    )
