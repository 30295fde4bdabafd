"""Values of ports in files of NumPy (.npz): an array for each port, by its name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from zhufeng.base import InputError, write_durable
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.ir import Form

_WORD: Final = 64


def narrow(values: Values, form: Form) -> Values:
    """In the dtype that just holds them; above 64 bits as words, [..., words], the lowest first."""
    if form.width <= _WORD:
        size = next(bits for bits in (8, 16, 32, 64) if form.width <= bits) // 8
        return values.astype(f"{'i' if form.signed else 'u'}{size}")
    words = -(-form.width // _WORD)
    bits = values.astype(object) & ((1 << form.width) - 1)
    parts = [bits >> (_WORD * n) & ((1 << _WORD) - 1) for n in range(words)]
    return np.stack([part.astype(np.uint64) for part in parts], -1)


def widened(values: Values, form: Form, axes: int) -> Values:
    """What `narrow` made, as integers again; anything else as it is.

    Args:
        values: those.
        form: of the port.
        axes: before those of the port.
    """
    words = -(-form.width // _WORD)
    as_words = values.dtype == np.uint64 and values.shape[axes:] == (*form.shape, words)
    if form.width <= _WORD or not as_words:
        return values
    whole = sum(values[..., n].astype(object) << (_WORD * n) for n in range(words))
    found = np.asarray(whole, object) & ((1 << form.width) - 1)
    if form.signed:
        found = found - ((found >> (form.width - 1)) << form.width)
    return found


def write_arrays(path: Path, arrays: Mapping[str, Values]) -> None:
    """Write a file, whole or not at all.

    Raises:
        OSError: the system refuses.
    """
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    write_durable(path, file.getvalue())


def read_arrays(path: Path) -> dict[str, Values]:
    """The arrays of a file.

    Raises:
        InputError: it is not there, or is no .npz file.
    """
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except OSError as error:
        came = error.strerror or str(error)
    except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        came = "something else, or an array of objects"
    raise InputError(
        str(path),
        expected="a .npz file of NumPy: an array of integers for each input, by its name",
        came=came,
        do="write it with numpy.savez(path, a=..., b=...)",
    )
