"""Whether everything that computes a program agrees: interpreter, passes, Icarus, Verilator.

What the state holds before it is set is anybody's guess: the interpreter guesses differently in
each lane, and only what is the same in all lanes is compared. Where something differs all the
same, many more guesses are asked for before it counts.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np

from tests.hdl.programs import Program, stimulus
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import Values, interpret
from zhufeng.hdl.oracle import Case, OracleError, has_icarus, has_verilator, icarus, verilated
from zhufeng.hdl.passes import Flattening, simplify

# A reset at the start, and one in the middle.
RESET = (1, 1, *[0] * 13, 1, *[0] * 8)
FIRST = 2
"""The cycle from which on all must agree."""
FEW_GUESSES, MANY_GUESSES = 64, 2048
_GUESSES = 16
_SEEDS = (1, 2)
_UNKNOWN = np.array(None, object)

Failures: TypeAlias = frozenset[tuple[int, str]]
"""The cycle and the text of each claim that did not hold."""
Found: TypeAlias = "tuple[Mapping[str, Values], Failures | None]"
"""Outputs, None where they are not known; and failures, from what judges claims."""
Oracle = Callable[[Sequence[Case]], "list[list[Found]]"]
"""What each case is said to give, by one or more runs."""
T = TypeVar("T")


@dataclass(frozen=True)
class Truth:
    """What the interpreter says."""

    outputs: Mapping[str, Values]
    """[cycles, ...], in the first lane."""
    known: Mapping[str, Values]
    """Whether each of them is the same in all lanes."""
    fails: Failures
    """Claims that do not hold in any lane."""
    may_fail: Failures
    """Those that do not hold in some lane."""

    def differences(self, found: Found) -> list[str]:
        """Where something else says otherwise."""
        outputs, fails = found
        told = [one for port in self.outputs for one in self._port(port, outputs[port])]
        if fails is not None:
            told += [f"a claim holds: {one}" for one in sorted(fails - self.may_fail)]
            told += [f"a claim does not hold: {one}" for one in sorted(self.fails - fails)]
        return told

    def _port(self, port: str, values: Values) -> list[str]:
        here = self.outputs[port].astype(object)
        differ = self.known[port] & (here != values) & (values != None)  # noqa: E711 (of arrays)
        differ[:FIRST] = False
        places = [tuple(map(int, place)) for place in np.argwhere(differ)]
        return [f"{port}{list(place)} is {here[place]}, not {values[place]}" for place in places]


def truth(case: Case, guesses: int) -> Truth:
    """What the interpreter says, with so many guesses at the unset state."""
    lanes = min(guesses, FEW_GUESSES)
    seeds = guesses // lanes
    inputs = {port: np.repeat(one[:, None], lanes, 1) for port, one in case.inputs.items()}
    runs = [interpret(case.module, inputs, reset=RESET, seed=seed) for seed in range(seeds)]
    first = {port: one[:, 0] for port, one in runs[0].outputs.items()}
    known = {
        port: np.logical_and.reduce(
            [(run.outputs[port] == one[:, None]).all(axis=1) for run in runs]
        )
        for port, one in first.items()
    }
    failed = {
        (f.cycle, f.text, f.lane, seed) for seed, run in enumerate(runs) for f in run.failures
    }
    counts = Counter((cycle, text) for cycle, text, *_ in failed)
    always = frozenset(one for one, count in counts.items() if count == lanes * seeds)
    return Truth(first, known, always, frozenset(counts))


# What is asked beside the interpreter.


def in_verilator(cases: Sequence[Case]) -> list[list[Found]]:
    """What Verilator says, with two seeds for the unset state."""
    with verilated(cases, RESET) as simulate:
        runs = [simulate(seed) for seed in _SEEDS]
    numbers = range(len(cases))
    return [[(run.outputs[number], run.failures[number]) for run in runs] for number in numbers]


def in_icarus(cases: Sequence[Case]) -> list[list[Found]]:
    """What Icarus says, which does not judge claims."""
    return [[(outputs, None)] for outputs in icarus(cases, RESET)]


def after(rewrite: Callable[[ir.Module], ir.Module]) -> Oracle:
    """What the interpreter says of the program after a pass."""

    def found(case: Case) -> list[Found]:
        other = truth(Case(rewrite(case.module), case.inputs), _GUESSES)
        outputs = {
            port: np.where(other.known[port], one.astype(object), _UNKNOWN)
            for port, one in other.outputs.items()
        }
        return [(outputs, other.fails)]

    return lambda cases: [found(case) for case in cases]


def oracles() -> Mapping[str, Oracle]:
    """All that are there."""
    found = {"simplified": after(simplify), "flattened": after(Flattening())}
    found |= {"icarus": in_icarus} if has_icarus() else {}
    return found | ({"verilator": in_verilator} if has_verilator() else {})


# Comparing.


def disagreements(
    programs: Sequence[Program], others: Mapping[str, Oracle], *, guesses: int = MANY_GUESSES
) -> list[list[str]]:
    """Of each program, everything on which something disagrees with the interpreter.

    Args:
        programs: to run.
        others: what to ask beside the interpreter, by name.
        guesses: at the unset state, before a difference counts.
    """
    told: list[list[str]] = [[] for _ in programs]
    known: dict[int, tuple[Case, Truth]] = {}
    for number, program in enumerate(programs):
        case = Case(program.module, stimulus(program, len(RESET)))
        found = _tried(partial(_interpreted, case))
        if isinstance(found, str):
            told[number].append(f"interpreter: {found}")
        else:
            known[number] = case, found[0]
            told[number] += _reread(program.module)
    for name, oracle in others.items():
        answers = _asked(oracle, [case for case, _ in known.values()])
        for (number, (case, here)), answer in zip(known.items(), answers, strict=True):
            told[number] += [f"{name}: {one}" for one in _judged(case, here, answer, guesses)]
    return told


def _interpreted(case: Case) -> list[Truth]:
    return [truth(case, _GUESSES)]


def _reread(module: ir.Module) -> list[str]:
    text = ir.print_ir(module)
    return [] if ir.print_ir(ir.parse_ir(text)) == text else ["the IR's text reads back otherwise"]


def _judged(case: Case, here: Truth, answer: list[Found] | str, guesses: int) -> list[str]:
    if isinstance(answer, str):
        return [answer]
    if any(map(here.differences, answer)):
        surely = truth(case, guesses)
        return [one for found in answer for one in surely.differences(found)]
    return []


def _asked(oracle: Oracle, cases: Sequence[Case]) -> list[list[Found] | str]:
    """What an oracle says of each case; where it fails, the case on which it does is looked for."""
    if not cases:
        return []
    found = _tried(partial(oracle, cases))
    if not isinstance(found, str):
        return list(found)
    if len(cases) == 1:
        return [found]
    half = len(cases) // 2
    return _asked(oracle, cases[:half]) + _asked(oracle, cases[half:])


def _tried(f: Callable[[], list[T]]) -> list[T] | str:
    """What it gives, or how it fails: whatever that is, it is a finding."""
    try:
        return f()
    except OracleError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
