"""Artifacts: folders that are whole or absent, and that know what they were made from.

An artifact is written beside its place, brought to the disk, and renamed. Its manifest holds
the configuration, seed, versions, hashes of inputs and of its own files, figures and notes.
Asked for again from the same inputs, nothing is done; from others, it is refused or replaced.

Nothing in an artifact depends on time, machine or folder: the same inputs give the same bytes,
also when the making was killed and taken up again.
"""

from __future__ import annotations

import json
import math
import platform
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zhufeng.base._errors import InputError
from zhufeng.base._files import (
    UNFINISHED,
    files_below,
    sync_folder,
    sync_tree,
    write_durable,
)
from zhufeng.base._hashing import sha256_file, sha256_json
from zhufeng.base._typed import parse, read_json, record, shown, to_json

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1


@record
class Spec:
    """What an artifact is made from. Equal specs make equal bytes."""

    kind: str
    """What it is, as the recipe names it: ``"corpus"``."""
    version: int
    """Of the code that makes it; raised whenever its output changes."""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Name of each input to the SHA-256 of its content."""
    seed: int = 0

    @property
    def key(self) -> str:
        """SHA-256 over all of the above."""
        return sha256_json(to_json(self))


@record
class File:
    """One file of an artifact."""

    bytes: int
    sha256: str


@record
class Manifest:
    """What an artifact says of itself; ``manifest.json`` in its folder."""

    manifest: int = MANIFEST_VERSION
    spec: Spec
    versions: Mapping[str, str]
    """Of Zhufeng, Python and the packages that the stage names. Told, not part of the key."""
    figures: Mapping[str, float | None]
    log: tuple[str, ...]
    files: Mapping[str, File]


@dataclass
class Draft:
    """An artifact while it is being made. Write below `folder`; say the rest here."""

    folder: Path
    figures: dict[str, float | None] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def note(self, message: str) -> None:
        """Add a line to the manifest's log. No times and no paths: it is part of the bytes."""
        self.log.append(message)


class DamagedError(InputError):
    """An artifact's manifest cannot be read; the artifact can only be made again."""


def find(place: Path) -> Manifest | None:
    """The manifest of the artifact at `place`; None where there is nothing.

    Raises:
        DamagedError: the manifest is unreadable.
        InputError: what stands at `place` is no artifact, or one of a newer version.
    """
    if not place.exists() and not place.is_symlink():
        return None
    path = place / MANIFEST
    if not path.exists():
        raise InputError(
            f"{place} is not an artifact",
            expected=f"a folder with a {MANIFEST}, or nothing",
            came="a folder without one" if place.is_dir() else "a file",
            do="name another place, or move it away",
        )
    return read_manifest(path)


def read_manifest(path: Path) -> Manifest:
    """Read ``manifest.json``.

    Raises:
        DamagedError: it is damaged.
        InputError: it is of a newer version.
    """
    try:
        data = read_json(path)
    except InputError as error:
        raise _damaged(path, error) from None
    version = data.get("manifest") if isinstance(data, dict) else None
    if isinstance(version, int) and version > MANIFEST_VERSION:
        raise InputError(
            f"{path} is of a newer version",
            expected=f"a manifest of version {MANIFEST_VERSION} or older",
            came=f"version {version}",
            do="upgrade: pip install -U zhufeng",
        )
    try:
        return parse(Manifest, data, str(path))
    except InputError as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: InputError) -> DamagedError:
    return DamagedError(
        error.where,
        expected=error.expected,
        came=error.came,
        do=f"make it again: zhufeng run RUN/run.toml -o RUN replaces {path.parent.name}",
    )


def damage(place: Path, manifest: Manifest, *, thorough: bool = False) -> str | None:
    """What is wrong with the files of an artifact, in a few words; None if nothing is.

    Compares names and sizes; `thorough` reads every byte.
    """
    there = set(files_below(place)) - {MANIFEST}
    for name, entry in manifest.files.items():
        path = place / name
        if name not in there:
            return f"{name} is gone"
        if path.stat().st_size != entry.bytes or (
            thorough and sha256_file(path, remember=False) != entry.sha256
        ):
            return f"{name} has changed"
    added = sorted(there - set(manifest.files))
    return f"{shown(added[0])} was added" if added else None


def make(
    place: Path,
    spec: Spec,
    fill: Callable[[Draft], None],
    *,
    replace: bool = False,
    resumes: bool = False,
    packages: tuple[str, ...] = (),
) -> Manifest:
    """Make the artifact `spec` at `place`, unless it stands there already.

    The caller holds `exclusive(place.parent)`.

    Args:
        place: the artifact's folder; its parent must exist.
        spec: what it is made from.
        fill: writes the files. Whatever it raises leaves `place` as it was.
        replace: an artifact from other inputs, or a damaged one, gives way; else it is refused.
        resumes: `fill` takes up the files that a killed attempt of the same spec has left in
            the draft's folder (written with `write_durable`, so that each is whole). Figures
            and notes must then follow from the files. Without it every attempt begins empty.
        packages: whose versions the manifest records.

    Raises:
        InputError: refused.
    """
    _recover(place)
    manifest = standing(place, spec, replace=replace)
    if manifest is None:
        draft_folder = _beside(place, f"draft-{spec.key[:16]}")
        manifest = _fill(draft_folder, spec, fill, resumes=resumes, versions=_versions(packages))
        _publish(draft_folder, place)
    _sweep(place)
    return manifest


