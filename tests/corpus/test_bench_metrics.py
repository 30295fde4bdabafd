"""The bench's measures of text, against values worked out by hand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from corpus_metrics import (
    Line,
    edit_distance,
    error_rate,
    in_order,
    known_words,
    letters,
    read_subtitles,
    speech_starts,
    word_error,
    words,
)


@pytest.mark.parametrize(
    ("found", "truth", "distance"),
    [
        ("kitten", "sitting", 3),  # the textbook's: k to s, e to i, g added
        ("saturday", "sunday", 3),
        ("", "abc", 3),
        ("abc", "", 3),
        ("abc", "abc", 0),
        ("ab", "ba", 2),  # a swap is two edits: Levenshtein, not Damerau
        ("flaw", "lawn", 2),
    ],
)
def test_the_edit_distance_is_levenshtein_s(found: str, truth: str, distance: int) -> None:
    assert edit_distance(found, truth) == distance


def test_an_error_rate_is_of_the_truth_and_may_pass_one() -> None:
    assert error_rate(["a", "x", "c"], ["a", "b", "c", "d"]) == 0.5
    assert error_rate(["x", "y", "z"], ["a"]) == 3.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("And so, my fellow Americans!", ["and", "so", "my", "fellow", "americans"]),
        ("forty-two lines", ["42", "lines"]),
        ("It's Mr. Smith's", ["it", "is", "mister", "smith", "is"]),
        ("讓數字說話。", list("让数字说话")),
        ("用GPU训练2天", ["用", "gpu", "训", "练", "2", "天"]),
        ("what (was) said [here]", ["what", "was", "said", "here"]),
        ("", []),
    ],
)
def test_words_are_normalised_as_in_whisper_s_evaluation(
    text: str, expected: Sequence[str]
) -> None:
    assert words(text) == expected


def test_word_error_counts_english_words_and_chinese_characters_alike() -> None:
    # Five units: two words, three characters. One word is wrong, one character is missing.
    assert word_error("Hello there 数字", "hello world 数字。对") == pytest.approx(2 / 5)


def test_letters_keep_case_and_punctuation_and_lose_widths_and_breaks() -> None:
    assert letters(" Ａsk\n not， ") == "Ask not,"
    assert letters("Ask") != letters("ask")


def test_known_words_are_distinct_folded_and_of_two_letters() -> None:
    assert known_words(["The GPU, the gpu; a B2 x_y", "数字 字 é Éa"]) == {
        *("the", "gpu", "b2", "éa"),
        *("数", "字"),
    }


CUES = [Line(1, 2, "Ask not"), Line(3, 5, "what you do"), Line(6, 7, "数字")]


def test_subtitles_read_in_full_have_no_error() -> None:
    read = read_subtitles([Line(1.2, 2, "Ask not"), *CUES[1:]], CUES)
    assert read.error == 0
    assert (read.missed, read.spurious) == (0, 0)
    assert read.start_errors_s == pytest.approx((0.2, 0, 0))


def test_a_missed_cue_costs_all_of_its_letters() -> None:
    # 7 + 11 + 2 letters; "Ask net" has one wrong, the last line is not there.
    read = read_subtitles([Line(1, 2, "Ask net"), CUES[1]], CUES)
    assert read.error == pytest.approx((1 + 2) / 20)
    assert (read.missed, read.spurious) == (1, 0)


def test_a_line_half_wrong_is_a_miss_and_stands_for_nothing() -> None:
    read = read_subtitles([CUES[0], CUES[1], Line(6, 7, "数子")], CUES)
    assert (read.missed, read.spurious) == (1, 1)
    assert read.error == pytest.approx(2 / 20)


def test_a_line_at_another_time_does_not_count() -> None:
    read = read_subtitles([Line(10, 11, "Ask not"), *CUES[1:]], CUES)
    assert (read.missed, read.spurious) == (1, 1)


def test_of_a_subtitle_read_twice_the_better_counts_and_the_other_is_spurious() -> None:
    read = read_subtitles([Line(3.0, 3.2, "what yxx do"), *CUES], CUES)
    assert (read.error, read.missed, read.spurious) == (0, 0, 1)


def test_speech_is_timed_where_it_begins_like_a_cue() -> None:
    spoken = [Line(1.3, 4, "Ask not what you do."), Line(5.5, 6.5, "something else")]
    assert speech_starts(spoken, CUES) == pytest.approx((0.3,))


def test_texts_are_taken_by_time() -> None:
    assert in_order([CUES[2], CUES[0]]) == "Ask not\n数字"
