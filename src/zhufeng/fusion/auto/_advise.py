"""For each pair of models: whether to merge them, to merge them on the union of their tokens, to
let them answer together, or to teach one student from both; and why.

Nothing is loaded: configurations, headers, tokenizers and a few rows are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from zhufeng.base import InputError, printable, record, shown
from zhufeng.fusion.auto._members import Member, MemberRow, open_member
from zhufeng.fusion.auto._samples import Likeness, compare_rows
from zhufeng.fusion.auto._weights import FLOATS
from zhufeng.fusion.licences import joined
from zhufeng.fusion.vocabulary import Comparison, compare

Way = Literal["merge", "merge on the union", "mix", "distil"]

AVERAGING = ("linear", "slerp", "model_stock")
FROM_BASE = ("task_arithmetic", "ties", "dare_ties", "della", "breadcrumbs", "sce")
_ALIKE = 0.5
"""Cosine of what two models learned above which they largely learned the same."""


@record
class Pair:
    """What to do with two models."""

    first: str
    second: str
    way: Way
    methods: tuple[str, ...] = ()
    """Of merging, those that fit; empty otherwise."""
    reasons: tuple[str, ...]
    """In plain words, the weightiest first."""
    likeness: Likeness | None = None
    tokenizers: Comparison | None = None

    @property
    def row(self) -> dict[str, str]:
        """As a row of a table."""
        cosine = "" if self.likeness is None else f"{self.likeness.cosine:.3f}"
        return {
            "first": self.first,
            "second": self.second,
            "way": self.way,
            "methods": ", ".join(self.methods),
            "cosine": cosine,
            "why": "; ".join(self.reasons),
        }


@record
class Advice:
    """What to do with several models."""

    members: tuple[MemberRow, ...]
    pairs: tuple[Pair, ...]


def auto(folders: Sequence[Path], *, base: Path | None = None, single: bool = False) -> Advice:
    """Look into models' folders, Hugging Face's or canonical, and advise on each pair.

    Args:
        folders: at least two.
        base: the model from which others may have been tuned; what each has learned since is
            then compared.
        single: one model is wanted in the end: where only the answers can be mixed, the mixture
            is to be taught to a student.

    Raises:
        InputError: fewer than two folders, or one that is no model's, is damaged or has diverged.
    """
    if len(folders) < 2:  # noqa: PLR2004 (a pair)
        raise InputError(
            "there is nothing to fuse",
            expected="two models' folders or more",
            came=f"{len(folders)}",
            do="name another model's folder",
        )
    names = _names(folders)
    members = [open_member(*pair) for pair in zip(folders, names, strict=True)]
    origin = None if base is None else open_member(base, printable(base.resolve().name))
    pairs = [_advise(one, two, origin, single) for one, two in combinations(members, 2)]
    return Advice(members=tuple(member.row for member in members), pairs=tuple(pairs))


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names, their whole paths where two would be the same."""
    names = [folder.resolve().name for folder in folders]
    return [
        printable(name if names.count(name) == 1 else str(folder))
        for name, folder in zip(names, folders, strict=True)
    ]


def _advise(first: Member, second: Member, base: Member | None, single: bool) -> Pair:
    obstacles = list(_obstacles(first, second))
    may, terms = joined(first.licence, second.licence)
    if not may:
        obstacles.append("their licences do not allow one set of weights made from both")
    tokenizers, rows = _tokenizers(first, second)
    likeness = None if list(_unlike(first, second)) else compare_rows(first, second, base)
    if not obstacles:
        obstacles += _strangers(likeness)
        obstacles += _cannot_unite(first, second, tokenizers)
    common: dict[str, Any] = {
        "first": first.name,
        "second": second.name,
        "likeness": likeness,
        "tokenizers": tokenizers,
    }
    if obstacles:
        way: Way = "distil" if single else "mix"
        words = _distil_words() if single else ()
        return Pair(**common, way=way, reasons=(*obstacles, *rows, *words, *terms))
    way = "merge" if tokenizers is None or tokenizers.same_vocabulary else "merge on the union"
    assert likeness is not None
    return Pair(
        **common,
        way=way,
        methods=_methods(likeness, base),
        reasons=(*_alike(first, likeness, base), *rows, *terms),
    )


def _obstacles(first: Member, second: Member) -> Iterator[str]:
    """Why their weights cannot be averaged, by configurations and headers."""
    yield from _unlike(first, second)
    for member in (first, second):
        if strange := set(member.dtypes) - FLOATS.keys():
            held = ", ".join(map(shown, sorted(strange)))
            yield f"{member.name} holds {held}: quantised weights do not average"


