"""Arrays of integers of any width, in files of NumPy."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from zhufeng.base import InputError, write_durable
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.ir import Form

_FORMAT: Final = {"format": "zhufeng hdl state", "version": 1}
_TOLD: Final = "zhufeng"
_WORD: Final = 64


class Part(NamedTuple):
    """A register or a memory."""

    form: Form
    values: Values
    """[lanes, ...]"""


def write_parts(path: Path, told: Mapping[str, object], parts: Mapping[str, Part]) -> None:
    """Write a file: an array for each part, of numbers or, of wide ones, of bytes."""
    forms = {key: (part.form.width, part.form.signed) for key, part in parts.items()}
    head = json.dumps({**_FORMAT, **told, "parts": forms}).encode()
    arrays = {key: _stored(part) for key, part in parts.items()}
    file = io.BytesIO()
    np.savez_compressed(file, **{_TOLD: np.frombuffer(head, np.uint8)}, **arrays)  # type: ignore[arg-type]
    write_durable(path, file.getvalue())


def read_parts(path: Path) -> tuple[dict[str, Any], dict[str, Part]]:
    """What was written.

    Raises:
        InputError: the file is not there, or has something else in it.
    """
    try:
        with np.load(path) as file:
            arrays = dict(file)
        told = json.loads(arrays[_TOLD].tobytes())
        known = {key: told.get(key) for key in _FORMAT} == _FORMAT
        parts = {key: _part(arrays[key], *form) for key, form in told["parts"].items()}
    except OSError as error:
        raise _no_state(path, error.strerror or str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        raise _no_state(path, "something else") from None
    if not known:
        raise _no_state(path, f"{told.get('format')}, version {told.get('version')}")
    return told, parts


def _no_state(path: Path, came: str) -> InputError:
    return InputError(
        str(path),
        expected="a file that State.write has written",
        came=came,
        do="save a state anew: run.end.write(path)",
    )


def _stored(part: Part) -> Values:
    form, values = part
    if form.width <= _WORD:
        bits = next(bits for bits in (8, 16, 32, 64) if form.width <= bits)
        return values.astype(f"{'i' if form.signed else 'u'}{bits // 8}")
    size = -(-form.width // 8)
    data = b"".join(
        int(one).to_bytes(size, "little", signed=form.signed) for one in values.reshape(-1)
    )
    return np.frombuffer(data, np.uint8).reshape(*values.shape, size)


def _part(stored: Values, width: int, signed: bool) -> Part:
    if width <= _WORD:
        return Part(Form(width, signed, stored.shape[1:]), stored)
    rows = stored.reshape(-1, stored.shape[-1])
    numbers = np.empty(len(rows), object)
    numbers[:] = [int.from_bytes(row.tobytes(), "little", signed=signed) for row in rows]
    shape = stored.shape[:-1]
    return Part(Form(width, signed, shape[1:]), numbers.reshape(shape))
