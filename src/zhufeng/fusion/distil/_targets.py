"""The corpus in the student's tokens, and what the mixture says of it as paths of these tokens.

A chunk that the mixture proposes counts where the student's forward of the text itself gives its
likelihood: its tokens leave those of the text's own chunk at the last one, as every chunk of one
token does. Any other is part of "everything else". So the student computes no more than without.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zhufeng.base import durable, record, track
from zhufeng.fusion.distil._answers import Answer
from zhufeng.fusion.distil._objective import Events
from zhufeng.fusion.distil._passages import Passage
from zhufeng.fusion.distil._tokenizer import Spelling
from zhufeng.records import Form, shard_writer

Indices = NDArray[np.int64]

LEARNED, HELD_OUT = "learned", "held-out"
_SUMMARY = "corpus.json"
# The likelihood of a chunk of more tokens is next to nothing: it tells nothing.
_LONGEST = 16
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
_ARRAYS: Mapping[str, np.dtype[Any]] = {
    "first": np.dtype("<i8"),  # place in the stream of each chunk's first token
    "length": np.dtype("<i4"),  # its tokens
    "log_p": np.dtype("<f4"),  # in nats, by the mixture
    "other_chunk": np.dtype("<i8"),  # of each alternative: the chunk in whose place it stands,
    "other_depth": np.dtype("<i4"),  # how many of its tokens are that chunk's,
    "other_token": np.dtype("<i4"),  # the token after them,
    "other_log_p": np.dtype("<f4"),
}


@record
class TokenCorpus:
    """What became of the corpus."""

    learned_tokens: int
    held_out_tokens: int
    """The ends of documents too."""
    held_out_bytes: int
    chunks: int
    """Learned."""
    places: int
    """At which chunks were proposed."""
    covered: float | None
    """Mean share of what the mixture gives all chunks that it knows of at a place, the text's own
    among them, that falls to those of which the student learns; None without places."""


TOKEN_CORPUS = Form("distil-corpus", TokenCorpus)


def write_corpus(
    folder: Path, passages: Iterable[Passage], answers: Iterable[Answer], spelling: Spelling
) -> TokenCorpus:
    """Write token shards and targets into `folder`, unless they stand there.

    Args:
        folder: must exist.
        passages: the corpus.
        answers: what the members said of each, in the same order.
        spelling: of the student.
    """
    done = folder / _SUMMARY
    if not done.exists():
        with ExitStack() as stack:
            writer = _Writer(folder, spelling, stack)
            for passage, answer in track(zip(passages, answers, strict=True), "tokenising"):
                assert passage.sha256 == answer.sha256, "the answers are of another corpus"
                writer.add(passage, answer)
        TOKEN_CORPUS.write_json(done, writer.summary())
    return TOKEN_CORPUS.read_json(done)


class _Writer:
    def __init__(self, folder: Path, spelling: Spelling, stack: ExitStack) -> None:
        self.spelling = spelling
        size = spelling.vocabulary
        self.learned = stack.enter_context(shard_writer(folder / LEARNED, size))
        self.held_out = stack.enter_context(shard_writer(folder / HELD_OUT, size))
        # The first token of a stream is never a target: so it is none of the text's.
        self.held_out.write(np.array([spelling.end]))
        self.files: dict[str, BinaryIO] = {
            name: stack.enter_context(durable(folder / f"{name}.bin")) for name in _ARRAYS
        }
        self.chunks = self.places = self.held_out_bytes = 0
        self.covered = 0.0

    def add(self, passage: Passage, answer: Answer) -> None:
        """One passage."""
        spelt = self.spelling.encode(passage.chunks)
        tokens = np.array([token for one in spelt for token in one], np.int64)
        ended = np.append(tokens, self.spelling.end) if passage.ends else tokens
        if passage.held_out:
            self.held_out_bytes += answer.text_bytes
            self.held_out.write(ended)
            return
        lengths = np.array([len(one) for one in spelt], np.int64)
        self._put("first", self.learned.tokens + np.cumsum(lengths) - lengths)
        self._put("length", lengths)
        self._put("log_p", -math.log(2) * answer.bits)
        for place, others, bits in zip(
            answer.places, answer.alternatives, answer.alternative_bits, strict=True
        ):
            self._add_place(place, float(answer.bits[place]), spelt[place], others, bits)
        self.learned.write(ended)
        self.chunks += len(passage.chunks)

    def _add_place(
        self, place: int, own: float, path: list[int], others: Sequence[str], bits: Sequence[float]
    ) -> None:
        spelt = self.spelling.encode(others)
        usable = [other[:-1] == path[: len(other) - 1] for other in spelt]
        shares = np.exp2(-np.array([own, *bits]))
        told = shares[np.array([True, *usable])]
        self.places += 1
        self.covered += float(told.sum() / shares.sum()) if shares.sum() else 0.0
        kept = [one for one, use in zip(zip(spelt, bits, strict=True), usable, strict=True) if use]
        self._put("other_chunk", np.full(len(kept), self.chunks + place))
        self._put("other_depth", np.array([len(other) - 1 for other, _ in kept]))
        self._put("other_token", np.array([other[-1] for other, _ in kept]))
        self._put("other_log_p", -math.log(2) * np.array([bits for _, bits in kept]))

    def _put(self, name: str, values: NDArray[Any]) -> None:
        self.files[name].write(values.astype(_ARRAYS[name]).tobytes())

    def summary(self) -> TokenCorpus:
        """Once all is written."""
        return TokenCorpus(
            learned_tokens=self.learned.tokens,
            held_out_tokens=self.held_out.tokens - 1,
            held_out_bytes=self.held_out_bytes,
            chunks=self.chunks,
            places=self.places,
            covered=self.covered / self.places if self.places else None,
        )


class Targets:
    """What the mixture says of the learned stream; it stays on disk until it is asked for."""

    def __init__(self, folder: Path) -> None:
        read = {name: _mapped(folder / f"{name}.bin", kind) for name, kind in _ARRAYS.items()}
        self._first, self._length, self._log_p = (read[n] for n in ("first", "length", "log_p"))
        self._other_chunk, self._other_depth = read["other_chunk"], read["other_depth"]
        self._other_token, self._other_log_p = read["other_token"], read["other_log_p"]

    def events(self, begins: Sequence[int], targets: Tensor) -> tuple[Events, Events]:
        """What the mixture says within windows of the stream.

        Args:
            begins: place in the stream of each window's first input.
            targets: of the windows, shape (windows, tokens).

        Returns:
            Chunks alone, and chunks with others beside them; a chunk that lies in a window in
            part is left out.
        """
        width, flat = targets.shape[1], targets.numpy().ravel()
        starts = np.asarray(begins, np.int64) + 1
        low, high = (np.searchsorted(self._first, at) for at in (starts, starts + width))
        row, within = _runs(high - low)
        chunk = low[row] + within
        # Where in the batch a chunk begins, and how much of its row is left from there.
        inside = self._first[chunk] - starts[row]
        length = self._length[chunk]
        fits = (length <= np.minimum(width - inside, _LONGEST)) & (self._log_p[chunk] > -np.inf)
        chunk, position = chunk[fits], (row * width + inside)[fits]
        begin, end = (np.searchsorted(self._other_chunk, chunk, side=s) for s in _SIDES)
        few = end == begin
        return (
            self._paths(flat, chunk[few], position[few], begin[few], end[few]),
            self._paths(flat, chunk[~few], position[~few], begin[~few], end[~few]),
        )

    def _paths(
        self, flat: Indices, chunk: Indices, position: Indices, begin: Indices, end: Indices
    ) -> Events:
        """Of chunks and where they stand in the batch, with the alternatives `begin` to `end`."""
        length = self._length[chunk]
        place, within = _runs(end - begin)
        other = begin[place] + within
        depth = self._other_depth[other]
        along = np.arange(length.max(initial=0))
        shape = (len(chunk), int((end - begin).max(initial=0)) + 1, len(along))
        positions, log_p = np.full(shape, -1, np.int64), np.full(shape[:2], -np.inf, np.float32)
        path = position[:, None] + along
        positions[:, 0] = np.where(along < length[:, None], path, -1)
        positions[place, within + 1] = np.where(along <= depth[:, None], path[place], -1)
        tokens = flat[positions]
        tokens[place, within + 1, depth] = self._other_token[other]
        log_p[:, 0] = self._log_p[chunk]
        log_p[place, within + 1] = self._other_log_p[other]
        return Events(*(torch.from_numpy(array) for array in (positions, tokens, log_p)))


def _runs(counts: Indices) -> tuple[Indices, Indices]:
    """For runs of so many elements: of each element, its run and its place in it."""
    run = np.repeat(np.arange(len(counts)), counts)
    return run, np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts)


def _mapped(path: Path, kind: np.dtype[Any]) -> NDArray[Any]:
    if path.stat().st_size == 0:
        return np.zeros(0, kind)
    return np.asarray(np.memmap(path, dtype=kind, mode="r"))
