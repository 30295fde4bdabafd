"""Durable files, locks, hashes, sources and seeds."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from zhufeng.base import (
    Files,
    InputError,
    MissingExtraError,
    anchor,
    beside,
    cache_root,
    derive_seed,
    durable,
    exclusive,
    expand,
    generator,
    remote_files,
    sha256_file,
    sha256_json,
    write_durable,
)


def test_a_failed_write_leaves_the_old_bytes_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durable(path, b"old")
    with pytest.raises(RuntimeError), durable(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_held_by_one_process_and_freed_by_its_death(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from zhufeng.base import exclusive\n"
        f"with exclusive(Path({str(tmp_path)!r})): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="is in use"), exclusive(tmp_path):
            pass
        holder.kill()
    with exclusive(tmp_path):
        pass


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files were changed long ago."""
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)


def remembered() -> list[str]:
    with closing(sqlite3.connect(cache_root() / "hashes" / "files.sqlite")) as connection:
        return [row[0] for row in connection.execute("SELECT sha256 FROM hashes")]


@pytest.mark.usefixtures("settled")
def test_a_remembered_hash_is_never_that_of_other_content(tmp_path: Path) -> None:
    path = tmp_path / "large"
    digests = []
    for fill in (b"a", b"b"):
        path.write_bytes(fill * (5 << 20))
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
        assert sha256_file(path) == sha256_file(path) == digests[-1]
    assert sorted(remembered()) == sorted(digests)


def test_a_file_that_may_still_change_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"a" * (5 << 20))
    sha256_file(path)
    assert not (cache_root() / "hashes").exists()


@pytest.mark.usefixtures("settled")
def test_a_settled_file_is_read_once_unless_every_byte_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"a" * (5 << 20))
    digest = sha256_file(path)
    database = cache_root() / "hashes" / "files.sqlite"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE hashes SET sha256 = 'remembered'")
    assert sha256_file(path) == "remembered"
    assert sha256_file(path, remember=False) == digest
    database.write_bytes(b"this is no database")
    assert sha256_file(path) == digest


def test_errors_survive_the_way_home_from_a_worker() -> None:
    error = InputError("here", expected="a", came="b", do="c")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (InputError, str(error))
    missing = pickle.loads(pickle.dumps(MissingExtraError("train", "torch")))
    assert isinstance(missing, MissingExtraError)
    assert "pip install 'zhufeng[train]'" in str(missing)


