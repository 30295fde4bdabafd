"""Recipes: typed, strict, and layered: flags over environment over file."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhufeng.base import InputError
from zhufeng.corpus import CorpusConfig
from zhufeng.route import demo_recipe, known_stages, read_recipe, recipe_of

TEXT = """
version = 1
name = "test"
seed = 5

[corpus]
inputs = ["a.txt"]
shard_tokens = 100
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(TEXT)
    return path


def test_a_recipe_is_typed(recipe: Path) -> None:
    read = read_recipe(recipe)
    assert (read.name, read.seed, read.base) == ("test", 5, recipe.parent)
    assert read.sections == {"corpus": CorpusConfig(inputs=("a.txt",), shard_tokens=100)}


def test_a_flag_beats_the_environment_which_beats_the_file(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tokens_and_seed(**flags: str) -> tuple[int, int]:
        read = read_recipe(recipe, {key.replace("__", "."): v for key, v in flags.items()})
        return read.sections["corpus"].shard_tokens, read.seed

    assert tokens_and_seed() == (100, 5)
    monkeypatch.setenv("ZHUFENG_CORPUS_SHARD_TOKENS", "200")
    monkeypatch.setenv("ZHUFENG_SEED", "6")
    assert tokens_and_seed() == (200, 6)
    assert tokens_and_seed(corpus__shard_tokens="300", seed="7") == (300, 7)


def test_the_environment_has_no_say_over_the_files_form(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHUFENG_VERSION", "9")
    monkeypatch.setenv("ZHUFENG_BASE", "/")
    assert read_recipe(recipe).base == recipe.parent
    monkeypatch.setenv("ZHUFENG_SEED", "9")
    assert read_recipe(recipe, environment=False).seed == 5


def test_strings_and_lists_of_one_need_no_quotes(recipe: Path) -> None:
    read = read_recipe(recipe, {"corpus.inputs": "b.txt", "name": "true"})
    assert read.sections["corpus"].inputs == ("b.txt",)
    assert read.name == "true"
    assert read_recipe(recipe, {"corpus.inputs": '["b", "c"]'}).sections["corpus"].inputs == (
        "b",
        "c",
    )


def test_what_is_dumped_reads_back_from_anywhere(recipe: Path, tmp_path: Path) -> None:
    read = read_recipe(recipe)
    elsewhere = tmp_path / "elsewhere" / "recipe.toml"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(read.dump())
    assert read_recipe(elsewhere) == read


def test_the_demo_uses_every_stage_that_is_built() -> None:
    """A capability is finished only when the demo walks it."""
    built_in = {name for name in known_stages() if name != "wordcount"}
    assert set(read_recipe(demo_recipe()).sections) == built_in


def test_stages_follow_what_they_need_and_else_the_route() -> None:
    assert list(read_recipe(demo_recipe()).sections) == [
        "corpus",
        "train",
        "trace",
        "fuse",
        "hdl",
        "verify",
    ]


def test_a_hint_is_given_for_every_misspelling(tmp_path: Path) -> None:
    for table, hint in (
        ({"name": "x", "sead": 1}, "write 'seed'"),
        ({"name": "x", "corpsu": {}}, "write 'corpus'"),
        ({"name": "x", "corpus": {"input": ["a"]}}, "write 'inputs'"),
    ):
        with pytest.raises(InputError) as caught:
            recipe_of(table, "recipe.toml", tmp_path, {})
        assert caught.value.do == hint
