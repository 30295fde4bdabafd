"""The table of what documents cost, against arithmetic by hand and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhufeng.fusion.mix import Mixed, mix
from zhufeng.fusion.union import contributed, cut, mixed, tabulate

PARAGRAPHS = st.lists(st.text("ab\n 珠", max_size=20), max_size=12).map("\n\n".join)


def scored(chunks: list[str], bits: list[list[float]]) -> Mixed:
    weighed = mix(np.array(bits))
    nobody = (None,) * len(bits)
    return Mixed(tuple(chunks), np.array(bits), weighed.weights, weighed.mixture_bits, nobody)


@given(PARAGRAPHS, st.integers(1, 30), st.floats(0.01, 1.0))
def test_documents_are_the_text(text: str, least: int, held_out: float) -> None:
    found = cut(text, least, held_out)
    every = (*found.learned, *found.judged)
    assert "".join(every) == text
    assert all(len(one) >= least for one in every[: len(every) if len(every) > 1 else 0])
    rest = sum(map(len, found.judged))
    assert rest >= held_out * len(text) or not found.learned
    if found.judged and found.learned:
        assert rest - len(found.judged[0]) < held_out * len(text)


def test_documents_end_at_blank_lines_or_after_twice_as_much() -> None:
    found = cut("one\n\ntwo\n\n\nth\nfo\n\nfive", 5, 0.3)
    assert found.learned == ("one\n\n", "two\n\n\n")
    assert found.judged == ("th\nfo\n\nfive",)
    assert cut("ab\ncd\nef\ngh\n", 2, 1.0).judged == ("ab\ncd\n", "ef\ngh\n")


def test_mixed_documents_hold_a_half_of_every_set_in_turns() -> None:
    assert mixed([["abcd", "x"], ["123456"]]) == ["ab123cd456"]


def test_the_table_by_hand() -> None:
    first = scored(["ab", "c"], [[1.0, 2.0], [3.0, 6.0]])
    second = scored(["珠"], [[9.0], [5.0]])
    table = tabulate(("x", "y"), {"s": [first, second]})
    assert table.columns == ("s", "mean")
    size = 2 + 1 + 3
    assert table.rows["x"] == pytest.approx([12 / size] * 2)
    assert table.rows["y"] == pytest.approx([14 / size] * 2)
    assert table.rows["the best for each document"] == pytest.approx([(3 + 5) / size] * 2)
    equal = sum(-math.log2((2**-a + 2**-b) / 2) for a, b in ((1, 3), (2, 6), (9, 5)))
    assert table.rows["equal weights"] == pytest.approx([equal / size] * 2)


def test_each_set_weighs_alike_in_the_mean() -> None:
    long, short = scored(["a"] * 90, [[1.0] * 90]), scored(["a"], [[4.0]])
    assert tabulate(("x",), {"l": [long], "s": [short]}).rows["x"] == pytest.approx((1.0, 4.0, 2.5))


@given(st.lists(st.lists(st.floats(0, 40), min_size=6, max_size=6), min_size=1, max_size=4))
def test_contributions_sum_to_the_gain_and_copies_share(bits: list[list[float]]) -> None:
    chunks = ["a", "bc", " ", "珠", "d", "\n\n"]
    one = scored(chunks, [*bits, bits[0]])
    parts = contributed([one, one])
    gain = 8 * len("".join(chunks).encode()) - one.mixture_bits.sum()
    assert sum(parts) == pytest.approx(2 * gain, abs=1e-6)
    assert parts[0] == pytest.approx(parts[-1], abs=1e-9)


def test_what_nobody_can_say_has_no_figure() -> None:
    one = scored(["a", "b"], [[1.0, math.inf], [2.0, 3.0]])
    table = tabulate(("x", "y"), {"s": [one]})
    assert table.rows["x"] == (None, None)
    assert table.rows["y"] == (2.5, 2.5)
