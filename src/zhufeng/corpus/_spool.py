"""What is on its way to the corpus, kept on the disk while the whole is looked at."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from typing import IO, Generic, TypeVar

T = TypeVar("T")


class Spool(Generic[T]):
    """A list in a temporary file: written once, read as often as wanted."""

    def __init__(self, file: IO[bytes], things: Iterable[T]) -> None:
        """Write all of `things` to `file`, which is empty and nobody else's."""
        self._file = file
        self._count = 0
        for thing in things:
            pickle.dump(thing, file, protocol=pickle.HIGHEST_PROTOCOL)
            self._count += 1

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        for _ in range(self._count):
            # What is read here was written above, to a file without a name.
            thing: T = pickle.load(self._file)  # noqa: S301
            yield thing
