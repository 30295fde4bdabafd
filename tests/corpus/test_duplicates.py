"""Near-duplicates against every pair compared, set by set."""

from __future__ import annotations

import random
import re
import unicodedata
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhufeng.corpus.duplicates import Bands, DuplicateConfig, cluster, shingled

BENCH = Path(__file__).parents[2] / "bench"
CONFIG = DuplicateConfig()


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        from near_duplicates import make_documents
    return make_documents(240, seed=3)


def jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)


def word_sets(documents: dict[str, str], size: int) -> dict[str, set[tuple[str, ...]]]:
    sets = {}
    for name, text in documents.items():
        folded = unicodedata.normalize("NFKC", text).casefold()
        words = re.findall(r"[一-鿿]|[a-z0-9]+", folded)
        sets[name] = set(zip(*(words[start:] for start in range(size)), strict=False))
    return sets


def clusters(documents: dict[str, str], config: DuplicateConfig = CONFIG) -> set[frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for name, kept in cluster(documents.items(), config).items():
        groups.setdefault(kept, set()).add(name)
    return {frozenset(group) for group in groups.values()}


@pytest.mark.parametrize(("threshold", "size"), [(0.5, 3), (0.7, 5), (0.9, 5)])
def test_clusters_are_those_of_all_pairs(
    documents: dict[str, str], threshold: float, size: int
) -> None:
    sets = word_sets(documents, size)
    similar = [
        (one, other)
        for one, other in combinations(sets, 2)
        if jaccard(sets[one], sets[other]) >= threshold
    ]
    found = clusters(documents, DuplicateConfig(threshold=threshold, shingle=size))
    together = {pair for group in found for pair in combinations(sorted(group), 2)}
    recalled = sum(tuple(sorted(pair)) in together for pair in similar)
    assert len(similar) > 10
    assert recalled >= 0.99 * len(similar)
    # Precise: walking from any member along true pairs reaches all of its cluster.
    for group in found:
        reached = {min(group)}
        while more := {b for a, b in [*similar, *((b, a) for a, b in similar)] if a in reached}:
            if more <= reached:
                break
            reached |= more
        assert reached >= group


def test_the_order_of_documents_makes_no_difference(documents: dict[str, str]) -> None:
    shuffled = list(documents.items())
    random.Random(0).shuffle(shuffled)
    one, other = cluster(documents.items(), CONFIG), cluster(shuffled, CONFIG)
    assert list(one.items()) == list(other.items())
    assert one


def test_the_longest_is_kept_then_the_least_id() -> None:
    text = " ".join(f"word{n}" for n in range(100))
    documents = {"d": text, "c": text + " and more", "b": text.upper() + " AND MORE", "a": text}
    assert cluster(documents.items(), CONFIG) == dict.fromkeys("abcd", "b")


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("Thank you!", "thank   you", True),
        ("谢谢大家", "谢谢，大家。", True),
        ("Ｃｏｄｅ １２", "code 12", True),
        ("thank you", "thank you all", False),
        ("thank you", "you thank", False),
        ("...", "!?", False),
        ("", "", False),
    ],
)
def test_short_texts_are_compared_as_a_whole(one: str, other: str, together: bool) -> None:
    assert bool(cluster([("a", one), ("b", other)], CONFIG)) == together


def test_a_document_that_comes_twice_is_a_cluster() -> None:
    assert cluster([("a", "one"), ("b", "two"), ("a", "one")], CONFIG) == {"a": "a"}


def test_a_clip_of_a_longer_text_is_left_alone() -> None:
    words = [f"word{n}" for n in range(400)]
    documents = {"talk": " ".join(words), "clip": " ".join(words[:200])}
    assert cluster(documents.items(), CONFIG) == {}


@pytest.mark.parametrize(("shared", "together"), [(60, True), (59, False)])
def test_the_threshold_itself_is_near(shared: int, together: bool) -> None:
    # 60 of 80 words shared is 0.75 exactly.
    one = " ".join(f"w{n}" for n in range(70))
    other = " ".join(f"w{n}" for n in range(70 - shared, 140 - shared))
    config = DuplicateConfig(threshold=0.75, shingle=1)
    assert bool(cluster([("a", one), ("b", other)], config)) == together


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 3 o'clock.", 5),
        ("Straße STRASSE ＳＴＲＡＳＳＥ", 3),
        ("naïve nai\u0308ve", 2),
        ("co\u00adoperate zero\u200dwidth", 2),
        ("नमस्ते दुनिया", 2),
        ("안녕하세요 세계", 2),
        ("你好，世界", 4),
        ("学习 PyTorch 的第3天", 7),
        ("カタカナとｶﾀｶﾅ", 9),
        ("ภาษาไทย", 7),
        ("❤️ 🎉 —", 0),
        ("\ud800", 0),
    ],
)
def test_what_a_word_is(text: str, words: int) -> None:
    assert shingled(text, 5).words == words


WORDS = st.lists(st.sampled_from(["a", "b", "ab", "ba", "好", "坏"]), max_size=40)


@settings(max_examples=100)
@given(WORDS, WORDS, st.integers(1, 6))
def test_hashes_stand_for_the_words_in_their_order(
    one: list[str], other: list[str], size: int
) -> None:
    texts = {"one": " ".join(one), "other": ", ".join(other).upper()}
    expected = word_sets(texts, size)
    came = {name: set(shingled(text, size).shingles.tolist()) for name, text in texts.items()}
    assert {name: len(shingles) for name, shingles in came.items()} == {
        name: len(shingles) for name, shingles in expected.items()
    }
    assert len(came["one"] & came["other"]) == len(expected["one"] & expected["other"])


@pytest.mark.parametrize("shared", [83, 57, 33, 10])
def test_pairs_are_found_as_often_as_the_theory_says(shared: int) -> None:
    rng, trials = np.random.default_rng(0), 1000
    bands = Bands(0.7)
    for _ in range(trials):
        both = rng.integers(0, 2**64, 200 - shared, dtype=np.uint64)
        bands.add([both[:100], both[100 - shared :]])
    pairs = {tuple(sorted(bucket.tolist())) for bucket in bands.buckets()}
    similarity = shared / (200 - shared)
    expected = 1 - (1 - similarity**4) ** 32
    deviation = (expected * (1 - expected) / trials) ** 0.5
    assert all(one // 2 == other // 2 for one, other in pairs)
    assert len(pairs) / trials == pytest.approx(expected, abs=5 * deviation + 0.001)


def test_hundreds_of_copies_are_one_cluster() -> None:
    words = [f"word{n}" for n in range(300)]
    texts = {f"{n:03d}": " ".join([*words[:n], "other", *words[n + 1 :]]) for n in range(300)}
    assert clusters(texts) == {frozenset(texts)}


@pytest.mark.parametrize("threshold", [0.49, 1.01, float("nan")])
def test_a_threshold_is_between_a_half_and_one(threshold: float) -> None:
    with pytest.raises(ValueError, match="a threshold from"):
        DuplicateConfig(threshold=threshold)
