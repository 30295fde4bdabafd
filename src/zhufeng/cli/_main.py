"""The command line: its commands, its exit codes, and the one way in which it says no.

Exit codes: 0 done; 1 a finding, such as a stale run; 2 a usage or input error; 70 a fault of
ours (with a traceback); 130 interrupted.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App, CycloptsError

from zhufeng import __version__
from zhufeng.base import InputError, shown

_OUR_FAULT = 70
_INTERRUPTED = 130
_SPACES = re.compile(r"\s+")


def build_app() -> App:
    """The commands by name. Each is imported only when it is called."""
    app = App(
        name="zhufeng",
        help="AI model training and chip design on one track.\n\n"
        "Start with `zhufeng demo`; `zhufeng COMMAND --help` tells more of each command.",
        version=__version__,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
    )
    route = "The route"
    app.command(
        "zhufeng.cli.demo:demo",
        name="demo",
        group=route,
        help="Walk what is built, on input the package carries.",
    )
    app.command(
        "zhufeng.cli.run:run",
        name="run",
        group=route,
        help="Walk a recipe: make what is missing or stale.",
    )
    app.command(
        "zhufeng.cli.status:status",
        name="status",
        group=route,
        help="Say which stages of a run are fresh, stale or missing.",
    )
    app.command(
        "zhufeng.cli.report:report",
        name="report",
        group=route,
        help="Write a run's page from the artifacts that stand.",
    )
    rooms = "Rooms"
    app.command(
        "zhufeng.cli.corpus:app",
        name="corpus",
        group=rooms,
        help="Sources into training text and token shards.",
    )
    app.command(
        "zhufeng.cli.train:train",
        name="train",
        group=rooms,
        help="Train a decoder on token shards, or a frozen reference.",
    )
    app.command(
        "zhufeng.cli.trace:trace",
        name="trace",
        group=rooms,
        help="One step of a model as what it asks of hardware.",
    )
    app.command(
        "zhufeng.cli.workload:app",
        name="workload",
        group=rooms,
        help="Captured steps, looked at together.",
    )
    app.command(
        "zhufeng.cli.fuse:app",
        name="fuse",
        group=rooms,
        help="Several models into one.",
    )
    app.command(
        "zhufeng.cli.hdl:app",
        name="hdl",
        group=rooms,
        help="Hardware that is described in Python.",
    )
    app.command(
        "zhufeng.cli.doctor:doctor",
        name="doctor",
        group="This installation",
        help="Say what is installed, what is missing, and how to get it.",
    )
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code, never raises for what the user can mend."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _mend_streams()
    try:
        result = build_app()(
            given, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        return _refuse(_usage(error))
    except InputError as error:
        return _refuse(error)
    except KeyboardInterrupt:
        sys.stderr.write("zhufeng: interrupted; the same command goes on where this one was\n")
        return _INTERRUPTED
    except OSError as error:
        return _refuse(_refused_by_system(error))
    except Exception:  # noqa: BLE001 (the last resort of a program)
        import traceback  # noqa: PLC0415 (hardly ever needed)

        traceback.print_exc()
        sys.stderr.write("zhufeng: this is a fault in Zhufeng, not in your input; please report\n")
        return _OUR_FAULT
    return result if isinstance(result, int) else 0


def _mend_streams() -> None:
    """Closed streams swallow, and what a stream's encoding lacks is spelt out."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (until the end)
        elif isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _refuse(error: InputError) -> int:
    sys.stderr.write(f"zhufeng: {error}\n")
    return 2


def _usage(error: CycloptsError) -> InputError:
    chain = [str(name) for name in error.command_chain or ()]
    command = " ".join(["zhufeng", *chain])
    return InputError(
        "the command line is not usable",
        expected=f"what '{command} --help' describes",
        came=shown(_SPACES.sub(" ", str(error)).strip()),
        do=f"{command} --help",
    )


def _refused_by_system(error: OSError) -> InputError:
    return InputError(
        "the system refused a file operation",
        expected="files that can be read and written, and room on the disk",
        came=shown(str(error)),
        do="mend that; the same command then goes on where this one was",
    )
