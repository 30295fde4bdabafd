"""What members contributed: against sums taken in 60 digits."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhufeng.fusion.ledger import Entry, Tally, contributions

NAMES = ["a", "b", "c", "d", "e"]
Chunk = tuple[str, list[float], list[float]]


@st.composite
def said(draw: st.DrawFn) -> tuple[int, list[Chunk]]:
    """Members, and chunks with bits and weights of each; at least one can say every chunk."""
    members = draw(st.integers(1, 5))
    bits = st.one_of(st.floats(0, 3000), st.just(float("inf")))
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
    chunks = []
    for _ in range(draw(st.integers(1, 8))):
        own = draw(st.lists(bits, min_size=members, max_size=members))
        own[draw(st.integers(0, members - 1))] = draw(st.floats(0, 3000))
        raw = draw(st.lists(st.floats(1e-9, 1), min_size=members, max_size=members))
        chunks.append((draw(text), own, [one / sum(raw) for one in raw]))
    return members, chunks


def exactly(chunk: Chunk) -> list[Decimal]:
    """Each member's contribution, as the definition says it, in 60 digits."""
    text, bits, weights = chunk
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 60, -(10**9), 10**9
        two = Decimal(2)
        parts = [
            Decimal(w) * two ** -Decimal(b) if b != float("inf") else Decimal(0)
            for b, w in zip(bits, weights, strict=True)
        ]
        total = sum(parts, Decimal(0))
        gain = 8 * len(text.encode()) + total.ln() / two.ln()
        return [part / total * gain for part in parts]


def tallied(members: int, chunks: list[Chunk]) -> Entry:
    tally = Tally(NAMES[:members])
    for chunk in chunks:
        tally.add(*chunk)
    return tally.entry(answer="x", account=None, ended="stop")


@given(said())
def test_contributions_are_those_of_the_definition_and_sum_to_the_gain(
    told: tuple[int, list[Chunk]],
) -> None:
    members, chunks = told
    entry = tallied(members, chunks)
    exact = [exactly(chunk) for chunk in chunks]
    for member in range(members):
        expected = sum((parts[member] for parts in exact), Decimal(0))
        assert abs(Decimal(entry.contribution_nanobits[member]) / 10**9 - expected) < Decimal(
            "1e-6"
        )
    gain = sum((sum(parts, Decimal(0)) for parts in exact), Decimal(0))
    assert abs(Decimal(entry.gain_nanobits) / 10**9 - gain) < Decimal("1e-6")
    assert sum(entry.contribution_nanobits) == entry.gain_nanobits


@given(said())
def test_copies_share_equally_and_together_have_what_one_had(
    told: tuple[int, list[Chunk]],
) -> None:
    members, chunks = told
    copied = [(t, [*b, b[0]], [w[0] / 2, *w[1:], w[0] / 2]) for t, b, w in chunks]
    tally = Tally([*NAMES[:members], "copy"])
    for chunk in copied:
        tally.add(*chunk)
    parts = tally.entry(answer="x", account=None, ended="stop").contribution_nanobits
    assert parts[0] == parts[-1]
    assert parts[0] + parts[-1] == pytest.approx(
        tallied(members, chunks).contribution_nanobits[0], abs=1000
    )


def test_a_failed_member_has_nothing() -> None:
    assert contributions(5, [10.0, float("inf")], [0.25, 0.75]) == (40 - 12.0, 0.0)


def test_a_chunk_by_hand() -> None:
    # 2^-3 * 1/2 + 2^-5 * 1/2 = 5/64; shares 4/5 and 1/5 of 8 - log2(64/5).
    gain = 8 - (6 - 2.321928094887362)
    assert contributions(1, [3, 5], [0.5, 0.5]) == pytest.approx((gain * 0.8, gain * 0.2))


def test_members_failed_in_part_and_an_answer_of_nothing() -> None:
    tally = Tally(["a", "b"])
    empty = tally.entry(answer="x", account=None, ended="left")
    assert empty.contribution_nanobits == (0, 0)
    assert empty.gain_nanobits == empty.chunks == 0
    tally.add("é", [1.0, float("inf")], [0.5, 0.5])
    tally.add("b", [1.0, 1.0], [0.5, 0.5])
    entry = tally.entry(answer="x", account=None, ended="stop")
    assert entry.member_nanobits == (2 * 10**9, None)
    assert (entry.text_bytes, entry.chunks) == (3, 2)


@pytest.mark.parametrize("bits", [math.inf, 1e300])
def test_what_nobody_can_say_is_given_at_eight_bits_a_byte_and_to_nobody(bits: float) -> None:
    tally = Tally(["a", "b"])
    assert tally.add("ab", [1.0, 3.0], [0.5, 0.5]) < 3
    before = tally.entry(answer="x", account=None, ended="stop")
    assert tally.add("é", [bits, math.inf], [0.5, 0.5]) == 16.0
    assert tally.add("", [math.inf, bits], [0.5, 0.5]) == 0.0
    entry = tally.entry(answer="x", account=None, ended="stop")
    assert entry.contribution_nanobits == before.contribution_nanobits
    assert entry.mixture_nanobits == before.mixture_nanobits + 16 * 10**9
    assert entry.member_nanobits == (None, None)


def entry_of(own: int, gain: int) -> Entry:
    """One byte by one member, which cost it `own` nanobits and gained `gain` bits."""
    return Entry(
        answer="x",
        ended="stop",
        chunks=1,
        text_bytes=1,
        members=("a",),
        member_nanobits=(own,),
        contribution_nanobits=(gain * 10**9,),
        mixture_nanobits=(8 - gain) * 10**9,
    )


def test_what_is_certain_gains_all_its_bits() -> None:
    assert entry_of(0, 8).gain_nanobits == 8 * 10**9


@pytest.mark.parametrize(("own", "gain"), [(-1, 8), (0, 9)])
def test_no_entry_has_bits_below_0(own: int, gain: int) -> None:
    with pytest.raises(ValueError, match="bits of at least 0"):
        entry_of(own, gain)
