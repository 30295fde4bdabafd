"""The one error for what a user can put right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def printable(text: str) -> str:
    """`text` on one line, with control characters spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class InputError(Exception):
    """Something given to Zhufeng cannot be used; the command line ends with exit code 2.

    Every such error says four things, so that nobody has to read our source to go on:
    where it is wrong, what was expected, what came, and what to do.
    """

    def __init__(self, where: str, *, expected: str, came: str, do: str) -> None:
        super().__init__(where, expected, came, do)
        # Names and values in it came from outside: they must not draw on the terminal.
        self.where = printable(where)
        self.expected = printable(expected)
        self.came = printable(came)
        self.do = printable(do)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments do not survive pickling by themselves; workers raise these too.
        return _rebuild, (type(self), self.where, self.expected, self.came, self.do)

    def __str__(self) -> str:
        return (
            f"{self.where}\n"
            f"  expected: {self.expected}\n"
            f"  came:     {self.came}\n"
            f"  do:       {self.do}"
        )


def _rebuild(kind: type[InputError], where: str, expected: str, came: str, do: str) -> InputError:
    error = kind.__new__(kind)
    InputError.__init__(error, where, expected=expected, came=came, do=do)
    return error


class MissingExtraError(InputError):
    """A capability's optional packages are not installed."""

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(
            f"the package '{package}' is not installed",
            expected=f"the extra [{extra}], which brings '{package}'",
            came="an installation without it",
            do=f"pip install 'zhufeng[{extra}]'",
        )


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a failed import inside the block into the pip command that mends it.

    >>> with needs_extra("train"):
    ...     import torch

    Raises:
        MissingExtraError: a module imported in the block is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(extra, (error.name or "?").partition(".")[0]) from error
