"""The stage [fuse], judged from what it leaves."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from zhufeng.base import files_below
from zhufeng.fusion.mix import MemberSpec, open_member, split
from zhufeng.report import Section, Table, read_section
from zhufeng.route import new_run, read_recipe

MODEL = "[fuse.model]\nvocabulary = 270\nlayers = 1\nwidth = 16\nheads = 2\nff_width = 32\n"


def write_texts(folder: Path) -> None:
    """Two languages of few words each, so that little training tells them apart."""
    draw = random.Random(5)
    for name, words in (("one", ["ga", "bu", "zo"]), ("two", ["珠", "峰", "高"])):
        lines = (" ".join(draw.choices(words, k=9)) for _ in range(120))
        (folder / f"{name}.txt").write_text("\n\n".join(lines))


def made(folder: Path, name: str, keys: str) -> Path:
    recipe = folder / f"{name}.toml"
    recipe.write_text(f'name = "t"\nseed = 5\n[fuse]\n{keys}\n')
    run = new_run(folder / name, read_recipe(recipe))
    list(run.walk())
    return run.place("fuse")


def tables(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuse")
    (folder / "texts").mkdir()
    write_texts(folder / "texts")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    keys = 'texts = ["texts"]\nsteps = 60\nbatch = 4\nsequence = 24\ndocument = 80\n'
    return made(folder, "trained", keys + MODEL)


def test_two_small_decoders_know_more_together(trained: Path) -> None:
    rows = json.loads((trained / "table.json").read_text())["bits_per_byte"]
    columns = json.loads((trained / "table.json").read_text())["columns"]
    assert columns == ["one", "two", "mixed", "mean"]
    for own, other in (("one", "two"), ("two", "one")):
        assert rows[own][columns.index(own)] < rows[other][columns.index(own)]
    assert rows["mixture"][-1] < min(rows["one"][-1], rows["two"][-1])
    assert rows["mixture"][2] < rows["the best for each document"][2]
    told = json.loads((trained / "manifest.json").read_text())["figures"]
    assert told["mixture_bpb"] == rows["mixture"][-1]
    assert told["best_single_bpb"] == min(rows["one"][-1], rows["two"][-1])


def test_the_page_says_who_contributed_what(trained: Path) -> None:
    costs, contributions = tables(read_section(trained))
    assert [row[0] for row in costs.rows][-1] == "mixture"
    assert contributions.columns == ("bits contributed", "one", "two", "all")
    for row in contributions.rows:
        numbers = [one for one in row[1:] if isinstance(one, int)]
        assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=2)


def test_the_same_again_is_the_same_to_the_byte(folder: Path, trained: Path) -> None:
    keys = 'texts = ["texts"]\nsteps = 60\nbatch = 4\nsequence = 24\ndocument = 80\n'
    again = made(folder, "again", keys + MODEL)
    first, second = ({n: (p / n).read_bytes() for n in files_below(p)} for p in (trained, again))
    assert first == second


def test_members_that_stand_are_judged_on_all_of_the_texts(folder: Path, trained: Path) -> None:
    place = made(
        folder, "standing", f'texts = ["texts/one.txt"]\nmembers = ["{trained}/members"]\n'
    )
    rows = json.loads((place / "table.json").read_text())["bits_per_byte"]
    text = (folder / "texts" / "one.txt").read_text()
    member = open_member(MemberSpec(name="one", folder=str(trained / "members" / "one")))
    whole = float(np.sum(member.score(split(text)))) / len(text.encode())
    assert rows["one"][0] == pytest.approx(whole, rel=0.05)  # documents begin without a past
