"""Two tokenizers compared: whether they are one, what they share, and why they are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zhufeng.base import record
from zhufeng.fusion.vocabulary._read import Vocabulary

_PARTS = {
    "normalizer": "texts are normalised differently",
    "pre_tokenizer": "texts are cut into words differently",
    "post_processor": "other tokens are set around a text",
    "decoder": "tokens are joined to text differently",
}
_SWITCHES = ("byte_fallback", "ignore_merges", "unk_token", "fuse_unk", "unk_id")


@record
class Comparison:
    """What two tokenizers have in common. Reads as a row of a table."""

    equal: bool
    """They do the same to every text: nothing stands in `differences`."""
    same_vocabulary: bool
    """The same tokens under the same ids: a row of one model's embedding is for the same token
    as that row of the other's."""
    first: int
    """Tokens of the first."""
    second: int
    shared: int
    """Tokens of both, by the bytes that they stand for, whatever their ids."""
    differences: tuple[str, ...]
    """In plain words; empty where they are equal."""

    @property
    def overlap(self) -> float:
        """Share of the smaller one's tokens that the other has."""
        return self.shared / min(self.first, self.second)


def compare(first: Vocabulary, second: Vocabulary) -> Comparison:
    """Compare two tokenizers, by their files alone."""
    same = first.ids == second.ids and first.added.keys() == second.added.keys()
    return Comparison(
        equal=not (differences := _differences(first, second, same=same)),
        same_vocabulary=same,
        first=len(first.ids),
        second=len(second.ids),
        shared=len(_meanings(first) & _meanings(second)),
        differences=tuple(differences),
    )


def _meanings(vocabulary: Vocabulary) -> set[tuple[bool, bytes]]:
    added = {(True, content.encode()) for content in vocabulary.added}
    return added | {(False, text) for text in vocabulary.by_bytes}


def _differences(first: Vocabulary, second: Vocabulary, *, same: bool) -> list[str]:
    one, two = first.data["model"], second.data["model"]
    found = []
    if first.kind != second.kind:
        found.append(f"{first.kind} and {second.kind}")
    if not same:
        found.append(_vocabularies(first, second))
    if first.kind == second.kind == "BPE" and [*first.merges()] != [*second.merges()]:
        found.append("other merges, or in another order")
    if first.kind == second.kind == "Unigram" and one["vocab"] != two["vocab"]:
        found.append("other scores")
    found += [
        f"{switch}: {one.get(switch)!r} and {two.get(switch)!r}"
        for switch in _SWITCHES
        if one.get(switch) != two.get(switch) and (one.get(switch) or two.get(switch))
    ]
    both = first.added.keys() & second.added.keys()
    changed = sorted(name for name in both if _flags(first, name) != _flags(second, name))
    if changed:
        found.append(f"added tokens with other switches: {', '.join(changed[:3])}")
    found += [
        words for part, words in _PARTS.items() if first.data.get(part) != second.data.get(part)
    ]
    return found


def _vocabularies(first: Vocabulary, second: Vocabulary) -> str:
    if first.ids.keys() == second.ids.keys():
        return "the same tokens under other ids, or others of them special"
    alone = len(first.ids.keys() - second.ids.keys()), len(second.ids.keys() - first.ids.keys())
    return f"{alone[0]} tokens that only the first has, {alone[1]} that only the second has"


def _flags(vocabulary: Vocabulary, name: str) -> Mapping[str, Any]:
    return {key: value for key, value in vocabulary.added[name].items() if key != "id"}
