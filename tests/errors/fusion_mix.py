"""Errors of zhufeng.fusion: mix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models

from tests.errors.case import case
from tests.fusion.mix.tiny import letters, write_member
from zhufeng.base import parse
from zhufeng.fusion.mix import Member, MemberSpec, Mixture, open_member, score_texts, split

Patch = pytest.MonkeyPatch


def spec(**keys: Any) -> MemberSpec:
    return parse(MemberSpec, {"name": "a", **keys}, "f")


def opened(folder: Path, **keys: Any) -> Member:
    return open_member(MemberSpec(name="a", folder=str(folder), **keys))


@case("f is not usable", "a name", "*", "correct it in f")
def a_member_without_a_name(_: Path, __: Patch) -> None:
    parse(MemberSpec, {"name": " ", "folder": "x"}, "f")


@case("f is not usable", "a folder or a url, and not both", "*", "correct it in f")
def neither_folder_nor_url(_: Path, __: Patch) -> None:
    spec()


@case("f is not usable", "a url like http://localhost:8000/v1", "*", "correct it in f")
def a_url_of_a_file(_: Path, __: Patch) -> None:
    spec(url="file:///etc/passwd", model="m")


def bad_url(name: str, url: str) -> None:
    def act(_: Path, __: Patch) -> None:
        spec(url=url, model="m")

    act.__name__ = name
    case("f is not usable", "a url like http://localhost:8000/v1", "*", "correct it in f")(act)


bad_url("a_url_of_an_empty_label", "http://.example/v1")
bad_url("a_url_of_a_long_label", f"http://{'a' * 70}.example/v1")
bad_url("a_url_of_half_an_address", "http://[::1/v1")
bad_url("a_url_of_no_port", "http://localhost:http/v1")
bad_url("a_url_with_a_path_beyond_ascii", "http://localhost/中")


@case(
    "f is not usable",
    "no password in the url: name its environment variable in key",
    "*",
    "correct it in f",
)
def a_password_in_a_url(_: Path, __: Patch) -> None:
    spec(url="https://me:secret@host/v1", model="m")


@case("f is not usable", "url and model together", "*", "correct it in f")
def a_url_without_a_model(_: Path, __: Patch) -> None:
    spec(url="http://localhost/v1")


@case(
    "f is not usable",
    "for a url, the name of an environment variable in key, never a key",
    "*",
    "correct it in f",
)
def a_key_itself(_: Path, __: Patch) -> None:
    spec(url="http://localhost/v1", model="m", key="sk-123")


@case("f is not usable", "end for a folder alone", "*", "correct it in f")
def an_end_for_a_server(_: Path, __: Patch) -> None:
    spec(url="http://localhost/v1", model="m", end="</s>")


CONTEXT = "a context of 4 to 1,048,576"


@case("f is not usable", CONTEXT, "*", "correct it in f")
def a_context_of_nothing(_: Path, __: Patch) -> None:
    spec(folder="x", context=0)


@case("f is not usable", CONTEXT, "*", "correct it in f")
def a_context_beyond_every_memory(_: Path, __: Patch) -> None:
    spec(folder="x", context=10**15)


TIME = "a timeout_s above 0, of a day at most, and at least one of attempts"


@case("f is not usable", TIME, "*", "correct it in f")
def no_time_to_answer(_: Path, __: Patch) -> None:
    spec(folder="x", timeout_s=0.0)


@case("f is not usable", TIME, "*", "correct it in f")
def all_time_to_answer(_: Path, __: Patch) -> None:
    spec(folder="x", timeout_s=1e10)


@case(
    "the text is not Unicode",
    "characters that UTF-8 can spell",
    "half a surrogate pair, U+D800, as character 2",
    "read the text with its right encoding, or replace that character",
)
def half_a_surrogate_pair(_: Path, __: Patch) -> None:
    split("a\ud800")


@case(
    "TMP/m/tokenizer.json cannot spell a text",
    "BPE or Unigram, whose tokens stand for their own text",
    "WordPiece, which drops the spaces",
    "leave this member out",
)
def a_tokenizer_that_drops_spaces(folder: Path, _: Patch) -> None:
    vocab = {"[UNK]": 0, "a": 1, "##b": 2}
    opened(write_member(folder / "m", Tokenizer(models.WordPiece(vocab, unk_token="[UNK]")), 1))


@case(
    "TMP/m/tokenizer.json does not fit the decoder",
    "at most 3 tokens, as config.json says",
    "4",
    "put the tokenizer beside it that it was trained with",
)
def a_tokenizer_of_another_model(folder: Path, _: Patch) -> None:
    place = write_member(folder / "m", letters(["a", "b"]), 1)
    letters(["a", "b", "c"]).save(str(place / "tokenizer.json"))
    opened(place)


@case(
    "TMP/m/tokenizer.json has no token '</s>'",
    "the member's end: a token of its tokenizer",
    "</s>",
    "correct end, or leave it out",
)
def an_end_that_is_no_token(folder: Path, _: Patch) -> None:
    opened(write_member(folder / "m", letters(["a"]), 1), end="</s>")


def far() -> Mixture:
    one = MemberSpec(name="far", url="http://127.0.0.1:9/v1", model="m", key="NO_SUCH_KEY")
    return Mixture([open_member(one)])


@case(
    "no member answers",
    "one at least",
    "far: no usable key in the environment variable NO_SUCH_KEY",
    "see to their servers, and to the variables with their keys",
)
def nobody_answers(_: Path, patch: Patch) -> None:
    patch.delenv("NO_SUCH_KEY", raising=False)
    far().score("a")


@case(
    "no member answers",
    "one at least",
    "far: no usable key in the environment variable NO_SUCH_KEY",
    "see to their servers, and to the variables with their keys",
)
def only_who_has_no_weight_answers(folder: Path, patch: Patch) -> None:
    patch.delenv("NO_SUCH_KEY", raising=False)
    near = opened(write_member(folder / "m", letters(["a"]), 1))
    Mixture([*far().members, near], prior=[1, 0]).score("a")


@case(
    "the documents hold no text",
    "one character at least",
    "1 empty documents",
    "name files with text",
)
def documents_without_text(folder: Path, _: Patch) -> None:
    one = open_member(
        MemberSpec(name="a", folder=str(write_member(folder / "m", letters(["a"]), 1)))
    )
    score_texts(Mixture([one]), [""])
