"""Ranges of tensors, read into the caller's memory."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from zhufeng.base import brief
from zhufeng.fusion.tensors._folder import TensorFolder
from zhufeng.fusion.tensors._header import TensorInfo, damaged


class TensorReader:
    """Reads ranges of a folder's tensors; any number of threads may share one.

    >>> with TensorReader(open_tensors(folder)) as reader:
    ...     reader.read("lm_head.weight", 0, buffer)
    """

    def __init__(self, folder: TensorFolder) -> None:
        self.folder = folder
        self._open: dict[str, int] = {}
        for file in dict.fromkeys(info.file for info in folder.tensors.values()):
            self._open[file] = _descriptor(folder.folder / file)

    def read(self, name: str, start: int, buffer: memoryview) -> None:
        """Fill `buffer` (bytes, writable) with the tensor's bytes from `start` on.

        Raises:
            InputError: the file has become shorter, or the disk fails.
        """
        info = self.folder.tensors[name]
        assert start >= 0
        assert start + len(buffer) <= info.bytes
        descriptor, at, done = self._open[info.file], info.offset + start, 0
        while done < len(buffer):
            try:
                got = os.preadv(descriptor, [buffer[done:]], at + done)
            except OSError as error:
                raise self._failed(info, brief(error)) from None
            if got == 0:
                raise self._failed(info, "the end of the file: it was changed meanwhile")
            done += got

    def close(self) -> None:
        """Close the files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _failed(self, info: TensorInfo, came: str) -> Exception:
        path = self.folder.folder / info.file
        return damaged(path, f"the {info.bytes} bytes of tensor {info.name}", came)


def _descriptor(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise damaged(path, "a file that can be read", brief(error)) from None
