"""The united tokenizer against the laws that it promises, and against the tokenizers library."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.fusion.vocabulary.makers import (
    CHINESE,
    CODE,
    ENGLISH,
    byte_level,
    metaspace,
    read,
    unigram,
    word_piece,
)
from zhufeng.fusion.vocabulary import United, compare, unite_tokenizers

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.lists(st.sampled_from(" ".join([*ENGLISH, *CODE, *CHINESE]).split(" ")), max_size=8).map(
        " ".join
    ),
)
FORMS: dict[str, list[Callable[[], Tokenizer]]] = {
    "byte-level": [lambda: byte_level(ENGLISH), lambda: byte_level(CODE, end="<|stop|>")],
    "metaspace": [lambda: metaspace(ENGLISH), lambda: metaspace(CODE)],
    "unigram": [lambda: unigram(ENGLISH), lambda: unigram(CODE)],
    "bytes first": [lambda: byte_level(ENGLISH), lambda: metaspace([*CODE, *CHINESE])],
    "metaspace first": [lambda: metaspace([*ENGLISH, *CHINESE]), lambda: byte_level(CODE)],
}


@pytest.fixture(scope="module")
def unions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, United]:
    made = {}
    for form, makers in FORMS.items():
        folder = tmp_path_factory.mktemp("union")
        sources = [read(folder / str(i), make()) for i, make in enumerate(makers)]
        made[form] = unite_tokenizers(sources)
    return made


def ids_of(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def ends(tokenizer: Tokenizer, text: str) -> list[int]:
    """How many bytes each token ends after, by the tokens alone (byte-level)."""
    tokens = tokenizer.encode(text, add_special_tokens=False).tokens
    return list(accumulate(map(len, tokens)))


@pytest.mark.parametrize("form", FORMS)
def test_it_gives_every_text_back(unions: dict[str, United], form: str) -> None:
    united = unions[form]

    @settings(max_examples=60)
    @given(TEXTS)
    @example("河边 def climb(): 🙂\x00\x7f é̂")
    def whole(text: str) -> None:
        # U+2581 is a space to these forms, and sentencepiece's own strip leading ones.
        plain = text if form.startswith("byte") else text.replace("▁", "").lstrip(" ")
        ids = ids_of(united.tokenizer, plain)
        expected = united.base.tokenizer.decode(ids_of(united.base.tokenizer, plain))
        assert united.tokenizer.decode(ids) == expected
        assert expected == plain
        assert all(i < united.size for i in ids)

    whole()


@pytest.mark.parametrize("form", ["byte-level", "bytes first"])
def test_it_joins_what_the_base_cuts(unions: dict[str, United], form: str) -> None:
    united = unions[form]

    @settings(max_examples=60)
    @given(TEXTS.filter(lambda text: "<" not in text))
    def coarser(text: str) -> None:
        assert set(ends(united.tokenizer, text)) <= set(ends(united.base.tokenizer, text))

    coarser()
    text = CODE[2]
    assert len(ends(united.tokenizer, text)) < len(ends(united.base.tokenizer, text))


@pytest.mark.parametrize("form", FORMS)
def test_the_bases_ids_stay_and_all_tokens_are_there(unions: dict[str, United], form: str) -> None:
    united = unions[form]
    library = united.tokenizer.get_vocab()
    assert library == dict(united.ids)
    assert sorted(united.ids.values()) == list(range(united.size))
    for token, i in united.base.ids.items():
        assert library[token] == i
    for source in united.sources:
        given_ids = united.of(source)
        for token, own in source.ids.items():
            if given_ids[own] >= 0:
                united_token = united.tokenizer.id_to_token(int(given_ids[own]))
                assert united_token is not None
                assert united.stands_for(united_token) == source.stands_for(token)


def test_only_halves_of_characters_are_left_out(unions: dict[str, United]) -> None:
    united = unions["metaspace first"]
    source = united.sources[1]
    left_out = [t for t, i in source.ids.items() if united.of(source)[i] < 0]
    for token in left_out:
        with pytest.raises(UnicodeDecodeError):
            source.stands_for(token).decode()
    assert (unions["bytes first"].of(unions["bytes first"].sources[1]) >= 0).all()


def test_a_characters_bytes_are_joined(unions: dict[str, United]) -> None:
    """Chinese of a tokenizer of characters, in one of bytes whose own texts had none."""
    united = unions["bytes first"]
    for character in "山河高":
        assert len(ids_of(united.base.tokenizer, character)) == 3
        assert len(ids_of(united.tokenizer, character)) == 1


def test_nothing_new_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    one = read(tmp_path / "a", byte_level(ENGLISH))
    two = read(tmp_path / "b", byte_level(ENGLISH))
    assert unite_tokenizers([one, two]).data is one.data
    assert unite_tokenizers([one]).data is one.data


def test_special_tokens_of_all_are_special(unions: dict[str, United]) -> None:
    united = unions["byte-level"]
    for content in ("<|end|>", "<|stop|>"):
        assert ids_of(united.tokenizer, f"river{content}")[-1] == united.ids[content]
    entries = {entry["content"]: entry for entry in united.data["added_tokens"]}
    assert entries["<|stop|>"]["special"]
    assert entries["<|stop|>"]["id"] == united.ids["<|stop|>"]


def test_an_ordinary_token_that_is_special_elsewhere_becomes_so(tmp_path: Path) -> None:
    plain = json.loads(byte_level(ENGLISH).to_str())
    plain["model"]["vocab"]["<s>"] = 320
    one = read(tmp_path / "a", Tokenizer.from_str(json.dumps(plain)))
    two = byte_level(CODE, end="<s>")
    united = unite_tokenizers([one, read(tmp_path / "b", two)])
    assert united.ids["<s>"] == 320
    assert ids_of(united.tokenizer, "a<s>")[-1] == 320


def test_the_bases_template_holds(unions: dict[str, United]) -> None:
    united = unions["metaspace"]
    assert united.tokenizer.encode("river").ids[0] == 1
    assert united.data["post_processor"] == united.base.data["post_processor"]


def test_united_words_can_all_be_cut(tmp_path: Path) -> None:
    """WordPiece takes the longest piece first: a new long one must not end in the unknown."""
    one = read(tmp_path / "a", word_piece(ENGLISH))
    two = read(tmp_path / "b", word_piece(["mountainous highlands", "stonecutting"], 60))
    united = unite_tokenizers([one, two])
    unknown = united.ids["[UNK]"]

    @settings(max_examples=60)
    @given(st.text("abcdeghilmnorstu ", max_size=20))
    @example("mountainou stonecutt")
    def known(text: str) -> None:
        if unknown not in ids_of(one.tokenizer, text):
            assert unknown not in ids_of(united.tokenizer, text)

    known()


def test_comparing(tmp_path: Path) -> None:
    english, code = byte_level(ENGLISH), byte_level(CODE)
    one, same = read(tmp_path / "a", english), read(tmp_path / "b", english)
    assert compare(one, same).equal
    other = compare(one, read(tmp_path / "c", code))
    shared = english.get_vocab().keys() & code.get_vocab().keys()
    assert (other.equal, other.same_vocabulary, other.shared) == (False, False, len(shared))
    assert other.differences[0].endswith("that only the second has")
    english.add_special_tokens(["<more>"])
    more = compare(one, read(tmp_path / "d", english))
    assert more.overlap == 1
    assert more.differences == ("0 tokens that only the first has, 1 that only the second has",)


def test_tokens_are_compared_by_their_bytes(tmp_path: Path) -> None:
    one = read(tmp_path / "a", byte_level(ENGLISH))
    two = read(tmp_path / "b", metaspace(ENGLISH))
    found = compare(one, two)
    assert one.by_bytes[b" the"] == "Ġthe"
    assert two.by_bytes[b" the"] == "▁the"
    assert two.by_bytes[b"\n"] == "<0x0A>"
    assert found.shared > 256
    assert "texts are cut into words differently" in found.differences


def test_a_token_called_none_is_a_word_where_nothing_is_unknown(tmp_path: Path) -> None:
    """`unk_token` is null in a byte-level tokenizer; Python's sources hold the word None."""
    learned = read(tmp_path, byte_level(["None" for _ in range(9)]))
    assert "None" in learned.ids
    assert "unk" not in learned.roles
