"""1,000 damaged inputs: exit code 2, one message, no traceback, nothing lost."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import Answer

from zhufeng.cli import main

Call = Callable[..., Answer]

MESSAGE = re.compile(
    r"\Azhufeng: [^\n]+\n  expected: [^\n]+\n  came:     [^\n]+\n  do:       [^\n]+\n\Z"
)
RECIPE = """\
version = 1
name = "damaged"
seed = 3

[corpus]
inputs = ["a.txt"]
shard_tokens = 1000
"""
per = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
line = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=30)


def one_message(answer: Answer, what: object) -> None:
    assert answer.code == 2, (what, answer)
    assert MESSAGE.match(answer.err), (what, answer.err)
    assert answer.out == "", what


# What makes a recipe unusable, whatever the drawn text: each is damage for certain.
bad_values = st.one_of(
    st.integers(-100, 0).map(str),
    st.floats(allow_nan=True).map(repr),
    st.sampled_from(["true", '"x"', "[1]", "{}", "1979-05-27", "0x", "1_"]),
)
key = st.from_regex(r"\A[a-z_]{1,12}\Z").filter(
    lambda k: k not in {"inputs", "tokenizer", "end_of_document", "shard_tokens", "corpus"}
)


@st.composite
def damaged_recipe(draw: st.DrawFn) -> bytes:  # noqa: PLR0911 (a kind of damage a return)
    kind = draw(st.integers(0, 8))
    if kind == 0:  # a value that does not fit
        return RECIPE.replace("shard_tokens = 1000", f"shard_tokens = {draw(bad_values)}").encode()
    if kind == 1:  # an unknown key in a section
        return f"{RECIPE}{draw(key)} = 1\n".encode()
    if kind == 2:  # an unknown section
        name = draw(key.filter(lambda k: k not in {"version", "name", "seed", "base"}))
        return f"{RECIPE}\n[{name}]\n".encode()
    if kind == 3:  # a key that is missing
        missing = draw(st.sampled_from(['name = "damaged"\n', 'inputs = ["a.txt"]\n']))
        return RECIPE.replace(missing, "").encode()
    if kind == 4:  # cut off inside a string or after an equals sign
        cuts = [m.end() for m in re.finditer(r' = |= "|\["|\[corp', RECIPE)]
        return RECIPE[: draw(st.sampled_from(cuts))].encode()
    if kind == 5:  # bytes that are no UTF-8
        at = draw(st.integers(0, len(RECIPE)))
        return RECIPE[:at].encode() + b"\xff\xfe" + RECIPE[at:].encode()
    if kind == 6:  # a line that is no TOML
        return f"{RECIPE}\n= {draw(line)}\n".encode()
    if kind == 7:  # a newer version
        version = f"version = {draw(st.integers(2, 10**6))}"
        return RECIPE.replace("version = 1", version).encode()
    # Files that are not there; nested too deep; given twice.
    tail = draw(
        st.sampled_from(
            ['inputs = ["a.txt"]', "x = " + "[" * 5000, "[corpus]", "version = 1", 'name = "x"']
        )
    )
    gone = RECIPE.replace('"a.txt"', json.dumps(draw(st.from_regex(r"\A[a-z]{3,8}\.txt\Z"))))
    return draw(st.sampled_from([gone.encode(), f"{RECIPE}{tail}\n".encode()]))


@settings(per, max_examples=340)
@given(damaged_recipe())
def test_damaged_toml(zhufeng: Call, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_text("text")
    recipe, run = tmp_path / "recipe.toml", tmp_path / "run"
    recipe.write_bytes(data)
    one_message(zhufeng("run", recipe, "-o", run), data)
    assert not run.exists()


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "a.txt").write_text("text")
    (folder / "recipe.toml").write_text(RECIPE)
    assert main(["run", str(folder / "recipe.toml"), "-o", str(folder / "run")]) == 0
    return folder / "run"


def paths_into(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    for key, inner in value.items() if isinstance(value, dict) else ():
        found += paths_into(inner, (*here, key))
    return found


def with_changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    return {**value, path[0]: with_changed(value[path[0]], path[1:], new)}


# What the manifest and the section hold freely, so that another value is no damage.
FREE = {"configuration", "figures", "log", "versions", "inputs", "files", "blocks"}


@st.composite
def damaged_json(draw: st.DrawFn, whole: str) -> str:
    value = json.loads(whole)
    kind = draw(st.integers(0, 4))
    if kind == 0:  # cut off
        return whole[: draw(st.integers(0, len(whole.rstrip()) - 1))]
    if kind == 1:  # another type
        paths = [p for p in paths_into(value) if not FREE & set(p[:-1])]
        wrongs: list[Any] = [None, 1.5, [[]], True, {"x": []}]
        path = draw(st.sampled_from(paths))
        if path[-1] in FREE:
            wrongs = [None, 1.5, True, "x"]
        return json.dumps(with_changed(value, path, draw(st.sampled_from(wrongs))))
    if kind == 2:  # an unknown key
        return json.dumps({**value, draw(key): 1})
    if kind == 3:  # another value altogether
        return json.dumps(draw(st.none() | st.integers() | st.text() | st.lists(st.integers())))
    return "[" * draw(st.integers(5000, 9000))  # nested too deep


@settings(per, max_examples=330)
@given(data=st.data(), name=st.sampled_from(["manifest.json", "section.json"]))
def test_damaged_json(zhufeng: Call, whole_run: Path, data: st.DataObject, name: str) -> None:
    path = whole_run / "corpus" / name
    whole = path.read_text()
    page = (whole_run / "index.html").read_bytes()
    damaged = data.draw(damaged_json(whole))
    try:
        path.write_text(damaged)
        one_message(zhufeng("report", whole_run), damaged)
        assert (whole_run / "index.html").read_bytes() == page
    finally:
        path.write_text(whole)


word = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
strange_flag = st.from_regex(r"\A--[a-z]{2,10}\Z").filter(
    lambda f: (
        f not in {"--help", "--version", "--json", "--verbose", "--seed", "--set", "--output"}
        and not f.startswith("--no-")
    )
)


@st.composite
def damaged_command(draw: st.DrawFn) -> list[str]:  # noqa: PLR0911 (likewise)
    good = draw(
        st.sampled_from(
            [
                ["run", "RECIPE", "-o", "RUN"],
                ["status", "RUN"],
                ["report", "RUN"],
                ["demo", "-o", "RUN"],
                ["corpus", "build", "a.txt", "-o", "RUN"],
                ["doctor"],
            ]
        )
    )
    kind = draw(st.integers(0, 6))
    if kind == 0:  # no such command
        name = draw(st.from_regex(r"\A[a-z]{1,10}\Z"))
        known = {"run", "status", "report", "demo", "corpus", "train", "doctor"}
        return [name if name not in known else name + "x", *good[1:]]
    if kind == 1:  # no such flag
        return [*good, draw(strange_flag)]
    if kind == 2:  # a flag without its value
        return [
            *draw(st.sampled_from([["run", "RECIPE"], ["demo"], ["corpus", "build", "a"]])),
            "-o",
        ]
    if kind == 3:  # too many words
        if good[0] == "corpus":
            return ["corpus", draw(st.from_regex(r"\A[a-z]{1,5}\Z")) + "x"]
        extra = draw(st.from_regex(r"\A[a-z]{1,10}\Z"))
        return [*good, extra, extra]
    if kind == 4:  # a value of another kind
        seed = draw(st.sampled_from(["x", "1.5", "", "--", "1e3"]))
        return ["run", "RECIPE", "-o", "RUN", "--seed", seed]
    if kind == 5:  # settings that are none
        setting = draw(word.filter(lambda w: "=" not in w and not w.startswith("-")))
        value = draw(st.sampled_from(["", "=1", ".x=1"]))
        return ["run", "RECIPE", "-o", "RUN", "--set", setting + value]
    # Paths that are not there, or are something else.
    name = draw(word.filter(lambda w: not w.startswith("-")))
    return [draw(st.sampled_from(["status", "report"])), "absent-" + name]


@settings(per, max_examples=330)
@given(damaged_command())
def test_damaged_command_lines(zhufeng: Call, tmp_path: Path, given_words: list[str]) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    run = tmp_path / "run"
    if run.exists():
        shutil.rmtree(run)
    places = {"RECIPE": str(tmp_path / "recipe.toml"), "RUN": str(run)}
    arguments = [places.get(word, word) for word in given_words]
    one_message(zhufeng(*arguments), arguments)
    assert not run.exists()


@settings(per, max_examples=100)
@given(st.binary(max_size=400))
def test_noise_is_refused(zhufeng: Call, tmp_path: Path, data: bytes) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_bytes(data)
    one_message(zhufeng("run", recipe, "-o", tmp_path / "run"), data)
