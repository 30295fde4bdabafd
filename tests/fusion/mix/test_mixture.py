"""Several members as one: scores, answers, failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fusion.mix.tiny import SENTENCES, byte_level, metaspace, write_member
from zhufeng.base import InputError, to_json
from zhufeng.fusion.mix import (
    END,
    PLAIN,
    Draw,
    Member,
    MemberError,
    MemberSpec,
    Mixture,
    Said,
    Voice,
    mix,
    open_member,
    score_texts,
    split,
)


@dataclass
class Parrot:
    """Says the same chunks again and again: 1 bit for the next of them, 9 for any other."""

    name: str
    phrase: tuple[str, ...]
    ends: int = 1 << 30
    """After so many chunks, a text ends."""
    broken: set[int] = field(default_factory=set)
    """Places at which it fails."""
    begun: list[int] = field(default_factory=list)

    def score(self, chunks: Sequence[str], context: Sequence[str] = ()) -> NDArray[np.float64]:
        voice = self.begin(context)
        bits: list[float] = []
        for chunk in chunks:
            bits.append(voice.bits(chunk))
            voice.say(chunk)
        return np.array(bits)

    def begin(self, context: Sequence[str]) -> Voice:
        self.begun.append(len(context))
        voice = ParrotVoice(self, len(context))
        voice.check()
        return voice


@dataclass
class ParrotVoice:
    parrot: Parrot
    place: int

    def check(self) -> None:
        if self.place in self.parrot.broken:
            raise MemberError("it is broken")

    def next(self) -> str:
        if self.place >= self.parrot.ends:
            return END
        return self.parrot.phrase[self.place % len(self.parrot.phrase)]

    def propose(self, rng: np.random.Generator, draw: Draw = PLAIN, stub: str = "") -> str | None:
        self.check()
        chunk = self.next()
        return chunk if chunk.startswith(stub) else None

    def bits(self, chunk: str) -> float:
        self.check()
        return 1.0 if chunk == self.next() else 9.0

    def say(self, chunk: str) -> None:
        self.place += 1


def answer(said: Sequence[Said]) -> str:
    return "".join(one.text for one in said)


ONE = ("the", " mountain", " stands", ".")
OTHER = (" x", " =", " 1", "\n")


def test_scores_are_the_members_own_under_the_law_of_the_weights() -> None:
    text = "".join(ONE) + "".join(OTHER)
    members = [Parrot("one", ONE), Parrot("other", OTHER)]
    found = Mixture(members, prior=[3, 1], forget=0.1).score(text)
    assert found.chunks == (*ONE, *OTHER)
    bits = np.array([[1.0] * 4 + [9.0] * 4, [9.0] * 4 + [1.0] * 4])
    np.testing.assert_array_equal(found.bits, bits)
    law = mix(bits, [3, 1], forget=0.1)
    np.testing.assert_array_equal(found.weights, law.weights)
    np.testing.assert_array_equal(found.mixture_bits, law.mixture_bits)
    assert found.failures == (None, None)


def test_a_member_that_fails_has_no_weight_and_is_told() -> None:
    members = [Parrot("one", ONE, broken={2}), Parrot("other", OTHER)]
    found = Mixture(members).score("".join(ONE))
    assert np.isinf(found.bits[0]).all()
    assert (found.weights[0] == 0).all()
    np.testing.assert_array_equal(found.mixture_bits, found.bits[1])
    assert found.failures == ("it is broken", None)


def test_all_members_failing_is_an_error_that_names_them() -> None:
    members = [Parrot("one", ONE, broken={0}), Parrot("other", ONE, broken={0})]
    with pytest.raises(InputError, match="one: it is broken; other: it is broken"):
        Mixture(members).score("the mountain")
    with pytest.raises(InputError, match="no member answers"):
        list(Mixture(members).generate("", chunks=3, seed=0))


def test_the_weights_move_with_what_is_said_and_with_the_prompt() -> None:
    members = [Parrot("one", ONE), Parrot("other", OTHER)]
    prompt = "".join(ONE) * 3 + "the mountain"
    said = list(Mixture(members, forget=0.1).generate(prompt, chunks=6, seed=1))
    heard = split(prompt)[:-1]
    chunks = [*heard, *(one.chunk for one in said)]
    bits = np.stack([member.score(chunks) for member in members])
    law = mix(bits, forget=0.1)
    for place, one in enumerate(said, len(heard)):
        np.testing.assert_allclose(one.bits, bits[:, place])
        np.testing.assert_allclose(one.weights, law.weights[:, place])
    assert [one.finish for one in said] == [None] * 5 + ["length"]


def test_a_prompt_may_end_inside_a_word() -> None:
    said = list(Mixture([Parrot("one", ONE)]).generate("the moun", chunks=3, seed=0))
    assert said[0].chunk == " mountain"
    assert answer(said) == "tain stands."


def test_the_text_ends_by_the_weights() -> None:
    members = [Parrot("one", ONE, ends=2), Parrot("other", ONE)]
    ended = 0
    for seed in range(200):
        said = list(Mixture(members, prior=[1, 3]).generate("", chunks=3, seed=seed))
        ended += said[-1].chunk == END
        assert said[-1].finish == ("stop" if said[-1].chunk == END else "length")
    assert 25 < ended < 75  # of 200, a quarter: 50 ± 6.1


def test_stop_strings_end_the_answer_before_them_also_across_chunks() -> None:
    mixture = Mixture([Parrot("one", ONE)])
    said = list(mixture.generate("", chunks=9, seed=0, stop=["ain st", "zzz"]))
    assert answer(said) == "the mount"
    assert said[-1].finish == "stop"
    held = list(mixture.generate("", chunks=2, seed=0, stop=["ain sX"]))
    assert [one.text for one in held] == ["the", " mountain"]
    assert held[-1].finish == "length"
    assert next(mixture.generate("", chunks=2, seed=0, stop=["eX"])).text == "th"


def test_one_member_failing_does_not_fail_the_answer_and_it_comes_back() -> None:
    broken = Parrot("one", ONE, broken={1, 5})
    members = [broken, Parrot("other", ONE)]
    said = list(Mixture(members, forget=0.1).generate("", chunks=20, seed=0))
    assert answer(said) == "".join(ONE) * 5
    away = [place for place, one in enumerate(said) if one.failures[0] is not None]
    assert all(math.isinf(said[place].bits[0]) for place in away)
    assert all(said[place].weights == (0.0, 1.0) for place in away)
    assert all(said[place].failures == ("it is broken", None) for place in away)
    assert away[0] == 1
    assert away[-1] < 15
    assert said[-1].weights[0] > 0
    assert broken.begun[0] == 0


def test_at_temperature_0_the_heaviest_member_speaks() -> None:
    members = [Parrot("one", ONE), Parrot("other", OTHER)]
    mixture = Mixture(members, prior=[0.4, 0.6])
    for seed in range(5):
        said = list(mixture.generate("", chunks=4, seed=seed, temperature=0))
        assert answer(said) == "".join(OTHER)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Member]:
    folder = tmp_path_factory.mktemp("pair")
    write_member(folder / "a", byte_level(), 1, 15.0)
    write_member(folder / "b", metaspace(), 2, 15.0)
    return [open_member(MemberSpec(name=one, folder=str(folder / one), context=64)) for one in "ab"]


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.5, "top_p": 0.8}, {"temperature": 0.0}])
def test_the_same_seed_gives_the_same_answer_in_whole_chunks(
    pair: list[Member], keys: dict[str, Any]
) -> None:
    mixture = Mixture(pair)
    prompt = SENTENCES[0] + " the mou"
    answers = [list(mixture.generate(prompt, chunks=8, seed=3, **keys)) for _ in range(2)]
    assert [one.chunk for one in answers[0]] == [one.chunk for one in answers[1]]
    said = answers[0]
    assert said[0].chunk.startswith(" mou")
    whole = prompt + answer(said)
    said = [one for one in said if one.chunk != END]
    found = mixture.score(whole)
    assert found.chunks[-len(said) :] == tuple(one.chunk for one in said)
    for place, one in zip(range(-len(said), 0), said, strict=True):
        np.testing.assert_allclose(one.bits, found.bits[:, place], atol=1e-3)
        np.testing.assert_allclose(one.weights, found.weights[:, place], atol=1e-3)


def test_texts_scored(pair: list[Member]) -> None:
    scores = score_texts(Mixture(pair), SENTENCES)
    size = sum(len(text.encode()) for text in SENTENCES)
    bits = [np.stack([one.score(split(text)) for one in pair]) for text in SENTENCES]
    assert scores.text_bytes == size
    assert scores.documents == 3
    alone = sum(one.sum(1) for one in bits) / size
    assert list(scores.members.values()) == pytest.approx(alone.tolist())
    assert scores.oracle == pytest.approx(sum(one.sum(1).min() for one in bits) / size)
    mean = [-np.log2(np.exp2(-one).mean(0)).sum() for one in bits]
    assert scores.uniform == pytest.approx(sum(mean) / size)
    law = sum(mix(one).mixture_bits.sum() for one in bits)
    assert scores.mixture == pytest.approx(law / size)
    assert to_json(scores)["failures"] == {}


def test_what_cannot_be_said_has_no_rate() -> None:
    members = [Parrot("one", ONE, broken={0}), Parrot("other", ONE)]
    scores = score_texts(Mixture(members), ["the mountain"])
    assert scores.members == {"one": None, "other": 2 / 12}
    assert scores.failures == {"one": "it is broken"}
