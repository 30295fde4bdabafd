"""Random programs over the whole language: interpreter, passes, Icarus and Verilator agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.hdl.agreement import RESET, Found, Oracle, disagreements, oracles, truth
from tests.hdl.campaign import Campaign
from tests.hdl.kept import keep, kept
from tests.hdl.programs import Program, program, stimulus
from zhufeng.hdl import ir
from zhufeng.hdl.oracle import Case, has_verilator, lint
from zhufeng.hdl.passes import simplify
from zhufeng.hdl.verilog import WAIVERS

COUNT = 50
NEEDS_VERILATOR = pytest.mark.skipif(not has_verilator(), reason="needs Verilator")


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return [program(seed) for seed in range(COUNT)]


@NEEDS_VERILATOR
def test_programs_do_the_same_everywhere(programs: Sequence[Program]) -> None:
    """Those of the first seeds, and those on which something once disagreed: in one build."""
    all_ = {str(one.seed): one for one in programs} | kept()
    told = disagreements(list(all_.values()), oracles())
    assert not {name: one for name, one in zip(all_, told, strict=True) if one}


@NEEDS_VERILATOR
def test_verilator_warns_of_nothing_but_what_is_waived(programs: Sequence[Program]) -> None:
    for one in programs[:20]:
        for module in (one.module, simplify(one.module)):
            kinds = {line.partition(":")[0].removeprefix("%Warning-") for line in lint(module)}
            assert kinds <= WAIVERS.keys(), one.seed


def test_the_same_seed_gives_the_same_program(programs: Sequence[Program]) -> None:
    for seed in range(5):
        assert ir.print_ir(program(seed).module) == ir.print_ir(programs[seed].module)
    assert len({ir.print_ir(one.module) for one in programs}) == COUNT


def test_programs_use_the_whole_language(programs: Sequence[Program]) -> None:
    used: Counter[str] = Counter()
    for one in programs:
        used.update({use for module in ir.below(one.module) for use in _uses(module)})
    missing = (set(ir.OPS) | _CONSTRUCTS) - used.keys()
    assert not missing


_CONSTRUCTS = {
    *("width 0", "an array of three axes", "assert", "assume", "cover", "claims of an array"),
    *("a register without reset", "a register of an array"),
    *("banks", "a mask", "two writes", "a transparent read", "no contents at the start"),
    *("a synchronous read", "an asynchronous read", "a read with enable"),
    *("an instance", "an array of instances", "an enable", "an enable for each", "a call"),
    *("a fold", "a fold in vmap", "a fold in a fold", "a call in a fold", "several carries"),
    *("a captured value", "instances that feed one another"),
}


def _uses(module: ir.Module) -> Iterator[str]:
    """What of the language stands in a module."""
    for let in module.lets.values():
        yield let.op
        yield from ["width 0"] * (not let.form.width)
        yield from ["an array of three axes"] * (len(let.form.shape) > 2)
    for claim in module.claims:
        yield claim.kind
        yield from ["claims of an array"] * bool(module.form(claim.value).shape)
    for register in module.registers.values():
        yield from ["a register without reset"] * (register.reset is None)
        yield from ["a register of an array"] * bool(register.form.shape)
    for memory in module.memories.values():
        yield from _memory_uses(memory)
    for part in module.instances.values():
        yield "an instance" if ir.stateful(part.module) else "a call"
        yield from ["an array of instances"] * bool(part.shape)
        yield from ["an enable"] * (part.enable is not None)
        yield from ["an enable for each"] * (part.enable is not None and part.shape != ())
    yield from ["instances that feed one another"] * _both_ways(module)
    for fold in module.folds.values():
        yield from _fold_uses(fold)


def _memory_uses(memory: ir.Memory) -> Iterator[str]:
    yield from ["banks"] * bool(memory.form.shape)
    yield from ["two writes"] * (len(memory.writes) > 1)
    yield from ["no contents at the start"] * (memory.init is None)
    yield from ["a mask"] * any(write.mask for write in memory.writes)
    for read in memory.reads:
        yield "a synchronous read" if read.sync else "an asynchronous read"
        yield from ["a transparent read"] * read.transparent
        yield from ["a read with enable"] * (read.enable is not None)


def _fold_uses(fold: ir.Fold) -> Iterator[str]:
    yield "a fold"
    carried = {taken for taken, _ in fold.carries}
    yield from ["a fold in vmap"] * bool(fold.shape)
    yield from ["a fold in a fold"] * bool(fold.module.folds)
    yield from ["a call in a fold"] * bool(fold.module.instances)
    yield from ["several carries"] * (len(carried) > 1)
    yield from ["a captured value"] * bool(fold.inputs.keys() - carried - fold.each)


def _both_ways(module: ir.Module) -> bool:
    """Whether two instances each get what the other gives: no order of calls could say that."""
    feeds = {
        name: {source for value in part.inputs.values() for source in _sources(module, value)}
        for name, part in module.instances.items()
    }
    pairs = permutations(feeds, 2)
    return any(one in feeds[other] and other in feeds[one] for one, other in pairs)


def _sources(module: ir.Module, value: str) -> set[str]:
    """The instances whose outputs a value is made of, without looking into others."""
    found: set[str] = set()
    waiting, seen = [value], {value}
    while waiting:
        let = module.lets[waiting.pop()]
        if let.op == "port" and let.data[0] in module.instances:
            found.add(str(let.data[0]))
        new = set(let.args) - seen
        seen |= new
        waiting += new
    return found


@NEEDS_VERILATOR
@pytest.mark.soak
def test_five_thousand_programs_do_the_same_everywhere(pytestconfig: pytest.Config) -> None:
    """Goes on where it was when it was stopped; some that disagree become files in ``kept``."""
    assert pytestconfig.cache is not None
    ledger = pytestconfig.cache.mkdir("programs") / "done.json"
    campaign = Campaign(ledger, 0, 5000)
    for _ in campaign.run({}):
        pass
    done = campaign.done()
    assert done is not None
    assert not {seed: told for one in done for seed, told in one["mismatches"].items()}


def test_a_campaign_goes_on_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def batch(first: int) -> dict[str, Any]:
        ran.append(first)
        return {"programs": 100, "mismatches": {}}

    monkeypatch.setattr("tests.hdl.campaign.batch", batch)
    started = Campaign(tmp_path / "done.json", 0, 400).run({"machine": "this"})
    next(started), next(started)
    started.close()
    again = Campaign(tmp_path / "done.json", 0, 400)
    assert again.done() is None
    assert len(list(again.run({}))) == 2
    assert ran == [0, 100, 200, 300]
    assert [one["programs"] for one in again.done() or ()] == [100] * 4
    monkeypatch.setattr("tests.hdl.campaign.code_hash", lambda: "other code")
    assert Campaign(tmp_path / "done.json", 0, 400).done() is None


# What finds disagreements finds them.


def _wrong(cases: Sequence[Case]) -> list[list[Found]]:
    """A simulator to which a sum is one too large."""

    def rewritten(module: ir.Module) -> ir.Module:
        text = ir.print_ir(module).replace(" = add(", " = sub(")
        return ir.parse_ir(text)

    return [[(truth(Case(rewritten(case.module), case.inputs), 1).outputs, None)] for case in cases]


def test_a_difference_is_found_and_shrunk_to_what_makes_it(tmp_path: Path) -> None:
    wrong: dict[str, Oracle] = {"wrong": _wrong}
    found = next(one for one in map(program, range(50)) if any(disagreements([one], wrong)))
    keep(found, wrong, "wrong", tmp_path)
    least = kept(tmp_path)["wrong"]
    assert any(disagreements([least], wrong))
    assert not any(disagreements([least], {}))
    assert ir.print_ir(least.module).count(" = add(") == 1
    assert 3 * _size(least) < _size(found)


def _size(of: Program) -> int:
    return sum(len(one.lets) for one in ir.below(of.module))


def test_what_fails_on_one_of_many_is_told_of_that_one() -> None:
    def failing(cases: Sequence[Case]) -> list[list[Found]]:
        if any("mul" in ir.print_ir(case.module) for case in cases):
            raise ValueError("no products")
        return [[(truth(case, 1).outputs, None)] for case in cases]

    some = [program(seed) for seed in range(8)]
    told = disagreements(some, {"failing": failing})
    for one, found in zip(some, told, strict=True):
        products = "mul" in ir.print_ir(one.module)
        assert bool(found) == products
        assert not products or "no products" in found[0]


def test_inputs_fit_and_wait_for_the_reset(programs: Sequence[Program]) -> None:
    for one in programs[:10]:
        inputs = stimulus(one, len(RESET))
        assert not np.any(inputs["go"][:2])
        for port, form in one.module.inputs.items():
            assert inputs[port].shape == (len(RESET), *form.shape)
            assert all(form.has(number) for number in inputs[port].flat)
