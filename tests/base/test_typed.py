"""Strict reading of TOML and JSON into records."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhufeng.base import InputError, dump_toml, nearest, parse, record, shown, to_json


@record
class Inner:
    size: int
    share: float = 0.5


@record
class Outer:
    name: str
    mode: Literal["fast", "slow"] = "fast"
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("a name other than bad")


@pytest.mark.parametrize(
    ("data", "where", "expected"),
    [
        ({}, "f: name is missing", "a value for 'name'"),
        ({"name": 3}, "f: name is not usable", "a valid string"),
        ({"name": "x", "mode": "quick"}, "f: mode is not usable", "'fast' or 'slow'"),
        ({"name": "x", "nmae": 1}, "f has an unknown key 'nmae'", "one of inner, many, mode"),
        ({"name": "x", "inner": {"size": "3"}}, "f: inner.size is not usable", "a valid integer"),
        ({"name": "x", "inner": {"size": 3.0}}, "f: inner.size is not usable", "a valid integer"),
        ({"name": "x", "inner": {"size": True}}, "f: inner.size is not usable", "a valid integer"),
        (
            {"name": "x", "many": [{"size": 1, "shar": 1}]},
            "f: many[0] has an unknown",
            "one of share",
        ),
        ({"name": "bad"}, "f is not usable", "a name other than bad"),
        ([], "f is not usable", "an object"),
    ],
)
def test_what_does_not_fit_is_refused_by_place(data: Any, where: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(Outer, data, "f")
    assert where in str(caught.value)
    assert caught.value.expected.startswith(expected)


def test_the_nearest_known_key_is_named() -> None:
    with pytest.raises(InputError) as caught:
        parse(Outer, {"name": "x", "inner": {"size": 1, "shaer": 2}}, "f")
    assert caught.value.do == "write 'share'"


def test_integers_serve_as_floats_and_lists_as_tuples() -> None:
    read = parse(Outer, {"name": "x", "many": [{"size": 1, "share": 1}], "named": {"a": 2}}, "f")
    assert read.many == (Inner(size=1, share=1.0),)
    assert isinstance(read.many[0].share, float)


inners = st.builds(Inner, size=st.integers(-(2**62), 2**62), share=st.floats(allow_nan=False))
outers = st.builds(
    Outer,
    name=st.text().filter(lambda name: name != "bad"),
    mode=st.sampled_from(["fast", "slow"]),
    inner=st.none() | inners,
    many=st.lists(inners).map(tuple),
    named=st.dictionaries(st.text(), st.floats(allow_nan=False)),
)


@given(outers)
def test_what_is_written_reads_back(value: Outer) -> None:
    assert parse(Outer, to_json(value), "f") == value


def test_a_date_is_no_string() -> None:
    data = tomllib.loads("name = 1979-05-27")
    with pytest.raises(InputError, match="name is not usable"):
        parse(Outer, data, "f")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_string_survives_toml(text: str) -> None:
    assert tomllib.loads(dump_toml({"a": [text], "b": {"c": text}}).decode()) == {
        "a": [text],
        "b": {"c": text},
    }


def test_nan_survives() -> None:
    read = parse(Inner, to_json(Inner(size=1, share=math.nan)), "f")
    assert math.isnan(read.share)


def test_toml_leaves_none_out() -> None:
    assert dump_toml({"a": 1, "b": None, "c": {"d": None}}) == b"a = 1\n\n[c]\n"
    assert dump_toml({"a": [{"b": 1, "c": None}]}) == b"a = [\n    { b = 1 },\n]\n"


def test_shown_is_one_short_printable_line() -> None:
    assert shown("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert len(shown("x" * 10_000)) == 80


def test_nearest_says_nothing_where_nothing_is_near() -> None:
    assert nearest("tokeniser", ["tokenizer", "inputs"]) == "tokenizer"
    assert nearest("zzz", ["tokenizer", "inputs"]) is None