def test_a_forked_worker_does_not_keep_the_lock(tmp_path: Path) -> None:
    """The parent is killed while its child lives on; the next process must get the folder."""
    code = (
        "import os, sys, time; from pathlib import Path; from zhufeng.base import exclusive\n"
        f"with exclusive(Path({str(tmp_path)!r})):\n"
        "    child = os.fork()\n"
        "    os.write(1, f'{child or \"child\"}\\n'.encode())\n"
        "    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        lines = {holder.stdout.readline().decode().strip() for _ in range(2)}
        assert "child" in lines
        child = int((lines - {"child"}).pop())
        try:
            holder.kill()
            holder.wait()
            with exclusive(tmp_path):
                os.kill(child, 0)  # it is alive, and does not hold the folder
        finally:
            os.kill(child, signal.SIGKILL)


def test_equal_json_hashes_alike() -> None:
    assert sha256_json({"a": 1, "b": [1, 2]}) == sha256_json({"b": [1, 2], "a": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": 1.5})


def test_sources_have_the_shortest_names_that_tell_them_apart(tmp_path: Path) -> None:
    for name in ("x/one/a.txt", "x/two/a.txt", "x/two/b.txt", "x/two/skip.bin"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    files = Files(endings=(".txt",))
    found = expand(["x/one/a.txt", "x/two/*.txt"], tmp_path, files, "here")
    assert [source.name for source in found] == ["b.txt", "one/a.txt", "two/a.txt"]
    assert found[1].sha256 == hashlib.sha256(b"x/one/a.txt").hexdigest()
    folder = expand(["x"], tmp_path, files, "here")
    assert [source.name for source in folder] == ["x/one/a.txt", "x/two/a.txt", "x/two/b.txt"]
    twice = expand(["x/one/a.txt", "x/one/../one/a.txt"], tmp_path, files, "here")
    assert [source.name for source in twice] == ["a.txt"]


def test_a_link_is_read_under_its_own_name(tmp_path: Path) -> None:
    """As the caches of model hubs and of data version control lay files out."""
    (tmp_path / "blob").write_text("{}")
    (tmp_path / "data.jsonl").symlink_to("blob")
    (found,) = expand(["data.jsonl"], tmp_path, Files((".jsonl",)), "here")
    assert (found.name, found.path.name) == ("data.jsonl", "data.jsonl")


def test_linked_folders_are_entered_each_real_one_once(tmp_path: Path) -> None:
    for name in ("here/own/a.txt", "away/b.txt", "away/deep/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    here = tmp_path / "here"
    (here / "linked").symlink_to("../away")
    (here / "again").symlink_to("linked")
    (here / "a_link").symlink_to("own")
    (tmp_path / "away" / "up").symlink_to("../here")
    (here / "own" / "circle").symlink_to(".")
    found = expand(["here"], tmp_path, Files((".txt",)), "here")
    assert [source.name for source in found] == [
        "here/again/b.txt",
        "here/again/deep/c.txt",
        "here/own/a.txt",
    ]


def test_a_link_into_the_runs_own_folder_is_no_input(tmp_path: Path) -> None:
    for name in ("run/old.txt", "in/new.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "in" / "link").symlink_to("../run")
    found = expand(["in"], tmp_path, Files((".txt",)), "here", outside=tmp_path / "run")
    assert [source.path.name for source in found] == ["new.txt"]


@pytest.mark.parametrize("start", ["file://", "local://", "FILE://localhost"])
def test_a_file_url_is_a_path(tmp_path: Path, start: str) -> None:
    path = tmp_path / "a b%.txt"
    path.touch()
    for url in (start + path.as_uri().removeprefix("file://"), f"{start}{tmp_path}/*%20b*.txt"):
        for pattern in (url, anchor(url, Path("/nowhere"))):
            (found,) = expand([pattern], Path("/nowhere"), Files(), "here")
            assert (found.path, found.url) == (path, None)


def test_a_file_behind_a_url_is_not_asked_for_as_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server is read the whole file through when it is asked for a folder."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    with fsspec.open("memory://film/a.mp4", "wb") as file:
        file.write(b"a film")

    def read_through(*_: object) -> bool:
        raise AssertionError("read for links")

    monkeypatch.setattr(MemoryFileSystem, "isdir", read_through)
    assert [url for url, _ in remote_files("memory://film/a.mp4", "here")] == [
        "memory:///film/a.mp4"
    ]


@pytest.mark.parametrize(
    ("url", "name", "meant"),
    [
        ("s3://shelf/lists/a.jsonl", "b.mp4", "s3://shelf/lists/b.mp4"),
        ("s3://shelf/lists/a.jsonl", "../films/./b.mp4", "s3://shelf/films/b.mp4"),
        ("memory:///lists/a.jsonl", "b.mp4", "memory:///lists/b.mp4"),
        ("memory:///lists/a.jsonl", "memory://films/b.mp4", "memory://films/b.mp4"),
        ("https://host/lists/a.jsonl?key=x/y", "b.mp4?k=1", "https://host/lists/b.mp4?k=1"),
        ("https://host/lists/a.jsonl", "gs://shelf/b.mp4", "gs://shelf/b.mp4"),
    ],
)
def test_what_a_remote_list_means(url: str, name: str, meant: str) -> None:
    assert beside(url, name) == meant


@pytest.mark.parametrize(
    "name",
    [
        "/etc/hostname",
        "file:///etc/hostname",
        "LOCAL:///etc/hostname",
        "asynclocal:///etc/hostname",
        "git:///etc:hostname",
        "simplecache::file:///etc/hostname",
        "../../b.mp4",
    ],
)
def test_a_remote_list_names_nothing_of_this_machine(name: str) -> None:
    with pytest.raises(ValueError, match="list"):
        beside("https://host/lists/a.jsonl", name)


def test_a_file_may_begin_with_a_tilde(tmp_path: Path) -> None:
    (tmp_path / "~notes.txt").touch()
    for pattern in ("~notes.txt", "*.txt", anchor("~notes.txt", tmp_path)):
        assert [s.name for s in expand([pattern], tmp_path, Files(), "here")] == ["~notes.txt"]


def test_a_name_that_is_no_utf8_becomes_one(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).touch()
    (found,) = expand(["*.txt"], tmp_path, Files(), "here")
    assert found.name == "caf\\xe9.txt"
    found.name.encode()


def test_the_runs_own_folder_is_never_an_input(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old.txt").touch()
    (tmp_path / "new.txt").touch()
    for pattern in (".", "**/*.txt"):
        found = expand([pattern], tmp_path, Files((".txt",)), "here", outside=tmp_path / "run")
        assert [source.path.name for source in found] == ["new.txt"]


def test_brackets_in_folder_names_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "take [1]"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c[2].txt"):
        (folder / name).write_text(name)
    for pattern, base in (("*.txt", folder), (anchor("*.txt", folder), tmp_path)):
        found = expand([pattern], base, Files(), "here")
        assert [source.name for source in found] == ["a.txt", "b.txt", "c[2].txt"]
    for pattern, base in (("c[2].txt", folder), (anchor("c[2].txt", folder), tmp_path)):
        assert [source.name for source in expand([pattern], base, Files(), "x")] == ["c[2].txt"]


def test_streams_of_a_seed_are_unrelated_and_repeat() -> None:
    assert derive_seed(0, "a") == derive_seed(0, "a")
    seeds = {derive_seed(seed, name) for seed in range(50) for name in ("a", "b", 1, "1")}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    draws = np.stack([generator(seed, "stream").standard_normal(2000) for seed in range(20)])
    correlations = np.asarray(np.corrcoef(draws))[~np.eye(20, dtype=bool)]
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)
