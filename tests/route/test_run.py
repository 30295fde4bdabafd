"""Runs: only what has to be made is made, and nothing that stands is lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.route.stages import CopyConfig, copy, stage, write_recipe
from zhufeng.base import InputError
from zhufeng.report import Section
from zhufeng.route import Run, add_to_run, new_run, read_recipe

Register = Callable[..., None]


def walk(recipe: Path, run: Path) -> dict[str, str]:
    return {result.name: result.did for result in new_run(run, read_recipe(recipe)).walk()}


def states(run: Path) -> dict[str, str]:
    return {status.name: status.state for status in Run.open(run).status()}


def why(run: Path, name: str, **options: bool) -> str:
    return next(s.why for s in Run.open(run).status(**options) if s.name == name)


@pytest.fixture
def diamond(tmp_path: Path, register: Register) -> tuple[Path, Path]:
    """a and b from files; c from both; d from b alone."""
    register(stage("a"), stage("b"), stage("c", "a", "b"), stage("d", "b"))
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "b.txt").write_text("B")
    sections: dict[str, dict[str, Any]] = {
        "a": {"source": "a.txt"},
        "b": {"source": "b.txt", "word": "w"},
        "c": {},
        "d": {},
    }
    return write_recipe(tmp_path, **sections), tmp_path / "run"


def test_a_second_walk_does_nothing_and_changes_no_byte(diamond: tuple[Path, Path]) -> None:
    recipe, run = diamond
    assert walk(recipe, run) == dict.fromkeys("abcd", "made")
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in run.rglob("*/*")}
    assert walk(recipe, run) == dict.fromkeys("abcd", "nothing")
    assert before == {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in run.rglob("*/*")}
    assert (run / "c" / "out.txt").read_text() == "A++B+w+"


def test_only_what_depends_on_a_change_is_made(diamond: tuple[Path, Path]) -> None:
    recipe, run = diamond
    walk(recipe, run)
    recipe.write_text(recipe.read_text().replace('word = "w"', 'word = "v"'))
    assert walk(recipe, run) == {"a": "nothing", "b": "made", "c": "made", "d": "made"}
    (recipe.parent / "a.txt").write_text("AA")
    assert states(run) == {"a": "stale", "b": "fresh", "c": "stale", "d": "fresh"}
    assert walk(recipe, run) == {"a": "made", "b": "nothing", "c": "made", "d": "nothing"}


def test_equal_content_from_other_settings_stops_the_wave(
    tmp_path: Path, register: Register
) -> None:
    """What depends on an artifact depends on its content, not on how it came about."""
    register(stage("a"), stage("b", "a"))
    (tmp_path / "a.txt").write_text("A")
    recipe = write_recipe(tmp_path, a={"source": "a.txt"}, b={})
    walk(recipe, tmp_path / "run")
    write_recipe(tmp_path, a={"source": "a.txt", "ignored_upstream": True}, b={})
    assert walk(recipe, tmp_path / "run") == {"a": "made", "b": "nothing"}


def test_the_seed_changes_everything_and_a_stage_version_what_follows(
    diamond: tuple[Path, Path], register: Register
) -> None:
    recipe, run = diamond
    walk(recipe, run)
    register(stage("a"), stage("b"), stage("c", "a", "b", version=2), stage("d", "b"))
    assert states(run) == {"a": "fresh", "b": "fresh", "c": "stale", "d": "fresh"}
    recipe.write_text("seed = 9\n" + recipe.read_text())
    assert walk(recipe, run) == dict.fromkeys("abcd", "made")


def test_status_tells_fresh_stale_and_missing_with_reasons(diamond: tuple[Path, Path]) -> None:
    recipe, run = diamond
    walk(recipe, run)
    assert set(states(run).values()) == {"fresh"}
    (recipe.parent / "b.txt").write_text("BB")
    assert why(run, "b") == "input source: b.txt has other content"
    assert why(run, "c") == "b has to be made first"
    (run / "a" / "out.txt").write_text("Z+")
    assert why(run, "a") == ""
    assert why(run, "a", thorough=True) == "out.txt has changed"
    (run / "a" / "out.txt").unlink()
    assert why(run, "a") == "out.txt is gone"
    (recipe.parent / "b.txt").write_text("B")
    (run / "d").rename(recipe.parent / "d-moved")
    assert states(run)["d"] == "missing"
    assert walk(recipe, run) == {"a": "made", "b": "nothing", "c": "nothing", "d": "made"}


def test_a_damaged_run_mends_itself(diamond: tuple[Path, Path]) -> None:
    """Whatever is damaged, in whatever order the stages come, the next walk makes it whole."""
    recipe, run = diamond
    walk(recipe, run)
    expected = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    for name, content in (
        ("d/section.json", "{torn"),
        ("b/manifest.json", ""),
        ("a/manifest.json", '{"manifest": 1}'),
        ("c/out.txt", ""),
        ("run.toml", "= torn"),
    ):
        (run / name).write_text(content)
        if name != "run.toml":
            assert states(run)[name[0]] == "stale"
        walk(recipe, run)
        assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == expected


def test_a_run_whose_inputs_are_gone_still_shows_what_it_made(
    diamond: tuple[Path, Path], register: Register
) -> None:
    recipe, run = diamond
    walk(recipe, run)
    page = (run / "index.html").read_text()
    (recipe.parent / "a.txt").unlink()
    assert why(run, "a").startswith("its inputs are out of reach: [a] source: 'a.txt' names no")
    assert states(run)["b"] == "fresh"
    Run.open(run).rewrite_page()
    assert (run / "index.html").read_text().count("<section id=") == page.count("<section id=")
    register(*(stage(n) for n in "ab"), stage("c", "a", "b"), stage("d", "b"), stage("e", "a"))
    assert add_to_run(run, "e", {}, None)[1].did == "made"


def test_a_run_outlives_the_folder_that_its_recipe_came_from(
    tmp_path: Path, register: Register
) -> None:
    register(stage("a"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "a.txt").write_text("A")
    walk(write_recipe(project, a={"source": "a.txt"}), tmp_path / "run")
    page = (tmp_path / "run" / "index.html").read_text()
    project.rename(tmp_path / "moved")
    assert why(tmp_path / "run", "a").startswith("its inputs are out of reach")
    Run.open(tmp_path / "run").rewrite_page()
    assert (tmp_path / "run" / "index.html").read_text().count("<section") == page.count("<section")


def test_only_a_seeded_stage_depends_on_the_seed(tmp_path: Path, register: Register) -> None:
    register(stage("a"), replace(stage("b"), seeded=False))
    recipe = write_recipe(tmp_path, a={}, b={})
    walk(recipe, tmp_path / "run")
    recipe.write_text("seed = 9\n" + recipe.read_text())
    assert walk(recipe, tmp_path / "run") == {"a": "made", "b": "nothing"}


def test_another_caption_upstream_remakes_nothing_downstream(
    tmp_path: Path, register: Register
) -> None:
    register(stage("a"), stage("b", "a"))
    recipe = write_recipe(tmp_path, a={}, b={})
    walk(recipe, tmp_path / "run")

    def other_words(config: Any, work: Any) -> Section:
        copy(config, work)
        return Section(title="Other", summary="words")

    register(replace(stage("a", version=2), make=other_words), stage("b", "a"))
    assert walk(recipe, tmp_path / "run") == {"a": "made", "b": "nothing"}


def test_a_stage_that_returns_no_section_publishes_nothing(
    tmp_path: Path, register: Register
) -> None:
    silent: Any = lambda _config, _work: None  # noqa: E731 (typed, for mypy)
    register(replace(stage("a"), make=silent))
    with pytest.raises(TypeError, match="must return a Section"):
        walk(write_recipe(tmp_path, a={}), tmp_path / "run")
    assert not (tmp_path / "run" / "a").exists()


def test_a_section_that_is_dropped_is_told(
    diamond: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    recipe, run = diamond
    walk(recipe, run)
    logging.getLogger("zhufeng").propagate = True
    walk(write_recipe(recipe.parent, a={"source": "a.txt"}), run)
    assert "d: no longer in the recipe; its folder is left as it is" in caplog.text
    assert (run / "d" / "out.txt").exists()


def test_moving_recipe_and_files_together_changes_nothing(diamond: tuple[Path, Path]) -> None:
    recipe, run = diamond
    walk(recipe, run)
    moved = recipe.parent / "elsewhere"
    moved.mkdir()
    for name in ("recipe.toml", "a.txt", "b.txt"):
        (recipe.parent / name).rename(moved / name)
    assert walk(moved / "recipe.toml", run) == dict.fromkeys("abcd", "nothing")


def test_the_page_shows_each_section_and_step(diamond: tuple[Path, Path]) -> None:
    recipe, run = diamond
    walk(recipe, run)
    page = (run / "index.html").read_text()
    for name in "abcd":
        assert f'<section id="{name}">' in page
    assert "not built yet" in page


def test_a_recipe_that_names_nothing_touches_nothing(diamond: tuple[Path, Path]) -> None:
    recipe, run = diamond
    walk(recipe, run)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    recipe.write_text(recipe.read_text().replace("b.txt", "no.txt"))
    with pytest.raises(InputError, match="names no file"):
        walk(recipe, run)
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_a_folder_with_other_things_is_left_alone(diamond: tuple[Path, Path]) -> None:
    recipe, run = diamond
    run.mkdir()
    (run / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"a folder with thesis\.tex in it"):
        walk(recipe, run)
    assert os.listdir(run) == ["thesis.tex"]


def test_a_users_folder_where_an_artifact_would_go_is_left_alone(
    diamond: tuple[Path, Path],
) -> None:
    recipe, run = diamond
    walk(write_recipe(recipe.parent, a={"source": "a.txt"}), run)
    (run / "b").mkdir()
    (run / "b" / "mine.txt").write_text("mine")
    recipe = write_recipe(recipe.parent, a={"source": "a.txt"}, b={"source": "b.txt"})
    with pytest.raises(InputError, match="is not an artifact"):
        walk(recipe, run)
    assert (run / "b" / "mine.txt").read_text() == "mine"


def test_one_artifact_joins_a_run_and_is_refused_from_other_inputs(
    tmp_path: Path, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(stage("a"), stage("b", "a"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "other.txt").write_text("O")
    run = tmp_path / "run"

    def add(name: str, **flags: Any) -> str:
        return add_to_run(run, name, flags, None)[1].did

    assert add("a", source="a.txt") == "made"
    assert add("a", source=str(tmp_path / "a.txt")) == "nothing"
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match="stands already"):
        add("a", source="other.txt")
    with pytest.raises(InputError, match="stands already"):
        add("a", source="a.txt", word="w")
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    assert add("b") == "made"
    assert states(run) == {"a": "fresh", "b": "fresh"}
    page = (run / "index.html").read_text()
    assert '<section id="a">' in page
    assert '<section id="b">' in page
    # What was put together piece by piece is a recipe like any other.
    assert walk(run / "run.toml", tmp_path / "again") == {"a": "made", "b": "made"}
    assert (tmp_path / "again/b/out.txt").read_bytes() == (run / "b/out.txt").read_bytes()


def test_a_run_does_not_read_what_it_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("A")
    run = tmp_path / "run"
    assert add_to_run(run, "corpus", {"inputs": ["."]}, None)[1].did == "made"
    assert add_to_run(run, "corpus", {"inputs": ["."]}, None)[1].did == "nothing"
    assert states(run) == {"corpus": "fresh"}


def test_what_an_artifact_needs_has_to_be_there(tmp_path: Path, register: Register) -> None:
    register(stage("a"), stage("b", "a"))
    with pytest.raises(InputError, match="'b' needs the run's 'a'"):
        add_to_run(tmp_path / "run", "b", {}, None)


def test_what_is_needed_may_depend_on_the_configuration(tmp_path: Path, register: Register) -> None:
    """With a source of its own, b no longer needs a, and a's change leaves it fresh."""

    def needed(config: CopyConfig) -> tuple[str, ...]:
        return () if config.source else ("a",)

    register(stage("a"), replace(stage("b"), needs=needed))
    (tmp_path / "s.txt").write_text("S")
    run = tmp_path / "run"
    assert walk(write_recipe(tmp_path, b={}, a={"word": "1"}), run) == {"a": "made", "b": "made"}
    assert walk(write_recipe(tmp_path, b={}, a={"word": "2"}), run) == {"a": "made", "b": "made"}
    alone = {"source": "s.txt"}
    assert walk(write_recipe(tmp_path, b=alone, a={}), run) == {"a": "made", "b": "made"}
    assert walk(write_recipe(tmp_path, b=alone, a={"word": "3"}), run)["b"] == "nothing"
    assert add_to_run(tmp_path / "other", "b", {"source": str(tmp_path / "s.txt")}, None)


def test_flags_environment_and_file_of_one_artifact(
    tmp_path: Path, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(stage("a"))
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "near.txt").write_text("near the file")
    config = tmp_path / "conf" / "c.toml"
    config.write_text('[a]\nsource = "near.txt"\nword = "file"\n')

    def made(name: str, **flags: Any) -> str:
        run, _ = add_to_run(tmp_path / name, "a", flags, config)
        return (run.place("a") / "out.txt").read_text()

    assert made("1") == "near the file+file"
    monkeypatch.setenv("ZHUFENG_A_WORD", "environment")
    assert made("2") == "near the file+environment"
    assert made("3", word="flag") == "near the file+flag"


def test_two_processes_do_not_write_one_run(diamond: tuple[Path, Path]) -> None:
    recipe, run = diamond
    first = new_run(run, read_recipe(recipe)).walk()
    next(first)
    with pytest.raises(InputError, match="is in use"):
        walk(recipe, run)
    list(first)
    assert walk(recipe, run) == dict.fromkeys("abcd", "nothing")
