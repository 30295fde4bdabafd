"""A model's tokenizer, read from its folder: every form checked before the library sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from zhufeng.base import InputError, brief, loads_json, read_json, read_text, shown
from zhufeng.fusion.vocabulary._spelling import Spelling, spelling_of

TOKENIZER = "tokenizer.json"
ROLES = ("bos", "eos", "pad", "unk")
"""What a token may be to a model: begin, end, filling, the unknown."""

_KINDS = ("BPE", "Unigram", "WordPiece")
_MOST_IDS = 1 << 24  # far above any vocabulary, far below what would exhaust memory
_OTHER_FORMS = ("tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "qwen.tiktoken")
_CONVERT = (
    "convert it where transformers knows the model: "
    "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
)


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer: its file, the library's form of it, and what its tokens are."""

    where: str
    """The file, for messages."""
    data: dict[str, Any]
    """The file's table."""
    tokenizer: Tokenizer
    """Without truncation, padding and dropout: the same text gives the same tokens."""
    ids: Mapping[str, int]
    """Every token as the file spells it, added ones too, by ascending id."""
    added: Mapping[str, Mapping[str, Any]]
    """The added tokens' own entries, by content."""
    roles: Mapping[str, int]
    """Of `ROLES`, those that the folder names, to their ids."""

    @property
    def kind(self) -> str:
        """ "BPE", "Unigram" or "WordPiece"."""
        return str(self.data["model"]["type"])

    @property
    def size(self) -> int:
        """One more than the largest id."""
        return max(self.ids.values()) + 1

    @cached_property
    def spelling(self) -> Spelling:
        """How tokens are written."""
        return spelling_of(self.data)

    @cached_property
    def by_bytes(self) -> Mapping[bytes, str]:
        """Ordinary tokens by what they stand for; a byte's own token only where no other does."""
        ordinary = [token for token in self.ids if token not in self.added]
        single = [t for t in ordinary if self.spelling.byte_tokens and t.startswith("<0x")]
        others = set(single)
        ordered = [*single, *(t for t in reversed(ordinary) if t not in others)]
        return {self.spelling.stands_for(token): token for token in ordered}

    def stands_for(self, token: str) -> bytes:
        """The bytes of text that a token stands for; an added one for its content."""
        return token.encode() if token in self.added else self.spelling.stands_for(token)

    def merges(self) -> Iterator[tuple[str, str]]:
        """A BPE's merges in their order."""
        for merge in self.data["model"]["merges"]:
            left, right = merge.split(" ") if isinstance(merge, str) else merge
            yield left, right


def read_vocabulary(folder: Path) -> Vocabulary:
    """The tokenizer in a model's folder.

    Reads ``tokenizer.json``, and from ``tokenizer_config.json``, ``generation_config.json`` and
    ``config.json`` which tokens begin, end and fill a text.

    Raises:
        InputError: there is none, it is damaged, or of a form that is not understood.
    """
    path = folder / TOKENIZER
    if not path.exists():
        raise _absent(folder)
    text = read_text(path, "a tokenizer.json")
    data = loads_json(text, str(path))
    _check(data, path)
    tokenizer = load_tokenizer(data, str(path))
    ids = dict(sorted(tokenizer.get_vocab().items(), key=lambda item: (item[1], item[0])))
    added = {str(entry["content"]): entry for entry in data.get("added_tokens") or ()}
    return Vocabulary(str(path), data, tokenizer, ids, added, _roles(folder, data, ids))


