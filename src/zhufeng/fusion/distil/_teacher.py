"""The members are asked about a corpus, once; what they say is an artifact.

It is written in parts of a few passages each, so that a kill loses one of them, and a student
learns from it without a member in memory or at hand.
"""

from __future__ import annotations

import hashlib
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
    brief,
    exclusive,
    files_below,
    make,
    sha256_file,
    sha256_json,
    shown,
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
from zhufeng.fusion.distil._compute import decoder_cost
from zhufeng.fusion.distil._config import TeacherConfig
from zhufeng.fusion.distil._passages import Passage, passages
from zhufeng.fusion.distil._tokenizer import Spelling
from zhufeng.fusion.mix import Member, MemberError, MemberSpec, mix, open_member
from zhufeng.models import read_decoder

_PART = 64  # passages


@dataclass(frozen=True)
class Teacher:
    """A member that teaches; opened when it is asked."""

    name: str
    identity: str
    """A hash of everything that its answers depend on."""
    open: Callable[[], Member]
    macs: Callable[[Sequence[str]], float]
    """Multiply-accumulates of scoring a passage, by its chunks."""


def open_teacher(spec: MemberSpec, config: TeacherConfig) -> Teacher:
    """A member as a teacher; its folder is checked now, and opened again once it is asked.

    Raises:
        InputError: a folder cannot be read, or what a server's answers cost is not told.
    """
    opened = partial(open_member, spec)
    if spec.folder is None:
        if (rate := config.macs_per_byte.get(spec.name)) is None:
            raise InputError(
                f"what the answers of the member {shown(spec.name)} cost is not known",
                expected="its multiply-accumulates a byte, so that the baselines get as many",
                came="a server without them",
                do=f"give macs_per_byte of '{shown(spec.name)}': about its active parameters, "
                "over the bytes of a token",
            )
        each = float(rate)
        identity = sha256_json(to_json(spec))
        return Teacher(spec.name, identity, opened, lambda chunks: each * _bytes(chunks))
    folder = Path(spec.folder)
    cost = decoder_cost(read_decoder(folder).config)
    spelling = Spelling(folder / "tokenizer.json")
    files = {name: sha256_file(folder / name) for name in files_below(folder)}
    identity = sha256_json([files, spec.context, spec.end])

    def macs(chunks: Sequence[str]) -> float:
        # Beyond its context a member reads half of it anew, again and again.
        tokens = spelling.lengths(chunks)
        again = max(0, tokens - spec.context)
        return cost.a_token * (tokens + again) + cost.a_pair * (tokens + again) * min(
            tokens, spec.context
        )

    return Teacher(spec.name, identity, opened, macs)


def teach(
    config: TeacherConfig, teachers: Sequence[Teacher], texts: Iterable[str], out: Path, seed: int
) -> Manifest:
    """Ask the members about a corpus, unless their answers stand at `out` already.

    Killed, it goes on when it is called again; the same arguments give the same bytes.

    Args:
        config: what they are asked.
        teachers: the members of the mixture; at first each counts alike.
        texts: a document each; gone through twice, so a sequence or `CorpusFiles`.
        out: the artifact; its parent is made if it is not there. ``part-NNNNN.parquet``: see
            `Answer`.
        seed: of the run.

    Returns:
        The artifact's manifest. Its figures: ``passages``, ``held_out_passages``, ``macs`` of the
        learned ones, and bits a byte of the held-out ones: ``mixture_bits_per_byte``, and
        ``bits_per_byte/NAME`` of each member.

    Raises:
        InputError: no members, no text, nothing to hold out, nothing that a member can say, or a
            member does not answer; another artifact stands at `out`.
    """
    names = [teacher.name for teacher in teachers]
    if not names or len(set(names)) < len(names):
        raise InputError(
            "the mixture cannot teach",
            expected="members, each of a name of its own",
            came=", ".join(map(shown, names)) or "none",
            do="name at least one member, and each otherwise",
        )
    spec = Spec(
        kind="distil-teacher",
        version=1,
        configuration=to_json(config),
        inputs={"texts": _checked_digest(config, texts)}
        | {f"member {teacher.name}": teacher.identity for teacher in teachers},
        seed=seed,
    )
    fill = partial(_fill, panel=_Panel(teachers), pieces=partial(passages, texts, config))
    out.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(out.parent):
        return make(out, spec, fill, resumes=True, packages=("numpy", "pyarrow"))


def _checked_digest(config: TeacherConfig, texts: Iterable[str]) -> str:
    """Of all text."""
    digest, learned, held_out = hashlib.sha256(), 0, 0
    for passage in passages(texts, config):
        digest.update(f"{passage.sha256}{passage.ends}".encode())
        held_out += passage.held_out
        learned += not passage.held_out
    if not learned or not held_out:
        raise InputError(
            "the corpus is too small to learn from and to hold out",
            expected="passages of both, with a share of "
            f"{config.held_out:g} held out in passages of {config.passage} chunks",
            came=f"{learned} to learn from, {held_out} held out",
            do="give more text, shorten passage, or change held_out",
        )
    return digest.hexdigest()


def _fill(draft: Draft, *, panel: _Panel, pieces: Callable[[], Iterable[Passage]]) -> None:
    can_say = False
    for number, group in enumerate(batched(track(pieces(), "asking the members"), _PART)):
        path = part_path(draft.folder, number)
        if not path.exists():
            write_answers(path, map(panel.answer, group))
        can_say = can_say or any(np.isfinite(one.bits).any() for one in read_part(path))
        if not can_say:
            path.unlink()  # so that a mended member is asked again
            raise InputError(
                "the members cannot say the text",
                expected="a likelihood above 0 for some of it",
                came=f"none in its first {len(group)} passages",
                do="check that each member answers, and that its tokenizer knows such text",
            )
    names = [teacher.name for teacher in panel.teachers]
    draft.figures |= _figures(draft.folder, names)


def _figures(folder: Path, names: Sequence[str]) -> dict[str, float | None]:
    count = held_out = text_bytes = 0
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
    each = {f"bits_per_byte/{n}": m / text_bytes for n, m in zip(names, members, strict=True)}
    return {
        "passages": count,
        "held_out_passages": held_out,
        "macs": macs,
        "mixture_bits_per_byte": mixture / text_bytes,
        **each,
    }


class _Panel:
    """The members, asked about one passage after another."""

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        self.teachers = teachers

    @cached_property
    def members(self) -> list[Member]:
        """Opened once they are needed."""
        return [teacher.open() for teacher in self.teachers]

    def answer(self, passage: Passage) -> Answer:
        """What they say of a passage: of it alone, whatever was asked before."""
        chunks = passage.chunks
        each = np.stack([_score(member, chunks) for member in self.members])
        return Answer(
            number=passage.number,
            sha256=passage.sha256,
            held_out=passage.held_out,
            text_bytes=_bytes(chunks),
            bits=np.asarray(mix(each).mixture_bits, np.float32),
            member_bits=np.asarray(each.sum(axis=1), np.float64),
            macs=float(sum(teacher.macs(chunks) for teacher in self.teachers)),
        )


def _score(member: Member, chunks: Sequence[str]) -> NDArray[np.float64]:
    try:
        return member.score(chunks)
    except MemberError as error:
        raise InputError(
            f"the member {shown(member.name)} does not answer",
            expected="the likelihood of a passage",
            came=brief(error),
            do="see to it, and call again: what was answered is kept",
        ) from None


def _bytes(chunks: Sequence[str]) -> int:
    return sum(len(chunk.encode()) for chunk in chunks)
