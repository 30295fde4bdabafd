"""What all commands share: flags, talk on stderr, results on stdout."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, Token

if TYPE_CHECKING:
    from zhufeng.route import Run, StageResult

# Exit code of a command that has found something amiss.
FINDING = 1
# How wide tables are where there is no terminal.
_PIPE_COLUMNS = 120


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    return int(tokens[0].value)


# A whole number. Cyclopts by itself would round 1.5 to 2 without a word.
Whole = Annotated[int, Parameter(converter=_whole)]
# A flag that may stand several times, with one value each time.
Several = Parameter(negative="", consume_multiple=False)


@Parameter(name="*")
@dataclass(frozen=True)
class Talk:
    """How the command talks."""

    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"), negative="")] = False
    """Tell more of what is done, on stderr."""
    json: Annotated[bool, Parameter(negative="")] = False
    """Results as one JSON object on stdout."""

    def begin(self) -> None:
        """Send the package's log to stderr."""
        handler = logging.StreamHandler(sys.stderr)
        form = "%(asctime)s %(name)s: %(message)s" if self.verbose else "%(message)s"
        handler.setFormatter(logging.Formatter(form))
        logger = logging.getLogger("zhufeng")
        logger.handlers[:] = [handler]
        logger.setLevel(logging.DEBUG if self.verbose else logging.INFO)
        logger.propagate = False


def emit(text: str) -> None:
    """Print a part of the result on stdout; whoever reads it may have had enough."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def emit_json(value: Any) -> None:
    """Print a result as JSON."""
    emit(json.dumps(value, indent=1) + "\n")


def emit_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, without a head where `columns` are nameless.

    What users named is shown as it is, never read as markup.
    """
    from rich.console import Console  # noqa: PLC0415 (not for --json)
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    # Rich would end the program by itself when the reader of a pipe has gone.
    drawn = io.StringIO()
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_COLUMNS
    Console(file=drawn, width=wide).print(table)
    emit(drawn.getvalue())


def finish_run(run: Run, results: Sequence[StageResult], talk: Talk) -> None:
    """Say what a walk did."""
    if talk.json:
        from zhufeng.route import unbuilt_steps  # noqa: PLC0415 (many commands walk nothing)

        emit_json(
            {
                "run": str(run.folder),
                "page": str(run.page),
                "stages": [
                    {
                        "name": result.name,
                        "did": result.did,
                        "cpu_s": round(result.cpu_s, 3),
                        "key": result.manifest.spec.key,
                        "figures": dict(result.manifest.figures),
                    }
                    for result in results
                ],
                "not_built_yet": [step.name for step in unbuilt_steps()],
            }
        )
        return
    rows = [[result.name, result.did, f"{result.cpu_s:.2f}", _brief(result)] for result in results]
    emit_table(["stage", "did", "CPU s", "figures"], rows)
    emit(f"\npage: {run.page.resolve().as_uri()}\n")


def _brief(result: StageResult) -> str:
    figures = result.manifest.figures.items()
    return ", ".join(f"{name} {value:,.6g}" for name, value in figures if value is not None)
