"""Files that the user names: files, folders, globs and URLs, told apart by content."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from zhufeng.base._errors import InputError
from zhufeng.base._hashing import sha256_file
from zhufeng.base._remote import fetch, file_path, is_url, remote_files
from zhufeng.base._typed import brief, shown, similar_name


@dataclass(frozen=True)
class Files:
    """Marks a field of a stage's configuration as naming files that the stage reads.

    >>> inputs: Annotated[tuple[str, ...], Files(endings=(".txt",))]
    """

    endings: tuple[str, ...] = ()
    """Which files of a folder are meant; a file named outright must have one of them too."""
    packaged: Callable[[str], Path | None] | None = None
    """The file that a name stands for, which an installed package carries; None for any other
    text. A file of that name in the folder where relative paths start goes before it."""

    def known(self, pattern: str, base: Path) -> Path | None:
        """The packaged file that `pattern` names."""
        if self.packaged is None or (base / pattern).exists():
            return None
        return self.packaged(pattern)


@dataclass(frozen=True)
class Source:
    """A file that a stage reads."""

    name: str
    """The shortest end of its path that no other source of the field shares, so that a corpus
    is the same corpus wherever it lies."""
    path: Path
    """Where it lies on this machine; for a URL, the path within its store."""
    sha256: str
    """Of its bytes; for a URL, of what the store says of it."""
    url: str | None = None

    def local(self) -> Path:
        """The file on this machine; one behind a URL is fetched to the cache.

        Raises:
            OSError: it cannot be fetched.
        """
        return self.path if self.url is None else fetch(self.url, self.sha256)


def expand(
    patterns: Sequence[str],
    base: Path,
    files: Files,
    where: str,
    *,
    outside: Path | None = None,
) -> tuple[Source, ...]:
    """The files that `patterns` name, without repetition, sorted by name.

    Args:
        patterns: paths of files and folders, globs (``**`` reaches into folders), and fsspec
            URLs of the same. Links are followed.
        base: where relative paths start.
        files: which endings are meant.
        where: who names them ("recipe.toml: corpus.inputs"), for the error.
        outside: a folder whose files are never meant: the run's own.

    Raises:
        InputError: a pattern names nothing, or a file of another kind, or a folder that cannot
            be listed.
    """
    # By what a link leads to, so that nothing is read twice; but read under its own name.
    found: dict[Path, tuple[Path, str]] = {}
    remote: dict[Path, tuple[str, str]] = {}
    for given in patterns:
        pattern = file_path(str(files.known(given, base) or given))
        if is_url(pattern):
            fitting = _fitting(pattern, files, where)
            found |= {path: (path, path.name) for path in fitting}
            remote |= fitting
            continue
        try:
            matches = _expand_one(pattern, base, files, where, outside)
        except (RuntimeError, ValueError) as error:
            # No such user after '~', or a name that no file can have.
            raise InputError(
                f"{where}: '{shown(pattern)}' names no file",
                expected="a path, or a glob",
                came=brief(error),
                do="correct it",
            ) from None
        for path, name in matches:
            found.setdefault(path.resolve(), (path, name))
    names = _distinct(dict(found.values()))
    return tuple(
        sorted(
            (
                Source(_utf8(name), path, remote[path][1], remote[path][0])
                if path in remote
                else Source(_utf8(name), path, sha256_file(path))
                for path, name in names.items()
            ),
            key=lambda source: source.name,
        )
    )


def _expand_one(
    pattern: str, base: Path, files: Files, where: str, outside: Path | None
) -> list[tuple[Path, str]]:
    """Pairs of a file and the least that it may be called."""
    path = _named(pattern, base)
    if path.is_dir():
        every = (p for p in _below(path, where, outside) if _fits(p, files) and p.is_file())
        inside = [p for p in every if not _within(p, outside)]
        if not inside:
            raise InputError(
                f"{where}: the folder '{shown(pattern)}' holds nothing to read",
                expected=_kinds(files),
                came="no such file in it",
                do="check the path",
            )
        return [(p, p.relative_to(path.parent).as_posix()) for p in inside]
    if path.is_symlink() and not path.exists():
        raise InputError(
            f"{where}: '{shown(pattern)}' is a link that leads nowhere",
            expected="a file or a folder at its end",
            came=f"nothing at {shown(str(path.readlink()))}",
            do="mend the link, or name the file itself",
        )
    found = [path] if path.is_file() else _glob(pattern, base)
    matches = [match for match in found if not _within(match, outside)]
    if not matches:
        raise InputError(
            f"{where}: '{shown(pattern)}' names no file",
            expected="a file, a folder or a glob that matches a file",
            came=f"nothing at {path}" + similar_name(path),
            do="check the path; relative ones start at " + str(base),
        )
    for match in matches:
        if not _fits(match, files):
            raise InputError(
                f"{where}: '{shown(match.name)}' is of a kind that is not read",
                expected=_kinds(files),
                came=f"a file ending in '{shown(match.suffix)}'",
                do="name files of these kinds, or convert it",
            )
    return [(match, match.name) for match in matches]


def _below(folder: Path, where: str, outside: Path | None) -> list[Path]:
    """What lies in a folder and in those within it, sorted; each real folder once, so that links
    in a circle end."""

    def unreadable(error: OSError) -> NoReturn:
        raise InputError(
            f"{where}: the folder '{shown(str(error.filename))}' cannot be listed",
            expected="folders that can be read",
            came=brief(error),
            do="mend its rights, or name what else is wanted one by one",
        ) from None

    found: list[Path] = []
    seen: set[str] = set()
    # Those behind links come last: what lies here goes by the name that it has here.
    waiting = [folder]
    while waiting:
        linked: list[Path] = []
        for top in sorted(waiting):
            for root, folders, names in os.walk(top, onerror=unreadable):
                here = Path(root)
                real = os.path.realpath(root)
                if real in seen or _within(here, outside):
                    folders.clear()
                    continue
                seen.add(real)
                found += [here / name for name in names]
                linked += [here / name for name in folders if (here / name).is_symlink()]
        waiting = linked
    return sorted(found)


def _fitting(pattern: str, files: Files, where: str) -> dict[Path, tuple[str, str]]:
    """Path within its store to URL and identity, for the files that a URL names."""
    named = remote_files(pattern, where)
    paths = {Path("/", url.partition("://")[2]): (url, identity) for url, identity in named}
    fitting = {path: what for path, what in paths.items() if _fits(path, files)}
    if not fitting:
        raise InputError(
            f"{where}: '{shown(pattern)}' holds nothing to read",
            expected=_kinds(files),
            came=f"{len(paths)} files of other kinds",
            do="check the URL",
        )
    return fitting


def _named(pattern: str, base: Path) -> Path:
    if not pattern:
        raise ValueError("an empty path")
    path = base / pattern
    # A file may begin with '~'; only where there is none does it mean somebody's home.
    return path if path.exists() else base / Path(pattern).expanduser()


def anchor(pattern: str, base: Path) -> str:
    """The absolute pattern that names from anywhere what `pattern` names from `base`."""
    if is_url(pattern):
        return pattern
    pattern = file_path(pattern)
    path = _named(pattern, base)
    if path.exists() or not glob.has_magic(pattern):
        return str(path)
    # Brackets in the names of the folders above are no pattern.
    return str(Path(glob.escape(str(base))) / Path(pattern).expanduser())


def _utf8(name: str) -> str:
    """A name that every file of ours can hold, also where the system's own is no UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _glob(pattern: str, base: Path) -> list[Path]:
    if not glob.has_magic(pattern):
        return []
    found = glob.glob(anchor(pattern, base), recursive=True)  # noqa: PTH207 (absolute ones too)
    return sorted(path for path in map(Path, found) if path.is_file())


def _distinct(names: dict[Path, str]) -> dict[Path, str]:
    """Lengthen names by parent folders until no two are alike."""
    while True:
        counts = Counter(names.values())
        alike = [path for path, name in names.items() if counts[name] > 1]
        if not alike:
            return names
        for path in alike:
            names[path] = Path(
                *path.absolute().parts[-len(Path(names[path]).parts) - 1 :]
            ).as_posix()


def _within(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def _fits(path: Path, files: Files) -> bool:
    return not files.endings or path.name.lower().endswith(files.endings)


def _kinds(files: Files) -> str:
    return "files ending in " + ", ".join(files.endings) if files.endings else "files"