def _unlike(first: Member, second: Member) -> Iterator[str]:
    """Why the two are not one architecture of one size."""
    if first.canonical != second.canonical:
        yield ("one folder is canonical, the other Hugging Face's: unify the other, and ask again")
    elif first.family != second.family:
        yield f"different families: {first.family} and {second.family}"
        if first.shapes == second.shapes:
            yield "yet all shapes are the same: unify both, and ask again"
    elif difference := _shape_difference(first, second):
        yield f"both are {first.family}, of other shapes: {difference}"
    elif switches := _switches(first, second):
        yield f"they compute differently: {'; '.join(switches)}"


def _shape_difference(first: Member, second: Member) -> str | None:
    one, two = first.shapes, second.shapes
    for name in sorted(one.keys() & two.keys()):
        if one[name] != two[name]:
            return f"{shown(name)} is {_times(one[name])} and {_times(two[name])}"
    alone = sorted(one.keys() ^ two.keys())
    if not alone:
        return None
    owner = first if alone[0] in one else second
    return f"{len(alone)} tensors that one lacks, such as {owner.name}'s {shown(alone[0])}"


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _switches(first: Member, second: Member) -> list[str]:
    one, two = first.switches, second.switches
    return [
        f"{shown(key)} {shown(one.get(key))} and {shown(two.get(key))}"
        for key in sorted(one.keys() | two.keys())
        if one.get(key) != two.get(key)
    ]


def _tokenizers(first: Member, second: Member) -> tuple[Comparison | None, tuple[str, ...]]:
    """The tokenizers compared, and that in words."""
    one, two = first.vocabulary, second.vocabulary
    if isinstance(one, InputError) or isinstance(two, InputError):
        names = [m.name for m in (first, second) if isinstance(m.vocabulary, InputError)]
        return None, (f"no tokenizer that can be read in {' and '.join(names)}",)
    found = compare(one, two)
    if found.equal:
        return found, ("the same tokenizer",)
    words = f"{found.shared:,} tokens are shared, {found.overlap:.0%} of the smaller vocabulary"
    if found.same_vocabulary:
        words = "the same tokens under the same ids"
    return found, (f"{words}; tokenizers differ: {', '.join(found.differences)}",)


def _cannot_unite(first: Member, second: Member, tokenizers: Comparison | None) -> Iterator[str]:
    """Why neither the rows stand for the same tokens nor can be brought to."""
    if tokenizers is None:
        if first.token_rows != second.token_rows:
            yield f"embeddings of {first.token_rows} and {second.token_rows} rows"
        return
    one, two = first.vocabulary, second.vocabulary
    assert not isinstance(one, InputError)
    assert not isinstance(two, InputError)
    if one.kind != two.kind:
        yield f"tokenizers of kinds that cannot be united: {one.kind} and {two.kind}"


def _strangers(likeness: Likeness | None) -> Iterator[str]:
    if likeness is None:
        yield "no matrix of both could be compared"
    elif not likeness.related:
        yield (
            "the same architecture, trained from different beginnings: the cosine of "
            f"{likeness.rows} sampled rows is {likeness.cosine:.3f}, and an average of weights "
            "that do not correspond is no model"
        )


def _alike(first: Member, likeness: Likeness, base: Member | None) -> Iterator[str]:
    yield f"both are {first.family}, of the same shapes"
    if likeness.equal:
        yield f"all {likeness.rows} sampled rows are equal: they may be the same model"
        return
    yield (
        f"a common base is likely: the cosine of {likeness.rows} sampled rows is "
        f"{likeness.cosine:.3f}, their difference {likeness.difference:.1%} of their size"
    )
    if base is None:
        yield "name the base to choose among the methods that merge differences from it"
    elif likeness.deltas is None:
        yield f"{base.name} has other shapes or is quantised: it cannot be compared with them"
    else:
        same = likeness.deltas >= _ALIKE
        learned = "they learned much the same" if same else "what they learned hardly meets"
        yield f"since {base.name} {learned} (cosine {likeness.deltas:.3f})"


def _methods(likeness: Likeness, base: Member | None) -> tuple[str, ...]:
    """Methods that fit, the likeliest first: what was learned apart is kept apart by methods that
    merge differences; what was learned alike is averaged.
    """
    if likeness.deltas is None or base is None:
        return AVERAGING if base is not None else (*AVERAGING, *FROM_BASE)
    if likeness.deltas >= _ALIKE:
        return (*AVERAGING, *FROM_BASE)
    return (*FROM_BASE, *AVERAGING)


def _distil_words() -> tuple[str, ...]:
    return ("one model is wanted: the mixture of both can be taught to a student",)
