"""Local members: what they tell is honest, and what they draw follows it."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models

from tests.fusion.mix.tiny import (
    END,
    SENTENCES,
    byte_level,
    letters,
    metaspace,
    write_member,
)
from zhufeng.fusion.mix import Member, MemberError, MemberSpec, Mixture, open_member, split
from zhufeng.models import read_decoder, write_decoder

Array = NDArray[np.float64]
TEXT = "".join(SENTENCES) * 2


def member(
    folder: Path, tokenizer: Tokenizer, *, seed: int = 1, context: int = 1024, layers: int = 2
) -> Member:
    if not folder.exists():
        write_member(folder, tokenizer, seed, 15.0, layers)
    return open_member(MemberSpec(name=folder.name, folder=str(folder), context=context))


def log_probabilities(folder: Path, tokens: Sequence[int]) -> torch.Tensor:
    """log2 P of each next token after each of `tokens`, by one plain forward."""
    with torch.no_grad():
        logits: torch.Tensor = read_decoder(folder).eval()(torch.tensor([list(tokens)])).logits
    return logits[0].double().log_softmax(-1) / math.log(2)


def words(most: int = 33) -> Iterator[str]:
    """All chunks of the letters "a" and " " that may follow a word."""
    for spaces in range(1, 17):
        yield from (" " * spaces + "a" * count for count in range(most))


def total(one: Member, chunks: Iterable[str], context: Sequence[str]) -> float:
    """The sum of the probabilities of chunks, each asked after `context`, and of the end."""
    voice = one.begin(context)
    return sum(2 ** -voice.bits(chunk) for chunk in chunks) + 2 ** -voice.bits("")


@pytest.mark.parametrize("half", [10, 512])
def test_a_text_costs_what_its_tokens_cost_and_an_end(tmp_path: Path, half: int) -> None:
    """Against a plain forward for each token, over the window that the rule of contexts names."""
    chunks = split("the cloud, 10 (mountains)\n stand")
    spelt = sorted(set("".join(chunks)))
    one = member(tmp_path / "m", letters(spelt), context=2 * half + 1)
    bits = one.score(chunks)
    ids = [spelt.index(letter) + 1 for letter in "".join(chunks)]
    starts = [half * max(0, place // half - 1) for place in range(len(ids) + 1)]
    rows = [
        log_probabilities(tmp_path / "m", [0, *ids[start:place]])[-1]
        for place, start in enumerate(starts)
    ]
    plain = -sum(float(row[i]) for row, i in zip(rows, ids, strict=False))
    # A word goes on with letters; all else ends it.
    others = [0, *(i for i, letter in enumerate(spelt, 1) if not letter.isalpha())]
    end = -math.log2(float(rows[-1][others].exp2().sum()))
    assert bits.sum() == pytest.approx(plain + end, abs=1e-3)
    # What an end adds to a chunk is taken off the next one's first token, which is known to begin.
    first = -sum(float(row[i]) for row, i in zip(rows, ids[:3], strict=False))
    ended = -math.log2(float(rows[3][others].exp2().sum()))
    assert bits[0] == pytest.approx(first + ended, abs=1e-3)


def test_probabilities_of_all_chunks_sum_to_one(tmp_path: Path) -> None:
    """Where each text has one spelling alone: exactly; here beyond the context."""
    past = ["a", " a"] * 9
    one = member(tmp_path / "m", letters(["a", " "]), context=16, layers=1)
    assert total(one, words(), past) == pytest.approx(1, abs=1e-4)


def test_probabilities_of_all_chunks_sum_to_less_where_texts_have_more_spellings(
    tmp_path: Path,
) -> None:
    vocab = {END: 0, "a": 1, " ": 2, "aa": 3, " a": 4, "aaa": 5}
    merges = [("a", "a"), (" ", "a"), ("aa", "a")]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.add_special_tokens([END])
    one = member(tmp_path / "m", tokenizer, context=16)
    assert 0.05 < total(one, words(12), ["a", " aaaa"] * 6) < 1 - 1e-3


def test_tokens_that_are_parts_of_characters_count_once(tmp_path: Path) -> None:
    """é and × share their first byte, and one goes on with a word where the other ends it."""
    tokenizer = letters(["Ã", "©", "Ĺ"])
    from tokenizers import decoders, pre_tokenizers

    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    one = member(tmp_path / "m", tokenizer)
    assert split("é×é") == ["é", "×é"]

    def chance(tokens: Sequence[int], token: int) -> float:
        return float(log_probabilities(tmp_path / "m", [0, *tokens])[-1][token].exp2())

    # Of the 64 characters that begin with that byte all but two, × and ÷, are letters.
    first, acute, times, letter, sign = 1, 2, 3, 62 / 64, 2 / 64
    word = [first, acute]
    ends = [chance(word * n, 0) + chance(word * n, first) * sign for n in (1, 2)]
    goes_on = chance([], first) * chance([first], acute)
    assert 2 ** -one.score(["é"])[0] == pytest.approx(goes_on * ends[0], rel=1e-4)
    goes_on *= chance(word, first) * letter * chance([*word, first], acute)
    assert 2 ** -one.score(["éé"])[0] == pytest.approx(goes_on * ends[1], rel=1e-4)
    begins = chance(word, first) * sign / ends[0] * chance([*word, first], times)
    three = [*word, first, times]
    begins *= chance(three, first) * chance([*three, first], acute)  # both sides make × longer
    five = [*three, *word]
    begins *= chance(five, 0) + chance(five, first) * sign
    assert 2 ** -one.score(["×é"], ["é"])[0] == pytest.approx(begins, rel=1e-4)


@pytest.mark.parametrize("context", [12, 32, 1024])
@pytest.mark.parametrize("make", [byte_level, metaspace])
def test_the_pieces_in_which_a_text_is_asked_do_not_matter(
    tmp_path: Path, make: Callable[[], Tokenizer], context: int
) -> None:
    one = member(tmp_path / "m", make(), context=context)
    chunks = split(TEXT)
    whole = one.score(chunks)
    assert np.isfinite(whole).all()
    for cut in (1, 7, len(chunks) - 1):
        np.testing.assert_allclose(one.score(chunks[cut:], chunks[:cut]), whole[cut:], atol=1e-3)
    voice = one.begin(chunks[:3])
    for chunk, bits in zip(chunks[3:], whole[3:], strict=True):
        voice.bits("other")
        assert voice.bits(chunk) == pytest.approx(bits, abs=1e-3)
        voice.say(chunk)


def test_a_member_says_nothing_that_its_tokens_do_not_spell(tmp_path: Path) -> None:
    one = member(tmp_path / "m", letters(["a", "b", " "]))
    bits = one.score(["a", " b", " c", " b"])
    assert np.isinf(bits).tolist() == [False, False, True, False]


def test_a_text_that_spells_a_special_token_does_not_say_it(tmp_path: Path) -> None:
    one = member(tmp_path / "m", byte_level())
    assert np.isfinite(one.score(split("a<|endoftext|>b"))).all()


def test_metaspace_puts_its_space_before_a_text_alone(tmp_path: Path) -> None:
    tokenizer = metaspace()
    one = member(tmp_path / "m", tokenizer)
    ids = tokenizer.encode("the the", add_special_tokens=False).ids
    rows = log_probabilities(tmp_path / "m", [2, *ids])
    cost = -sum(float(row[i]) for row, i in zip(rows, ids, strict=False))
    spelt = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
    over = [i for i, token in enumerate(spelt) if i == 2 or token[0] in "▁\n.,+()=#0123456789"]
    over += [i for i, token in enumerate(spelt) if token in {f"<0x{n:02X}>" for n in range(65)}]
    ended = float(one.score(split("the the")).sum()) - cost
    assert 0 < ended < -math.log2(float(rows[-1][over].exp2().sum()))


def test_draws_follow_the_law_of_the_mixture(tmp_path: Path) -> None:
    """Two chunks a draw, against what scoring tells of them, by chi-square.

    Members' first chunks do not sum to the same (the second has more spellings for a text than
    its own), so that a law that forgot what comes to nothing would be another one.
    """
    merges = [(" ", "a"), ("b", "b"), ("a", "a"), ("a", "b")]
    tokens = [END, "a", " ", "b", *("".join(merge) for merge in merges)]
    vocab = {token: number for number, token in enumerate(tokens)}
    merged = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    merged.add_special_tokens([END])
    members = [
        member(tmp_path / "one", letters(["a", "b", " "]), seed=5, layers=1),
        member(tmp_path / "other", merged, seed=0, layers=1),
    ]
    prior, forget = np.array([0.6, 0.4]), 0.1
    mixture = Mixture(members, prior=prior.tolist(), forget=forget)
    pairs = [
        [said.chunk for said in mixture.generate("", chunks=2, seed=seed)] for seed in range(500)
    ]
    texts = ["", *("".join(t) for n in (1, 2, 3, 4) for t in itertools.product("ab ", repeat=n))]
    chunks = [text for text in texts if len(split(text)) <= 1]
    begun = likelihoods(members, [], chunks)
    assert unlikely(Counter(pair[0] for pair in pairs), prior @ begun, chunks) < 3.5
    # After the likeliest first chunk weights have moved, and a share of them back.
    (most, _), *_ = Counter(pair[0] for pair in pairs if pair[0]).most_common(1)
    moved = prior * begun[:, chunks.index(most)]
    weights = (1 - forget) * moved / moved.sum() + forget * prior
    after = Counter(pair[1] for pair in pairs if pair[0] == most)
    nexts = weights @ likelihoods(members, [most], chunks)
    assert unlikely(after, nexts, chunks) < 3.5


def likelihoods(members: Sequence[Member], past: list[str], chunks: Sequence[str]) -> Array:
    """P(chunk | past), shape (members, chunks)."""
    voices = [one.begin(past) for one in members]
    return np.array([[2 ** -voice.bits(chunk) for chunk in chunks] for voice in voices])


def unlikely(seen: Counter[str], law: Array, chunks: Sequence[str]) -> float:
    """How many deviations chi-square is above what it should be, over the likelier chunks."""
    counts = np.array([seen[chunk] for chunk in chunks], np.float64)
    expected = law / law.sum() * counts.sum()
    cells = expected >= 5
    wanted = law[cells] / law[cells].sum() * counts[cells].sum()
    chi = float(((counts[cells] - wanted) ** 2 / wanted).sum())
    free = int(cells.sum()) - 1
    assert free >= 2
    return (chi - free) / math.sqrt(2 * free)


def test_a_member_whose_weights_are_lost_says_nothing_and_ends_nothing(tmp_path: Path) -> None:
    write_member(tmp_path / "m", byte_level(), 1)
    model = read_decoder(tmp_path / "m")
    with torch.no_grad():
        model.embedding.weight.fill_(math.nan)
    write_decoder(tmp_path / "m", model)
    lost = open_member(MemberSpec(name="m", folder=str(tmp_path / "m")))
    voice = lost.begin(split("the mountain"))
    assert voice.bits("") == voice.bits(" stands") == math.inf
    with pytest.raises(MemberError, match="no probabilities"):
        voice.propose(np.random.default_rng(0))
    # Beside one that is whole it is as if it were not there.
    write_member(tmp_path / "n", byte_level(), 1, 15.0)
    whole = open_member(MemberSpec(name="n", folder=str(tmp_path / "n")))
    said = [*Mixture([lost, whole]).generate("the", chunks=5, seed=3)]
    assert all(one.bits[0] == math.inf for one in said)
