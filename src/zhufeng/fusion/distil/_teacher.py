"""The members are asked about a corpus, once; what they say is an artifact.

It is written in parts of a few passages each, so that a kill loses one of them, and a student
learns from it without a member in memory or at hand.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import (
    Draft,
    InputError,
    Manifest,
    Spec,
    batched,
    exclusive,
    generator,
    make,
    sha256_json,
    to_json,
    track,
)
from zhufeng.fusion.distil._answers import (
    Answer,
    part_path,
    read_answers,
    read_part,
    write_answers,
)
from zhufeng.fusion.distil._config import TeacherConfig
from zhufeng.fusion.distil._passages import Passage, passages
from zhufeng.fusion.mix import Member, Voice, mix

_PART = 64  # passages
_EPSILON = 1e-12

Bits = NDArray[np.float64]


@dataclass(frozen=True)
class Toll:
    """What a member's answers cost, in multiply-accumulates."""

    lengths: Callable[[Sequence[str]], list[int]]
    """Of chunks, in units of the member's: tokens, or bytes."""
    macs: Callable[[int, int], float]
    """Of so many units after so many others that are in a cache."""

    def scoring(self, chunks: Sequence[str]) -> float:
        """Of a passage in one go."""
        return self.macs(sum(self.lengths(chunks)), 0)

    def asking(self, chunks: Sequence[str], asked: Sequence[tuple[int, Sequence[str]]]) -> float:
        """Of going through a passage with a cache, and of chunks tried at some places of it."""
        before = np.cumsum([0, *self.lengths(chunks)]).tolist()
        total = self.macs(before[asked[-1][0]], 0) if asked else 0.0
        for place, tried in asked:
            total += sum(self.macs(length, before[place]) for length in self.lengths(tried))
        return total


@dataclass(frozen=True)
class Teacher:
    """A member that teaches; opened when it is asked."""

    name: str
    identity: str
    """A hash of everything that its answers depend on."""
    open: Callable[[], Member]
    toll: Toll


def teach(
    config: TeacherConfig, teachers: Sequence[Teacher], texts: Iterable[str], out: Path, seed: int
) -> Manifest:
    """Ask the members about a corpus, unless their answers stand at `out` already.

    Killed, it goes on when it is called again; the same arguments give the same bytes.

    Args:
        config: what they are asked.
        teachers: the members of the mixture; at first each counts alike.
        texts: a document each; gone through twice, so a sequence or `CorpusFiles`.
        out: the artifact; its parent must exist. ``part-NNNNN.parquet``: see `Answer`.
        seed: of the places and the proposals.

    Returns:
        The artifact's manifest. Its figures: ``passages``, ``held_out_passages``, ``macs`` of the
        learned ones, ``places``, and bits a byte of the held-out ones: ``mixture_bits_per_byte``,
        and ``bits_per_byte/NAME`` of each member.

    Raises:
        InputError: no members, no text, nothing to hold out, or nothing that a member can say;
            another artifact stands at `out`.
    """
    _check_names([teacher.name for teacher in teachers])
    spec = Spec(
        kind="distil-teacher",
        version=1,
        configuration=to_json(config),
        inputs={"texts": _checked_digest(config, texts)}
        | {f"member {teacher.name}": teacher.identity for teacher in teachers},
        seed=seed,
    )
    panel = _Panel(config, teachers, seed)
    fill = partial(_fill, panel=panel, texts=texts)
    with exclusive(out.parent):
        return make(out, spec, fill, resumes=True, packages=("numpy", "pyarrow"))


def _fill(draft: Draft, *, panel: _Panel, texts: Iterable[str]) -> None:
    can_say = False
    asked = track(passages(texts, panel.config), "asking the members")
    for number, group in enumerate(batched(asked, _PART)):
        path = part_path(draft.folder, number)
        if not path.exists():
            write_answers(path, map(panel.answer, group))
        can_say = can_say or any(np.isfinite(one.bits).any() for one in read_part(path))
        if not can_say:
            raise InputError(
                "the members cannot say the text",
                expected="a likelihood above 0 for some of it",
                came=f"none in its first {len(group)} passages, from "
                + ", ".join(teacher.name for teacher in panel.teachers),
                do="check that each member answers, and that its tokenizer knows such text",
            )
    draft.figures |= _figures(draft.folder, [teacher.name for teacher in panel.teachers])


def _figures(folder: Path, names: Sequence[str]) -> dict[str, float | None]:
    count = held_out = places = text_bytes = 0
    macs = mixture = 0.0
    members = np.zeros(len(names))
    for answer in read_answers(folder):
        count += 1
        if answer.held_out:
            held_out += 1
            text_bytes += answer.text_bytes
            mixture += float(answer.bits.sum(dtype=np.float64))
            members += answer.member_bits
        else:
            macs += answer.macs
            places += len(answer.places)
    figures = {"passages": count, "held_out_passages": held_out, "places": places, "macs": macs}
    each = {f"bits_per_byte/{n}": m / text_bytes for n, m in zip(names, members, strict=True)}
    return {**figures, "mixture_bits_per_byte": mixture / text_bytes, **each}


class _Panel:
    """The members, asked about one passage after another."""

    def __init__(self, config: TeacherConfig, teachers: Sequence[Teacher], seed: int) -> None:
        self.config, self.teachers, self.seed = config, teachers, seed

    @cached_property
    def members(self) -> list[Member]:
        """Opened once they are needed."""
        return [teacher.open() for teacher in self.teachers]

    def answer(self, passage: Passage) -> Answer:
        """What they say of a passage: of it alone, whatever was asked before."""
        chunks = passage.chunks
        each = np.stack([member.score(chunks) for member in self.members])
        mixed = mix(each)
        drawn = () if passage.held_out else self._places(passage)
        asked = self._alternatives(passage, drawn, mixed.weights) if len(drawn) else []
        macs = sum(t.toll.scoring(chunks) + t.toll.asking(chunks, asked) for t in self.teachers)
        return Answer(
            number=passage.number,
            sha256=passage.sha256,
            held_out=passage.held_out,
            text_bytes=sum(len(chunk.encode()) for chunk in chunks),
            bits=np.asarray(mixed.mixture_bits, np.float32),
            member_bits=np.asarray(each.sum(axis=1), np.float64),
            macs=float(macs),
        )
