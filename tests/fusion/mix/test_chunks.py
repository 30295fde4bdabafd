"""Where texts are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhufeng.base import InputError
from zhufeng.fusion.mix import LONGEST_CHUNK, split
from zhufeng.fusion.mix._chunks import class_of, growth

PIECES = st.sampled_from(
    (
        *(
            "a",
            "Z",
            "é",
            "e\u0301",
            "ß",
            "中",
            "文",
            "の",
            "ไ",
            "ท",
            "한",
            "7",
            "٣",
            " ",
            "  ",
            "\t",
        ),
        *("\n", "\r\n", ".", "_", "(", "'", "👍🏽", "👩‍👩‍👧", "\u200d", "\ufe0f", "\x00", "\x85"),
        *("\u2028", "\ue000"),
    )
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=120).map("".join))


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.integers(0, 400))
def test_chunks_join_to_the_text_and_only_the_last_of_a_beginning_may_grow(
    text: str, place: int
) -> None:
    chunks = split(text)
    assert "".join(chunks) == text
    assert all(1 <= len(chunk) <= LONGEST_CHUNK for chunk in chunks)
    begun = split(text[:place])
    assert chunks[: max(0, len(begun) - 1)] == begun[:-1]
    if begun and place < len(text):
        grown = begun[-1] != chunks[len(begun) - 1]
        assert grown == (class_of(text[place]) in growth(begun[-1]))


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_a_chunk_depends_on_nothing_before_it(before: str, text: str) -> None:
    chunks = split(before + text)
    for cut in range(len(chunks)):
        assert split("".join(chunks[cut:])) == chunks[cut:]


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("", []),
        ("Hello, world!", ["Hello", ",", " world", "!"]),
        ("don't", ["don", "'t"]),
        ("f(x):\n    return 10", ["f", "(x", "):\n", "    return", " 10"]),
        ("a\r\n\r\nb", ["a", "\r\n\r\n", "b"]),
        ("1234567890.5", ["123456789", "0", ".", "5"]),
        ("我们在中国住了十年，你好", ["我们在中国住了十", "年", "，你好"]),
        ("ภาษาไทย", ["ภาษาไทย"]),
        ("안녕하세요 여러분", ["안녕하세요", " 여러분"]),
        ("cafe\u0301 noir", ["cafe\u0301", " noir"]),
        ("👩‍👩‍👧 ok", ["👩‍👩‍👧", " ok"]),
        ("a" * 70, ["a" * 32, "a" * 32, "a" * 6]),
    ],
)
def test_what_chunks_look_like(text: str, chunks: list[str]) -> None:
    assert split(text) == chunks


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InputError, match=r"U\+DC80, as character 3"):
        split("ab\udc80")
