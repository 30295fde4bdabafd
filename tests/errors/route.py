"""Errors of zhufeng.route."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.errors.case import case
from tests.route.stages import REGISTERED, Point, stage
from zhufeng.route import Recipe, Run, _stage, add_to_run, load_stage, new_run, recipe_of

Patch = pytest.MonkeyPatch


def put(patch: Patch, *points: metadata.EntryPoint) -> None:
    patch.setattr(_stage, "_points", lambda: points)


def put_stages(patch: Patch, *stages: Any) -> None:
    REGISTERED.update({s.name: s for s in stages})
    put(patch, *(Point(s.name, "tests:S", _stage.GROUP) for s in stages))


def only_corpus(patch: Patch) -> None:
    corpus = metadata.EntryPoint("corpus", "zhufeng.route.stages.corpus:STAGE", _stage.GROUP)
    put(patch, corpus)


@case(
    "r.toml is a recipe of a newer version",
    "version 1 or older",
    "version 2",
    "upgrade: pip install -U zhufeng",
)
def newer(tmp: Path, _: Patch) -> None:
    recipe_of({"version": 2, "name": "x", "future": {}}, "r.toml", tmp, {})


@case(
    "r.toml has an unknown key 'sead'",
    "one of base, corpus, name, seed, version",
    "sead",
    "write 'seed'",
)
def unknown_head(tmp: Path, patch: Patch) -> None:
    only_corpus(patch)
    recipe_of({"sead": 1}, "r.toml", tmp, {})


@case(
    "r.toml has an unknown key 'corpsu'",
    "one of base, corpus, name, seed, version",
    "corpsu",
    "write 'corpus'",
)
def unknown_section(tmp: Path, patch: Patch) -> None:
    only_corpus(patch)
    recipe_of({"corpsu": {}}, "r.toml", tmp, {})


@case(
    "r.toml: 'corpus' is not a section",
    "a section [corpus]",
    "a value, or a list of sections [[corpus]]",
    "write [corpus]",
)
def list_of_sections(tmp: Path, patch: Patch) -> None:
    only_corpus(patch)
    recipe_of({"name": "x", "corpus": [{}]}, "r.toml", tmp, {})


@case(
    "r.toml has no section",
    "a section a stage: [corpus]",
    "a recipe without one",
    "add one",
)
def no_sections(tmp: Path, patch: Patch) -> None:
    only_corpus(patch)
    recipe_of({"name": "x"}, "r.toml", tmp, {})


@case(
    "the folder TMP/caf\\udce9 has a name that is not UTF-8",
    "a recipe in a folder, or a command given in one, that TOML can name",
    "TMP/caf\\udce9",
    "rename the folder, or work in another",
)
def no_utf8_folder(tmp: Path, _: Patch) -> None:
    Recipe("x", 0, tmp / "caf\udce9", {})


@case(
    "r.toml: base is not usable",
    "a folder where relative paths start",
    "~nobody-of-that-name",
    "correct base",
)
def no_base(tmp: Path, _: Patch) -> None:
    head = {"name": "x", "base": "~nobody-of-that-name"}
    recipe_of({**head, "corpus": {"inputs": ["a"]}}, "r.toml", tmp, {})


@case("[a] source: '*.txt' names 2 files", "one file", "a.txt, b.txt", "name one of them")
def two_for_one(tmp: Path, patch: Patch) -> None:
    put_stages(patch, stage("a"))
    (tmp / "a.txt").touch()
    (tmp / "b.txt").touch()
    recipe = recipe_of({"name": "x", "a": {"source": "*.txt"}}, "r.toml", tmp, {})
    list(new_run(tmp / "run", recipe).walk())


@case(
    "the stage 'chip' is not built yet",
    "one of corpus",
    "chip",
    "remove the section [chip]; later versions of Zhufeng bring it",
)
def unbuilt(tmp: Path, patch: Patch) -> None:
    only_corpus(patch)
    recipe_of({"name": "x", "chip": {}}, "r.toml", tmp, {})


@case("the recipe has an unknown key 'corpse'", "one of corpus", "corpse", "write 'corpus'")
def unknown_stage(_: Path, patch: Patch) -> None:
    only_corpus(patch)
    load_stage("corpse")


@case(
    "--set has an unknown key 'a.wrod'",
    "one of a.ignored_upstream, a.source, a.word, name, seed",
    "a.wrod",
    "write 'a.word'",
)
def unknown_setting(tmp: Path, patch: Patch) -> None:
    put_stages(patch, stage("a"))
    recipe_of({"name": "x", "a": {}}, "r.toml", tmp, {"a.wrod": "x"})


@case(
    "ZHUFENG_SEED is not usable",
    "a value as TOML spells it: 3, 0.5, true, [1, 2]",
    "three",
    "correct ZHUFENG_SEED",
)
def unusable_environment(tmp: Path, patch: Patch) -> None:
    patch.setenv("ZHUFENG_SEED", "three")
    recipe_of({"name": "x"}, "r.toml", tmp, {})


@case("r.toml: [b] needs [a]", "a section [a]", "sections b", "add [a]")
def absent_need(tmp: Path, patch: Patch) -> None:
    put_stages(patch, stage("a"), stage("b", "a"))
    recipe_of({"name": "x", "b": {}}, "r.toml", tmp, {})


@case(
    "r.toml: the stages need each other",
    "an order in which every stage follows those it needs",
    "* needs * needs *",
    "remove one of them; the package that brings it is at fault",
)
def cycle(tmp: Path, patch: Patch) -> None:
    put_stages(patch, stage("a", "b"), stage("b", "a"))
    recipe_of({"name": "x", "a": {}, "b": {}}, "r.toml", tmp, {})


@case(
    "the stage 'a' is claimed twice",
    "one package that provides it",
    "both ? and ?",
    "uninstall one of them",
)
def claimed_twice(_: Path, patch: Patch) -> None:
    put(patch, *(metadata.EntryPoint("a", f"x{n}:S", _stage.GROUP) for n in range(2)))
    load_stage("a")


@case(
    "the stage 'a' of the package ? cannot be loaded",
    "nowhere:S to be importable",
    "ModuleNotFoundError: No module named 'nowhere'",
    "reinstall or uninstall ?",
)
def broken_plugin(_: Path, patch: Patch) -> None:
    put(patch, metadata.EntryPoint("a", "nowhere:S", _stage.GROUP))
    load_stage("a")


@case(
    "the stage 'a' of the package ? is not a stage of that name",
    "tests:S to be a zhufeng.route.Stage named 'a'",
    "a Stage named 'b'",
    "upgrade or uninstall ?",
)
def misnamed_plugin(_: Path, patch: Patch) -> None:
    REGISTERED["a"] = stage("b")
    put(patch, Point("a", "tests:S", _stage.GROUP))
    load_stage("a")


@case(
    "TMP/c.toml has no section [a]",
    "a TOML file with [a]",
    "a file without it",
    "add [a], or leave --config out",
)
def no_section(tmp: Path, patch: Patch) -> None:
    put_stages(patch, stage("a"))
    (tmp / "c.toml").write_text('name = "x"\n')
    add_to_run(tmp / "run", "a", {}, tmp / "c.toml")


@case(
    "'b' needs the run's 'a'",
    "a fresh artifact TMP/run/a",
    "a run without it",
    "make it first: zhufeng run TMP/run/run.toml -o TMP/run",
)
def need_not_made(tmp: Path, patch: Patch) -> None:
    put_stages(patch, stage("a"), stage("b", "a"))
    add_to_run(tmp / "run", "b", {}, None)


@case(
    "'b' needs the run's 'a'",
    "a fresh artifact TMP/run/a",
    "a run without it",
    "make it first: zhufeng a INPUT -o TMP/run",
)
def need_with_a_command(tmp: Path, patch: Patch) -> None:
    put_stages(patch, replace(stage("a"), command="zhufeng a INPUT"), stage("b", "a"))
    add_to_run(tmp / "run", "b", {}, None)


@case(
    "TMP/rnu is not a run",
    "a run's folder, with a run.toml",
    "no such folder",
    "name 'run'",
)
def no_run(tmp: Path, _: Patch) -> None:
    (tmp / "run").mkdir()
    (tmp / "run" / "run.toml").touch()
    Run.open(tmp / "rnu")


@case(
    "TMP is not a run",
    "a new or empty folder, or an earlier run",
    "a folder with thesis.tex in it",
    "name another folder with -o",
)
def not_empty(tmp: Path, _: Patch) -> None:
    (tmp / "thesis.tex").touch()
    new_run(tmp, Recipe("x", 0, tmp, {}))
