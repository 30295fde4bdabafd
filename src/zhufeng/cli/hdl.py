"""``zhufeng hdl``: hardware that is described in Python."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from zhufeng.base import (
    Draft,
    InputError,
    Spec,
    code_of,
    exclusive,
    make,
    sha256_json,
    shown,
    write_durable,
)
from zhufeng.cli._common import Talk, emit, emit_json, emit_table

if TYPE_CHECKING:
    from zhufeng.hdl.verilog import Verilog

_NO_TALK = Talk()

app = App(name="hdl", help="Hardware that is described in Python.")
app.command(
    "zhufeng.cli.hdl_sim:sim",
    name="sim",
    help="Simulate a design, of Verilog too, in many lanes at once.",
)
app.command("zhufeng.cli.hdl_verify:verify", name="verify")


@app.command
def verilog(
    design: str,
    /,
    *parameters: str,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    talk: Talk = _NO_TALK,
) -> int:
    """Print a design as SystemVerilog: a file a module, and what memories hold at the start.

    Parameters
    ----------
    design
        package.module:name or file.py:name of a module of zhufeng.hdl, or of a function that
        returns one.
    parameters
        The function's arguments, each as NAME=VALUE.
    output
        The folder to write.
    """
    talk.begin()
    from zhufeng.hdl.designs import census, load_design  # noqa: PLC0415 (--help needs none of it)
    from zhufeng.hdl.passes import simplify  # noqa: PLC0415
    from zhufeng.hdl.verilog import to_verilog  # noqa: PLC0415

    given = dict(map(split_parameter, parameters))
    code_of(design, expected="package.module:name, or file.py:name")
    module = simplify(load_design(design, None, given))
    made = to_verilog(module)
    did = _write(output.resolve(), given, made)
    parts = [
        {
            "module": part.name,
            "copies": part.copies,
            "lines": made.files[f"{part.name}.sv"].count("\n"),
            "register_bits": part.register_bits,
            "memory_bits": part.memory_bits,
        }
        for part in census(module)
    ]
    if talk.json:
        told = {"folder": str(output), "did": did, "top": made.top, "files": list(made.files)}
        emit_json({**told, "modules": parts})
    else:
        emit_table([key.replace("_", " ") for key in parts[0]], _rows(parts))
        emit(f"\n{len(made.files)} files in {output}: {did}\n")
    return 0


def split_parameter(text: str) -> tuple[str, Any]:
    """``n=64`` into its two sides; the value as TOML has it, strings without quotes."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise InputError(
            "a parameter is not usable",
            expected="NAME=VALUE",
            came=shown(text),
            do="write for instance n=64",
        )
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return name, value


def _write(
    folder: Path, parameters: Mapping[str, Any], made: Verilog
) -> Literal["made", "nothing"]:
    did: Literal["made", "nothing"] = "nothing"

    def fill(draft: Draft) -> None:
        nonlocal did
        did = "made"
        for name, text in made.files.items():
            write_durable(draft.folder / name, text.encode())

    # Known by what is printed: the code may be spread over any number of files.
    spec = Spec(
        kind="verilog",
        version=1,
        configuration={"top": made.top, "parameters": dict(parameters)},
        inputs={name: sha256_json(text) for name, text in made.files.items()},
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.parent):
        make(folder, spec, fill)
    return did


def _rows(parts: list[dict[str, Any]]) -> list[list[str]]:
    rows = [[str(one["module"]), *(f"{one[key]:,}" for key in list(one)[1:])] for one in parts]
    bits = (
        sum(one["copies"] * one[key] for one in parts) for key in ("register_bits", "memory_bits")
    )
    lines = sum(one["lines"] for one in parts)
    return [*rows, ["in all", "", f"{lines:,}", *(f"{number:,}" for number in bits)]]
