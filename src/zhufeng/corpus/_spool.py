"""Documents on their way to the corpus, kept on the disk while the whole is looked at."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from zhufeng.records import Document


class Spool:
    """A list of documents in a temporary file: written once, read as often as wanted."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed at exit)
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, document: Document) -> None:
        """Put a document at the end."""
        pickle.dump(document, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Document]:
        self._file.seek(0)
        for _ in range(self._count):
            # What is read here is what `add` has written to a file without a name.
            document: Document = pickle.load(self._file)  # noqa: S301
            yield document