def standing(place: Path, spec: Spec, *, replace: bool) -> Manifest | None:
    """The artifact `spec`, if it stands at `place` and is whole; None if it has to be made.

    Raises:
        InputError: something stands there that must not give way.
    """
    try:
        found = find(place)
    except DamagedError:
        if not replace:
            raise
        return None
    if found is None:
        return None
    if found.spec.key == spec.key:
        return None if damage(place, found) else found
    if not replace:
        raise InputError(
            f"{place} stands already",
            expected="the same inputs as it was made from",
            came="; ".join(differences(found.spec, spec)),
            do=f"name another folder with -o, or remove {place} to have it made again",
        )
    return None


def _fill(
    folder: Path,
    spec: Spec,
    fill: Callable[[Draft], None],
    *,
    resumes: bool,
    versions: Mapping[str, str],
) -> Manifest:
    if finished := _finished(folder):
        return finished
    if folder.exists() and not resumes:
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    for name in files_below(folder):
        if name.endswith(UNFINISHED):
            (folder / name).unlink()
    draft = Draft(folder)
    fill(draft)
    _check_written(folder)
    manifest = Manifest(
        spec=spec,
        versions=versions,
        figures={name: _finite(value) for name, value in sorted(draft.figures.items())},
        log=tuple(draft.log),
        files={
            name: File(bytes=(folder / name).stat().st_size, sha256=sha256_file(folder / name))
            for name in files_below(folder)
        },
    )
    sync_tree(folder)
    text = json.dumps(to_json(manifest), indent=1, sort_keys=True, ensure_ascii=False)
    write_durable(folder / MANIFEST, text.encode() + b"\n")
    return manifest


def _finite(value: float | None) -> float | None:
    """A figure; one that is not a number could not be computed."""
    return float(value) if value is not None and math.isfinite(value) else None


def _finished(folder: Path) -> Manifest | None:
    """The manifest of a draft that was killed before its rename, if all of it is there."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    with suppress(InputError):
        manifest = read_manifest(path)
        if not damage(folder, manifest):
            return manifest
    path.unlink()  # killed while it was being swept away
    return None


def _check_written(folder: Path) -> None:
    """What a manifest could not vouch for is the stage's fault."""
    if (folder / MANIFEST).exists():
        raise ValueError(f"a stage must not write {MANIFEST} itself")
    links = [path for path in folder.rglob("*") if path.is_symlink()]
    if links:
        raise ValueError(f"a stage must not leave symbolic links: {links[0].name}")


def _publish(draft_folder: Path, place: Path) -> None:
    if place.exists():
        place.rename(_beside(place, "replaced"))
    draft_folder.rename(place)
    sync_folder(place.parent)


def _recover(place: Path) -> None:
    """Settle a replacement that was killed: before the new artifact stood, the old one is back."""
    replaced = _beside(place, "replaced")
    if replaced.exists() or replaced.is_symlink():
        if place.exists():
            _remove(replaced)
        else:
            replaced.rename(place)


def _sweep(place: Path) -> None:
    """Remove what earlier attempts and the replaced artifact left beside `place`.

    Only now: until the new artifact stands, a half-made other one may still be wanted.
    """
    for entry in place.parent.iterdir():
        drafts = _beside(place, "draft-").name
        if entry == _beside(place, "replaced") or entry.name.startswith(drafts):
            _remove(entry)


def _remove(path: Path) -> None:
    if path.is_symlink():  # a user has moved the artifact elsewhere; the link was ours, not that
        path.unlink()
    else:
        shutil.rmtree(path)


def _beside(place: Path, role: str) -> Path:
    return place.with_name(f".{place.name}.{role}")


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    from importlib import metadata  # noqa: PLC0415 (slow to import)

    named = {name: metadata.version(name) for name in packages}
    return {
        "zhufeng": metadata.version("zhufeng"),
        "python": platform.python_version(),
        **named,
    }


def differences(old: Spec, new: Spec) -> list[str]:
    """What has changed between two specs, in words a user knows."""
    found = []
    if old.kind != new.kind:
        found.append(f"kind: {old.kind} there, {new.kind} here")
    if old.version != new.version:
        found.append(f"made by version {old.version} of the stage, now version {new.version}")
    if old.seed != new.seed:
        found.append(f"seed: {old.seed} there, {new.seed} here")
    was, now = old.configuration, new.configuration
    found += [
        f"{key}: {shown(repr(was.get(key)))} there, {shown(repr(now.get(key)))} here"
        for key in sorted({*was, *now})
        if was.get(key) != now.get(key)
    ]
    for name in sorted({*old.inputs, *new.inputs}):
        if name not in new.inputs:
            found.append(f"input {shown(name)} is no longer given")
        elif name not in old.inputs:
            found.append(f"input {shown(name)} is new")
        elif old.inputs[name] != new.inputs[name]:
            found.append(f"input {shown(name)} has other content")
    return found
