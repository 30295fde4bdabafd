"""The corpus in the student's tokens, and what the mixture says of its chunks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zhufeng.base import durable, record, track
from zhufeng.fusion.distil._answers import Answer
from zhufeng.fusion.distil._objective import Told
from zhufeng.fusion.distil._passages import Passage
from zhufeng.fusion.distil._tokenizer import Spelling, kind_of
from zhufeng.records import Form, shard_writer

Indices = NDArray[np.int64]

LEARNED, HELD_OUT = "learned", "held-out"
_SUMMARY = "corpus.json"
# The likelihood of a chunk of more tokens is next to nothing: it tells nothing.
_LONGEST = 16
_ARRAYS: Mapping[str, np.dtype[Any]] = {
    "first": np.dtype("<i8"),  # place in the stream of each chunk's first token
    "length": np.dtype("<i4"),  # its tokens
    "kind": np.dtype("<i4"),  # what may make it longer
    "before": np.dtype("<i4"),  # the kind of the chunk before it in the passage, or -1
    "log_p": np.dtype("<f4"),  # in nats, by the mixture
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
        self.chunks = self.held_out_bytes = 0

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
        kinds = [kind_of(chunk) for chunk in passage.chunks]
        self._put("first", self.learned.tokens + np.cumsum(lengths) - lengths)
        self._put("length", lengths)
        self._put("kind", np.array(kinds))
        self._put("before", np.array([-1, *kinds[:-1]]))
        self._put("log_p", -math.log(2) * answer.bits)
        self.learned.write(ended)
        self.chunks += len(passage.chunks)

    def _put(self, name: str, values: NDArray[Any]) -> None:
        self.files[name].write(values.astype(_ARRAYS[name]).tobytes())

    def summary(self) -> TokenCorpus:
        """Once all is written."""
        return TokenCorpus(
            learned_tokens=self.learned.tokens,
            held_out_tokens=self.held_out.tokens - 1,
            held_out_bytes=self.held_out_bytes,
            chunks=self.chunks,
        )


class Targets:
    """What the mixture says of the learned stream; it stays on disk until it is asked for."""

    def __init__(self, folder: Path) -> None:
        read = {name: _mapped(folder / f"{name}.bin", kind) for name, kind in _ARRAYS.items()}
        self._first, self._length, self._log_p = (read[n] for n in ("first", "length", "log_p"))
        self._kind, self._before = read["kind"], read["before"]

    def told(self, begins: Sequence[int], targets: Tensor) -> Told:
        """What the mixture says within windows of the stream.

        A chunk counts where the window holds all of it, the token after it, and what is predicted
        before it.

        Args:
            begins: place in the stream of each window's first input.
            targets: of the windows, shape (windows, tokens).
        """
        width, flat = targets.shape[1], targets.numpy().ravel()
        starts = np.asarray(begins, np.int64) + 1
        low, high = (np.searchsorted(self._first, at) for at in (starts, starts + width))
        row, within = _runs(high - low)
        chunk = low[row] + within
        inside = self._first[chunk] - starts[row]
        length = self._length[chunk]
        fits = (length <= np.minimum(width - inside - 1, _LONGEST)) & np.isfinite(
            self._log_p[chunk]
        )
        chunk, length, at = chunk[fits], length[fits], (row * width + inside)[fits]
        along = np.arange(length.max(initial=0))
        positions = np.where(along < length[:, None], at[:, None] + along, -1)
        before = self._before[chunk]
        ends = (np.where(before < 0, -1, at), before, at + length, self._kind[chunk])
        arrays = (positions, flat[positions], np.stack(ends, axis=1), self._log_p[chunk])
        kinds = (np.int64, np.int64, np.int64, np.float32)
        made = (a.astype(kind) for a, kind in zip(arrays, kinds, strict=True))
        return Told(*map(torch.from_numpy, made))


def _runs(counts: Indices) -> tuple[Indices, Indices]:
    """For runs of so many elements: of each element, its run and its place in it."""
    run = np.repeat(np.arange(len(counts)), counts)
    return run, np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts)


def _mapped(path: Path, kind: np.dtype[Any]) -> NDArray[Any]:
    if path.stat().st_size == 0:
        return np.zeros(0, kind)
    return np.asarray(np.memmap(path, dtype=kind, mode="r"))