def load_tokenizer(data: Mapping[str, Any], where: str) -> Tokenizer:
    """The library's tokenizer of a table, made to give the same tokens for the same text.

    Raises:
        InputError: the library does not accept it.
    """
    steady = {**data, "truncation": None, "padding": None}
    if data["model"]["type"] == "BPE":
        steady["model"] = {**data["model"], "dropout": None}
    try:
        return Tokenizer.from_str(json.dumps(steady))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 (bare Exception, and panics of Rust's)
        raise _damaged(where, shown(str(error))) from None


def _check(data: Any, path: Path) -> None:
    """The library panics on some damage, loudly: what it takes for granted is seen to here."""
    model = data.get("model") if isinstance(data, dict) else None
    if not isinstance(model, dict):
        raise _damaged(str(path), "no table 'model'")
    if model.get("type") not in _KINDS:
        raise InputError(
            f"{path} is a tokenizer of another kind",
            expected=", ".join(_KINDS),
            came=shown(model.get("type")),
            do=_CONVERT,
        )
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model["type"] == "BPE" and model.get(key):
            raise InputError(
                f"{path} marks the ends of words",
                expected="a BPE whose tokens stand for their own text",
                came=f"{key} = {shown(model[key])}",
                do="leave this model out, or let it answer beside the others (mix)",
            )
    wrong = _wrong_tokens(model) or _wrong_added(data.get("added_tokens"))
    if wrong is None and model["type"] == "BPE":
        wrong = _wrong_merges(model)
    if wrong is not None:
        raise _damaged(str(path), wrong)


def _wrong_tokens(model: Mapping[str, Any]) -> str | None:
    vocab = model.get("vocab")
    if model["type"] == "Unigram":
        pairs = vocab if isinstance(vocab, list) else []
        right = all(
            isinstance(pair, list)
            and len(pair) == 2  # noqa: PLR2004 (a piece and its score)
            and isinstance(pair[0], str)
            and type(pair[1]) in (int, float)
            for pair in pairs
        )
        if not pairs or not right:
            return "a vocabulary that is no list of pieces and scores"
        return None if len({piece for piece, _ in pairs}) == len(pairs) else "a piece twice"
    ids = list(vocab.values()) if isinstance(vocab, dict) else []
    if not ids or not all(type(i) is int and 0 <= i < _MOST_IDS for i in ids):
        return "a vocabulary that is no table of tokens and ids"
    return None if len(set(ids)) == len(ids) else "two tokens of one id"


def _wrong_added(added: Any) -> str | None:
    entries = [] if added is None else added
    if not isinstance(entries, list):
        return "added tokens that are no list"
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("content"), str):
            return "an added token without content"
        if not entry["content"] or type(entry.get("id")) is not int:
            return f"an added token {shown(entry['content'])} without text or id"
        if not all(isinstance(entry.get(flag), bool) for flag in flags):
            return f"an added token {shown(entry['content'])} without its switches"
    return None


def _wrong_merges(model: Mapping[str, Any]) -> str | None:
    merges, vocab = model.get("merges"), model["vocab"]
    if not isinstance(merges, list):
        return "merges that are no list"
    for merge in merges:
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if (
            not isinstance(parts, list)
            or len(parts) != 2  # noqa: PLR2004 (a merge joins two)
            or not all(isinstance(part, str) and part in vocab for part in parts)
            or "".join(parts) not in vocab
        ):
            return f"a merge {shown(merge)} of tokens that are not in the vocabulary"
    return None


def _roles(folder: Path, data: Mapping[str, Any], ids: Mapping[str, int]) -> dict[str, int]:
    """Which tokens have a role: by name in the tokenizer's own file, else by id in the model's."""
    named, *numbered = (
        _optional(folder / name)
        for name in ("tokenizer_config.json", "generation_config.json", "config.json")
    )
    known = set(ids.values())
    roles: dict[str, int] = {}
    for role in ROLES:
        token = named.get(f"{role}_token")
        content = token.get("content") if isinstance(token, dict) else token
        given = [_first(table.get(f"{role}_token_id")) for table in numbered]
        options = [ids.get(content) if isinstance(content, str) else None, *given]
        if role == "unk":
            options.append(_unknown(data["model"], ids))
        found = [i for i in options if type(i) is int and i in known]
        if found:
            roles[role] = found[0]
    return roles


def _unknown(model: Mapping[str, Any], ids: Mapping[str, int]) -> int | None:
    if model["type"] == "Unigram":
        return model.get("unk_id")
    token = model.get("unk_token")
    return ids.get(token) if isinstance(token, str) else None


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _optional(path: Path) -> Mapping[str, Any]:
    table = read_json(path) if path.exists() else {}
    return table if isinstance(table, dict) else {}


def _absent(folder: Path) -> InputError:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        return InputError(
            f"{folder} cannot be read",
            expected="a model's folder",
            came=brief(error),
            do="check the path",
        )
    others = [name for name in names if name in _OTHER_FORMS]
    return InputError(
        f"{folder} has no tokenizer that can be read",
        expected=f"a {TOKENIZER}",
        came=f"only {', '.join(others)}" if others else "no tokenizer",
        do=_CONVERT if others else f"copy the model's {TOKENIZER} into its folder",
    )


def _damaged(where: str, came: str) -> InputError:
    return InputError(
        f"{where} is damaged",
        expected="a Hugging Face tokenizer.json",
        came=came,
        do="restore the file from a copy",
    )
