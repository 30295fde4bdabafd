"""Errors of zhufeng.fusion: distil."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.errors.case import case
from tests.fusion.distil.members import TEXTS, folder, tiny
from tests.training.tasks import write_shards
from zhufeng.base import parse, to_json, write_durable
from zhufeng.fusion.distil import (
    CorpusFiles,
    DistilConfig,
    Teacher,
    TeacherConfig,
    distil,
    open_teacher,
    teach,
)
from zhufeng.fusion.distil._answers import read_part
from zhufeng.fusion.distil._tokenizer import Spelling
from zhufeng.fusion.mix import MemberError, MemberSpec, Voice
from zhufeng.records import TokenSet, write_token_set

Patch = pytest.MonkeyPatch


class Silent:
    """Cannot say anything, or fails."""

    name = "silent"

    def __init__(self, error: str | None = None) -> None:
        self.error = error

    def score(self, chunks: Sequence[str], context: Sequence[str] = ()) -> NDArray[np.float64]:
        if self.error:
            raise MemberError(self.error)
        return np.full(len(chunks), np.inf)

    def begin(self, context: Sequence[str]) -> Voice:
        raise NotImplementedError


def asked(tmp: Path, member: Silent, texts: Sequence[str] = TEXTS, held_out: float = 0.2) -> None:
    teacher = Teacher("silent", "0", lambda: member, lambda chunks: 1.0)
    teach(TeacherConfig(held_out=held_out), [teacher], texts, tmp / "teacher", 0)


@case("the mixture cannot teach", "members, each of a name of its own", "none", "name at least *")
def nobody(tmp: Path, _: Patch) -> None:
    teach(TeacherConfig(), [], TEXTS, tmp / "teacher", 0)


@case(
    "the members cannot say the text",
    "a likelihood above 0 for some of it",
    "none in its first 20 passages",
    "check that each member answers, and that its tokenizer knows such text",
)
def nothing_to_say(tmp: Path, _: Patch) -> None:
    asked(tmp, Silent())


@case(
    "the member silent does not answer",
    "the likelihood of a passage",
    "503",
    "see to it, and call again: what was answered is kept",
)
def no_answer(tmp: Path, _: Patch) -> None:
    asked(tmp, Silent("503"))


SMALL = "the corpus is too small to learn from and to hold out"
BOTH = "passages of both, with a share of * held out in passages of 512 chunks"
MORE = "give more text, shorten passage, or change held_out"


@case(SMALL, BOTH, "0 to learn from, 0 held out", MORE)
def no_documents(tmp: Path, _: Patch) -> None:
    asked(tmp, Silent(), [])


@case(SMALL, BOTH, "20 to learn from, 0 held out", MORE)
def nothing_held_out(tmp: Path, _: Patch) -> None:
    asked(tmp, Silent(), held_out=0.01)


@case(
    "what the answers of the member far cost is not known",
    "its multiply-accumulates a byte, so that the baselines get as many",
    "a server without them",
    "give macs_per_byte of 'far': about its active parameters, over the bytes of a token",
)
def a_server_of_unknown_cost(_: Path, __: Patch) -> None:
    open_teacher(MemberSpec(name="far", url="http://localhost:1/v1", model="m"), TeacherConfig())


def table(**keys: object) -> dict[str, object]:
    return {"student": to_json(tiny(300)), "tokenizer": "tokenizer.json", **keys}


@case("f is not usable", "either a section [student] or begin, not both", "*", "correct it in f")
def two_students(_: Path, __: Patch) -> None:
    parse(DistilConfig, table(begin="folder"), "f")


@case("f is not usable", "a tokenizer for the student, a tokenizer.json", "*", "correct it in f")
def no_tokenizer(_: Path, __: Patch) -> None:
    parse(DistilConfig, table(tokenizer=None), "f")


@case("f is not usable", "a tokenizer whose file is called tokenizer.json", "*", "correct it in f")
def a_tokenizer_of_another_name(_: Path, __: Patch) -> None:
    parse(DistilConfig, table(tokenizer="qwen.tiktoken"), "f")


@case("f is not usable", "a weight of at least 0", "*", "correct it in f")
def a_negative_weight(_: Path, __: Patch) -> None:
    parse(DistilConfig, table(weight=-1.0), "f")


@case("f: teacher is not usable", "a held_out in (0, 1)", "*", "correct it in f")
def all_held_out(_: Path, __: Patch) -> None:
    parse(DistilConfig, table(teacher={"held_out": 1.0}), "f")


@case("f: teacher is not usable", "a passage of at least 1 chunk", "*", "correct it in f")
def an_empty_passage(_: Path, __: Patch) -> None:
    parse(DistilConfig, table(teacher={"passage": 0}), "f")


@case("f: teacher is not usable", "macs_per_byte above 0", "*", "correct it in f")
def a_free_member(_: Path, __: Patch) -> None:
    parse(DistilConfig, table(teacher={"macs_per_byte": {"far": 0.0}}), "f")


@case(
    "the student has too small a vocabulary for its tokenizer",
    "at least 300 tokens",
    "200",
    "raise vocabulary in [student], or give it another tokenizer",
)
def a_small_student(tmp: Path, _: Patch) -> None:
    tokenizer = str(folder(tmp / "m", 1) / "tokenizer.json")
    distil(DistilConfig(student=tiny(200), tokenizer=tokenizer), [], TEXTS, tmp, 0)


@case(
    "TMP/tokenizer.json is not a tokenizer",
    "a Hugging Face tokenizer.json",
    "*",
    "name the tokenizer.json of a model's folder",
)
def no_tokenizer_at_all(tmp: Path, _: Patch) -> None:
    write_durable(tmp / "tokenizer.json", b'{"model": 3}')
    Spelling(tmp / "tokenizer.json")


@case(
    "TMP/t.json has no token to end documents with",
    "one of <|endoftext|> *",
    "a vocabulary without it",
    "name another tokenizer, or add such a token to it",
)
def no_end(tmp: Path, _: Patch) -> None:
    from tokenizers import Tokenizer, models

    write_durable(tmp / "t.json", Tokenizer(models.BPE({"a": 0}, [])).to_str().encode())
    assert Spelling(tmp / "t.json").end


@case(
    "TMP/t.json does not spell every text",
    "tokens that give each chunk of a text back, as those of byte-level BPE do",
    "'a' for 'ab'",
    "give the student a byte-level tokenizer: zhufeng.fusion.small.train_tokenizer",
)
def an_unfaithful_tokenizer(tmp: Path, _: Patch) -> None:
    from tokenizers import Tokenizer, models

    write_durable(tmp / "t.json", Tokenizer(models.BPE({"a": 0}, [])).to_str().encode())
    Spelling(tmp / "t.json").encode(["ab"])


@case(
    "TMP/part-00000.parquet cannot be read",
    "what members said of a corpus, as a Parquet file",
    "*",
    "remove TMP, to have the members asked again",
)
def rubbish(tmp: Path, _: Patch) -> None:
    write_durable(tmp / "part-00000.parquet", b"\x00rubbish" * 9)
    read_part(tmp / "part-00000.parquet")


@case(
    "TMP/s/tokens-00000.idx is no text that can be scored",
    "text that UTF-8 can hold",
    "*",
    "mend it, or leave it out",
)
def half_a_character(tmp: Path, _: Patch) -> None:
    list(CorpusFiles(write_shards(tmp / "s", b"a\xe5")))


@case(
    "TMP/s/tokens-00000.idx holds tokens, which need their tokenizer to become text",
    "qwen.json, of 300 tokens",
    "none",
    "name the tokenizer.json that the shards were made with",
)
def tokens_of_another(tmp: Path, _: Patch) -> None:
    files = write_shards(tmp / "s", b"abc")
    told = TokenSet(tokenizer="qwen.json", vocabulary=300, end=0, tokens=4, text_bytes=4)
    write_token_set(tmp / "s", told)
    list(CorpusFiles(files))
