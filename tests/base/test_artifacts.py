"""Artifacts are whole or absent, and know what they were made from."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from zhufeng.base import (
    DamagedError,
    Draft,
    InputError,
    Spec,
    damage,
    find,
    make,
    read_manifest,
    write_durable,
)


def spec(**changes: object) -> Spec:
    fields: dict[str, object] = {
        "kind": "thing",
        "version": 1,
        "configuration": {"size": 3},
        "inputs": {"a.txt": "0" * 64},
        "seed": 7,
    }
    return Spec(**{**fields, **changes})  # type: ignore[arg-type]


def filler(text: str = "x") -> Callable[[Draft], None]:
    def fill(draft: Draft) -> None:
        write_durable(draft.folder / "data.txt", text.encode())
        (draft.folder / "sub").mkdir(exist_ok=True)
        write_durable(draft.folder / "sub" / "more.bin", b"\x00\x01")
        draft.figures["size"] = 1.5
        draft.note("made")

    return fill


def refuse(_: Draft) -> None:
    raise AssertionError("made again")


def test_the_manifest_tells_everything_and_its_hashes_are_those_of_sha256(tmp_path: Path) -> None:
    place = tmp_path / "thing"
    made = make(place, spec(), filler("hello"), packages=("numpy",))
    on_disk = json.loads((place / "manifest.json").read_text())
    assert on_disk["files"]["data.txt"] == {
        "bytes": 5,
        "sha256": hashlib.sha256(b"hello").hexdigest(),
    }
    assert set(on_disk["files"]) == {"data.txt", "sub/more.bin"}
    assert on_disk["spec"]["configuration"] == {"size": 3}
    assert on_disk["figures"] == {"size": 1.5}
    assert on_disk["log"] == ["made"]
    assert set(on_disk["versions"]) == {"zhufeng", "python", "numpy"}
    assert read_manifest(place / "manifest.json") == made


def test_the_same_inputs_again_do_nothing(tmp_path: Path) -> None:
    make(tmp_path / "thing", spec(), filler())
    make(tmp_path / "thing", spec(), refuse)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"configuration": {"size": 4}}, "size: 3 there, 4 here"),
        ({"seed": 8}, "seed: 7 there, 8 here"),
        ({"version": 2}, "made by version 1 of the stage, now version 2"),
        ({"inputs": {"a.txt": "1" * 64}}, "input a.txt has other content"),
        ({"inputs": {"b.txt": "0" * 64}}, "input a.txt is no longer given; input b.txt is new"),
    ],
)
def test_other_inputs_are_refused_and_nothing_is_touched(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    place = tmp_path / "thing"
    make(place, spec(), filler("old"))
    with pytest.raises(InputError, match=re.escape(told)):
        make(place, spec(**change), refuse)
    assert (place / "data.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["thing"]


def test_replacing_leaves_only_the_new_one(tmp_path: Path) -> None:
    place = tmp_path / "thing"
    make(place, spec(), filler("old"))
    make(place, spec(seed=8), filler("new"), replace=True)
    assert (place / "data.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["thing"]


def test_a_failed_making_leaves_the_old_one(tmp_path: Path) -> None:
    place = tmp_path / "thing"
    make(place, spec(), filler("old"))

    def fail(draft: Draft) -> None:
        filler("half")(draft)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        make(place, spec(seed=8), fail, replace=True)
    assert (place / "data.txt").read_text() == "old"
    assert find(place) is not None


def test_a_resuming_stage_finds_what_was_left_and_others_begin_empty(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def fail_once(draft: Draft) -> None:
        seen.append(sorted(p.name for p in draft.folder.iterdir()))
        write_durable(draft.folder / "part-0", b"0")
        (draft.folder / "part-1.unfinished").write_bytes(b"torn")
        if len(seen) < 2:
            raise RuntimeError("killed")
        (draft.folder / "part-1.unfinished").unlink()

    for resumes, expected in ((True, ["part-0"]), (False, [])):
        seen.clear()
        place = tmp_path / f"thing-{resumes}"
        with pytest.raises(RuntimeError):
            make(place, spec(), fail_once, resumes=resumes)
        make(place, spec(), fail_once, resumes=resumes)
        assert seen == [[], expected]


def test_damage_is_found(tmp_path: Path) -> None:
    place = tmp_path / "thing"
    made = make(place, spec(), filler("hello"))
    assert damage(place, made, thorough=True) is None
    (place / "data.txt").write_text("hallo")
    assert damage(place, made) is None  # same size: only reading tells
    assert damage(place, made, thorough=True) == "data.txt has changed"
    (place / "data.txt").write_text("hello!")
    assert damage(place, made) == "data.txt has changed"
    (place / "data.txt").write_text("hello")
    (place / "new").touch()
    assert damage(place, made) == "new was added"
    (place / "data.txt").unlink()
    assert damage(place, made) == "data.txt is gone"
    make(place, spec(), filler("hello"))
    assert damage(place, made, thorough=True) is None


def test_keys_tell_specs_apart_and_ignore_the_order_of_keys() -> None:
    same = spec(configuration={"a": 1, "b": 2}).key
    assert spec(configuration={"b": 2, "a": 1}).key == same
    others = [spec(seed=8), spec(version=2), spec(kind="other"), spec(inputs={}), spec()]
    assert len({same, *(other.key for other in others)}) == 6


def test_every_file_reaches_the_disk_before_the_folder_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the rename must not find an empty file: fsync, then rename, then fsync."""
    events: list[tuple[str, str]] = []
    fsync, rename = os.fsync, os.rename

    def recording_fsync(descriptor: int) -> None:
        events.append(("fsync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def recording_rename(old: object, new: object, **options: int) -> None:
        events.append(("rename", str(new)))
        rename(old, new, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(os, "rename", recording_rename)
    place = tmp_path / "thing"

    def fill(draft: Draft) -> None:
        (draft.folder / "sub").mkdir()
        (draft.folder / "sub" / "careless.txt").write_text("not synced by whoever wrote it")

    make(place, spec(), fill)
    published = events.index(("rename", str(place)))
    synced = {Path(name).name for kind, name in events[:published] if kind == "fsync"}
    assert {"careless.txt", "sub", "manifest.json.unfinished"} <= synced
    assert ("fsync", str(tmp_path)) in events[published:]


def test_a_damaged_manifest_is_refused_or_replaced_when_that_is_asked(tmp_path: Path) -> None:
    place = tmp_path / "thing"
    make(place, spec(), filler())
    (place / "manifest.json").write_text("{torn")
    with pytest.raises(DamagedError):
        make(place, spec(), refuse)
    make(place, spec(), filler("new"), replace=True)
    assert (place / "data.txt").read_text() == "new"


def test_an_old_artifact_moved_away_by_a_killed_replacement_is_put_back(tmp_path: Path) -> None:
    place = tmp_path / "thing"
    make(place, spec(), filler("old"))
    place.rename(tmp_path / ".thing.replaced")
    make(place, spec(), refuse)
    assert (place / "data.txt").read_text() == "old"


@pytest.mark.parametrize("next_seed", [8, 9])
@pytest.mark.parametrize("moment", ["old moved away", "new in place", "half swept"])
def test_a_replacement_killed_at_its_end_is_settled(
    tmp_path: Path, moment: str, next_seed: int
) -> None:
    """Whether the same command comes next, or one with another change."""
    place, replaced = tmp_path / "thing", tmp_path / ".thing.replaced"
    make(place, spec(), filler("old"))
    if moment == "old moved away":
        place.rename(replaced)
    else:
        place.rename(replaced)
        make(tmp_path / "other", spec(seed=8), filler("new"))
        (tmp_path / "other").rename(place)
        if moment == "half swept":
            (replaced / "manifest.json").unlink()
    make(place, spec(seed=next_seed), filler("new"), replace=True)
    assert os.listdir(tmp_path) == ["thing"]
    assert (place / "data.txt").read_text() == "new"


def test_a_half_swept_draft_is_never_published(tmp_path: Path) -> None:
    draft = tmp_path / f".thing.draft-{spec().key[:16]}"
    make(tmp_path / "other", spec(), filler("whole"))
    (tmp_path / "other").rename(draft)
    (draft / "data.txt").unlink()
    made = make(tmp_path / "thing", spec(), filler("whole"))
    assert damage(tmp_path / "thing", made, thorough=True) is None


def test_what_a_manifest_could_not_vouch_for_is_the_stages_fault(tmp_path: Path) -> None:
    def own_manifest(draft: Draft) -> None:
        (draft.folder / "manifest.json").write_text("{}")

    def link(draft: Draft) -> None:
        (draft.folder / "link").symlink_to("/")

    for number, fill in enumerate((own_manifest, link)):
        with pytest.raises(ValueError, match="a stage must not"):
            make(tmp_path / "thing", spec(seed=number), fill)
        assert not (tmp_path / "thing").exists()


def test_numpys_numbers_serve_as_figures(tmp_path: Path) -> None:
    def fill(draft: Draft) -> None:
        draft.figures |= {"a": np.float32(0.5), "b": np.int64(3), "c": None}  # type: ignore[dict-item]

    assert make(tmp_path / "thing", spec(), fill).figures == {"a": 0.5, "b": 3.0, "c": None}


def test_an_unknown_package_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(PackageNotFoundError):
        make(tmp_path / "thing", spec(), refuse, packages=("no-such-package",))


def test_an_artifact_moved_behind_a_link_gives_way_and_its_files_stay(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "runs" / "thing", tmp_path / "big"
    place.parent.mkdir()
    make(place, spec(), filler("old"))
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    make(place, spec(), refuse)
    make(place, spec(seed=8), filler("new"), replace=True)
    assert (place / "data.txt").read_text() == "new"
    assert (elsewhere / "data.txt").read_text() == "old"
    assert os.listdir(place.parent) == ["thing"]


def test_figures_that_are_no_numbers_could_not_be_computed(tmp_path: Path) -> None:
    def fill(draft: Draft) -> None:
        draft.figures |= {"a": float("nan"), "b": float("inf")}

    assert make(tmp_path / "thing", spec(), fill).figures == {"a": None, "b": None}
