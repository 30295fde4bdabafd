"""Bugs of one line, planted in the tracer, the passes, the printer and the compiler of the
simulator: the tests catch each.

Each names the file of tests that must fail with it. `make test` plants a tenth of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import zhufeng

SOURCE = Path(zhufeng.__file__).parent
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Plant:
    """A line with a bug."""

    file: str
    """Below the room."""
    sound: str
    planted: str
    caught_by: str


NUMBERS, ARRAYS = "test_rules_numbers.py", "test_rules_arrays.py"
REPETITION, DESIGNS = "test_rules_repetition.py", "test_designs.py"
GRAPH = "test_rules_graph.py"
PASSES, VERILOG = "test_passes.py", "test_verilog.py"
PLANTS = (
    # The tracer.
    Plant("_types.py", "wide = max(a, b) + 1", "wide = max(a, b)", NUMBERS),
    Plant("_types.py", "return SInt(a + b) if", "return SInt(a + b - 1) if", NUMBERS),
    Plant("_signal.py", '~_compare("lt", ">="', '~_compare("le", ">="', NUMBERS),
    Plant("_signal.py", "data=(place % width,)", "data=(-place % width,)", NUMBERS),
    Plant("_functions.py", 'made("cat", kind, *parts)', 'made("cat", kind, *parts[::-1])', NUMBERS),
    Plant("_functions.py", "slice(0, shape[axis] - 1)", "slice(1, shape[axis])", DESIGNS),
    Plant("_choices.py", "data=keys)", "data=[key ^ 1 for key in keys])", ARRAYS),
    Plant("_repeat.py", "order = [axis, *(", "order = [*(", REPETITION),
    Plant("_repeat.py", "if even < count else one", "if even < 0 else one", REPETITION),
    Plant("_module.py", "on = None if enable is None else", "on = None if True else", DESIGNS),
    Plant(
        "_memory.py", "self._bit(enable),\n            masked", "None,\n            masked", DESIGNS
    ),
    Plant("_wires.py", "here.join(one.value, ", "here.join(wires[0].value, ", GRAPH),
    # The passes.
    Plant("passes/_constants.py", 'if let.op == "add" and', "if let.op and", PASSES),
    Plant("passes/_constants.py", 'if let.op == "xor" else', 'if let.op == "or" else', PASSES),
    Plant("passes/_constants.py", "(0, places[0], step)", "(0, places[-1], step)", PASSES),
    Plant("passes/_constants.py", "let.form.width <= inner.form.width", "True", PASSES),
    Plant("passes/_same.py", '{"add", "mul"', '{"add", "sub", "mul"', PASSES),
    Plant("passes/_dead.py", "return [module.registers[register].next]", "return []", PASSES),
    Plant("passes/_ranges.py", "return a - d, b - c", "return a - c, b - d", PASSES),
    Plant("passes/_narrow.py", "and let.form.width <= inner.form.width", "and True", PASSES),
    Plant(
        "passes/_narrow.py",
        '{"add", "sub", "mul", "shl", "wrap"}',
        '{"add", "saturate", "wrap"}',
        PASSES,
    ),
    Plant("passes/_flatten.py", "(on, after, held)", "(on, held, after)", PASSES),
    Plant("passes/_flatten.py", "data = (*outer, *(n +", "data = (*outer, *(-n +", PASSES),
    # The printer.
    Plant("verilog/_expressions.py", '">>>" if forms', '">>" if forms', VERILOG),
    Plant("verilog/_expressions.py", "$signed({{1'b0, {text}}})", "$signed({text})", VERILOG),
    Plant("verilog/_values.py", "in reversed(let.args))", "in let.args)", VERILOG),
    Plant("verilog/_values.py", "if at.high < size:", "if at.high <= size:", VERILOG),
    Plant("verilog/_values.py", "offset_index(start, step,", "offset_index(0, step,", VERILOG),
    Plant("verilog/_body.py", "'({width - 1} - {place});", "'({width} - {place});", VERILOG),
    Plant("verilog/_state.py", "end else{enable} begin", "end else begin", VERILOG),
    Plant("verilog/_state.py", "[{group * width} +:", "[{group} +:", VERILOG),
    Plant("verilog/_parts.py", "[{self._k} + 1]", "[1]", VERILOG),
)

LANES, TILES = "test_compile.py", "test_compile_arrays.py"
MACHINES = "test_compile_machines.py"
ON_FORMS, SESSIONS = "test_compile_operations.py", "test_simulator.py"
COMPILER_PLANTS = (
    Plant("compile/_lower.py", "(on, new, old)", "(on, old, new)", LANES),
    Plant("compile/_lower.py", "(port.enable, found, held)", "(port.enable, held, found)", LANES),
    Plant("compile/_lower.py", "given[feeds[port]][-1]", "given[feeds[port]][0]", LANES),
    Plant(
        "compile/_operations.py",
        "self.builder.ashr(self.builder.shl(value",
        "self.builder.lshr(self.builder.shl(value",
        ON_FORMS,
    ),
    Plant("compile/_operations.py", "or (fits and clean))", "or clean)", ON_FORMS),
    Plant("compile/_operations.py", "form.width < to.width or arg.clean", "True", ON_FORMS),
    Plant(
        "compile/_operations.py", "signed = any(form.signed", "signed = all(form.signed", ON_FORMS
    ),
    Plant(
        "compile/_operations.py",
        '(">", to.high, to.high < form.high)',
        '(">", to.high, False)',
        ON_FORMS,
    ),
    Plant(
        "compile/_operations.py",
        "known = value.lanes if needed <= form.width else",
        "known = value.lanes if True else",
        ON_FORMS,
    ),
    Plant("compile/_plan.py", 'found.add("down")', 'found.add("up")', LANES),
    Plant("compile/_elements.py", "if form.high < depth:", "if form.high <= depth:", LANES),
    Plant(
        "compile/_frame.py",
        "builder.select(new, time, first)",
        "builder.select(bad, time, first)",
        LANES,
    ),
    Plant(
        "compile/_rooms.py",
        "other = self.builder.sub(INDEX(self.layout.doubled), self.now)",
        "other = self.now",
        SESSIONS,
    ),
    Plant(
        "compile/_loops.py",
        "(self._element(guard, ()).lanes, value, old)",
        "(self._element(guard, ()).lanes, old, value)",
        LANES,
    ),
    Plant(
        "compile/_widen.py",
        "half = replace(form, width=_FACTOR,",
        "half = replace(form, width=8,",
        TILES,
    ),
    Plant(
        "compile/_elements.py",
        "(index == self.place or name not in self.layout.scratch)",
        "index == self.place",
        LANES,
    ),
    Plant(
        "compile/_elements.py",
        "self._element(let.args[-1], index)",
        "self._element(let.args[1], index)",
        LANES,
    ),
    Plant("compile/_operations.py", '("ashr", "psrav")', '("ashr", "psrlv")', ON_FORMS),
    Plant(
        "compile/_operations.py",
        "return wide if needed <= form.width else",
        "return wide if True else",
        ON_FORMS,
    ),
    Plant("compile/_operations.py", "_BIAS + width - 1)", "_BIAS + width)", MACHINES),
    Plant("compile/_nest.py", "[axis == 0, axis == 1]", "[axis == 1, axis == 0]", TILES),
    Plant("compile/_wave.py", "if self._origin[axis] == 0:", "if self._origin[0] == 0:", TILES),
    Plant("compile/_wave.py", "place[axis] = self._tile[axis] - 1", "place[axis] = 0", TILES),
    Plant("compile/_delays.py", "self._moved(name, 0, back=True)", "pass", TILES),
    Plant("compile/_delays.py", "for n in (0, -1))", "for n in (-1, 0))", TILES),
    Plant(
        "compile/_nest.py",
        "read <= {None, before.axis} else None",
        "read else None",
        TILES,
    ),
    Plant(
        "compile/_blocks.py",
        "quick = builder.and_(whole, builder.not_(",
        "quick = builder.and_(whole, builder.or_(whole, ",
        TILES,
    ),
    Plant(
        "compile/_blocks.py",
        'odd = builder.and_(builder.add(given["now"], time), INDEX(1))',
        "odd = INDEX(0)",
        TILES,
    ),
    Plant("compile/_split.py", "next in back for name", "next in () for name", TILES),
    Plant("compile/_state.py", "room.apart * (cycle % 2)", "0 * room.apart", TILES),
    Plant(
        "compile/_whole.py",
        '("==", number, number.type(-1))',
        '("!=", number, number.type(0))',
        LANES,
    ),
)


def plant(bug: Plant, folder: Path) -> None:
    """The package with a bug in it."""
    shutil.copytree(SOURCE, folder / "zhufeng", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "zhufeng" / "hdl" / bug.file
    text = path.read_text()
    assert text.count(bug.sound) == 1, (
        f"{bug.file}: '{bug.sound}' stands there {text.count(bug.sound)} times"
    )
    path.write_text(text.replace(bug.sound, bug.planted))


# The package with the bug must be the one that is tested.
RUN = """
import sys, pytest, zhufeng
assert zhufeng.__file__.startswith(sys.argv[1]), zhufeng.__file__
sys.exit(pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", sys.argv[2]]))
"""


def caught(bug: Plant, folder: Path) -> bool:
    """Whether the tests that should fail do."""
    plant(bug, folder)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder), f"tests/hdl/{bug.caught_by}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}, done.stdout
    return done.returncode == pytest.ExitCode.TESTS_FAILED


def test_there_are_enough_of_them() -> None:
    assert len(set(PLANTS)) >= 20
    assert len(set(COMPILER_PLANTS)) >= 20
    for folder in ("", "passes/", "verilog/"):
        assert any(one.file.startswith(folder) for one in PLANTS)


@pytest.mark.parametrize(
    "bug", [*PLANTS[5::10], *COMPILER_PLANTS[19:20]], ids=lambda bug: bug.sound
)
def test_a_bug_is_caught(bug: Plant, tmp_path: Path) -> None:
    assert caught(bug, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("bug", [*PLANTS, *COMPILER_PLANTS], ids=lambda bug: bug.sound)
def test_each_bug_is_caught(bug: Plant, tmp_path: Path) -> None:
    assert caught(bug, tmp_path)
