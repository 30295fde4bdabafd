"""A plan carried out: sources read once or twice, the output whole or absent."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from blake3 import blake3
from torch import Tensor

from zhufeng.base import (
    InputError,
    derive_seed,
    shown,
    to_json,
    track,
    write_durable,
)
from zhufeng.fusion.merge._card import Lineage, beside_weights, lineage_of
from zhufeng.fusion.merge._group import CHUNK, Group, Load, Workspace
from zhufeng.fusion.merge._laws import LAWS
from zhufeng.fusion.merge._plan import Part, Plan, Task, plan
from zhufeng.fusion.merge._recipe import Recipe
from zhufeng.fusion.merge._united import UnitedRows
from zhufeng.fusion.tensors import TensorReader, TensorWriter, draft_key, drafted, dtype_bytes

VERSION = 2
"""Of the arithmetic: a draft of another version is not taken up."""

_TORCH = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
_COARSE = {"F16", "BF16"}
_SHOWN_PROBLEMS = 5


class NotFiniteError(InputError):
    """A source holds NaN or infinity, or the result is too large for its type."""


def run(recipe: Recipe, out: Path, *, threads: int | None = None) -> Lineage:
    """Merge models into the folder `out`, which is whole afterwards or absent.

    Killed, it is taken up where it was when it is asked for again; the bytes are the same,
    whatever the number of threads.

    Args:
        recipe: what is merged.
        out: the folder that is made; nothing stands there, its parent does.
        threads: at work on tensors; as the plan has them where None.

    Raises:
        InputError: the plan has problems, `out` stands already or has no parent, a source holds
            NaN or infinity, or the disk is full.
    """
    settled = plan(recipe)
    _check(settled)
    what = [to_json(settled.recipe), settled.tokens and settled.tokens.sha256]
    key = draft_key(VERSION, what, [model.tensors for model in settled.models])
    with drafted(out, key) as draft:
        try:
            return _fill(settled, draft, key, threads or settled.threads)
        except NotFiniteError:
            shutil.rmtree(draft)
            raise


def _check(settled: Plan) -> None:
    if settled.problems:
        first = "; ".join(settled.problems[:_SHOWN_PROBLEMS])
        more = len(settled.problems) - _SHOWN_PROBLEMS
        raise InputError(
            "the models cannot be merged",
            expected="models of one family, with the same tensors",
            came=first + (f"; and {more} more" if more > 0 else ""),
            do="correct the recipe, or take other models",
        )


def _fill(settled: Plan, folder: Path, key: str, threads: int) -> Lineage:
    with ExitStack() as stack:
        readers = [stack.enter_context(TensorReader(model.tensors)) for model in settled.models]
        writer = stack.enter_context(TensorWriter(folder, settled.layout, key))
        # The largest first, so that no thread is left alone with one at the end.
        waiting = sorted(settled.tasks, key=lambda task: -task.spec.bytes)
        waiting = [task for task in waiting if task.spec.name not in writer.finished]
        with _one_torch_thread(), ThreadPoolExecutor(threads, "merge") as pool:
            merger = _Merger(settled, readers, writer)
            try:
                futures = [pool.submit(merger.merge, task) for task in waiting]
                for future in track(as_completed(futures), "merging tensors", len(futures)):
                    future.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    lineage = lineage_of(settled, writer.finished)
    for name, data in beside_weights(settled, lineage).items():
        write_durable(folder / name, data)
    return lineage


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Threads are ours: torch's own would fight with them for the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Own(threading.local):
    """What every thread has for itself."""

    def __init__(self) -> None:
        torch.set_num_threads(1)  # the number is each thread's own
        self.space = Workspace()


class _Merger:
    """Makes tensors; any number of threads may use one."""

    def __init__(self, settled: Plan, readers: list[TensorReader], writer: TensorWriter) -> None:
        self.recipe, self.tokens = settled.recipe, settled.tokens
        self.readers, self.writer = readers, writer
        self._own = _Own()

    def merge(self, task: Task) -> None:
        """Make one tensor of the output, in one thread, chunk after chunk."""
        space = self._own.space
        sources = [
            _Tensor(self.readers[part.source], part, space, n) for n, part in enumerate(task.parts)
        ]
        if task.copied:
            self._copy(task, sources[0])
        else:
            self._compute(task, sources, space)
        self.writer.finish(task.spec.name, {"blake3": [source.digest for source in sources]})

    def _copy(self, task: Task, source: _Tensor) -> None:
        step = CHUNK * dtype_bytes(task.spec.dtype)
        for start in range(0, task.spec.bytes, step):
            data = source.read(start, min(step, task.spec.bytes - start))
            self.writer.write(task.spec.name, start, _view(data))

    def _compute(self, task: Task, sources: list[_Tensor], space: Workspace) -> None:
        group = self._group(task, sources, space)
        width, at = dtype_bytes(task.spec.dtype), 0
        for merged in LAWS[self.recipe.method](group):
            result = space.take("result", merged.numel(), _TORCH[task.spec.dtype])
            result.copy_(merged.view(-1))
            if not _is_finite(result):
                raise NotFiniteError(
                    f"the merged tensor {shown(task.spec.name)} has no finite value",
                    expected=f"numbers that {task.spec.dtype} holds",
                    came="one that is too large",
                    do="set another dtype, or smaller weights",
                )
            self.writer.write(task.spec.name, at, _view(result))
            at += merged.numel() * width
        assert at == task.spec.bytes

    def _group(self, task: Task, sources: list[_Tensor], space: Workspace) -> Group:
        dtypes = {part.tensor.dtype for part in task.parts}
        return Group(
            shape=task.spec.shape,
            count=len(task.inputs),
            has_base=task.base is not None,
            load=self._united(task, sources) if task.united else _as_they_are(sources),
            shared=task.shared,
            each=task.each,
            seeds=tuple(
                derive_seed(self.recipe.seed, "merge", task.spec.name, number)
                for number in range(len(task.inputs))
            ),
            like_mergekit=self.recipe.compat == "mergekit",
            coarse=dtypes <= _COARSE,
            dtype=torch.float64 if "F64" in dtypes else torch.float32,
            workspace=space,
        )

    def _united(self, task: Task, sources: list[_Tensor]) -> Load:
        """From the sources on the union of tokens."""
        assert self.tokens is not None
        for source in sources:
            source.scan()
        numbers = [part.source for part in task.parts]
        based = self.recipe.base is not None and 0 in numbers  # it is the first of all models
        return UnitedRows(
            own=[self.tokens.own[number] for number in numbers],
            own_rows=_as_they_are(sources),
            width=math.prod(task.spec.shape[1:]),
            base=numbers.index(0) if based else None,
        ).load


def _as_they_are(sources: list[_Tensor]) -> Load:
    return lambda number, start, into: sources[number].load(start, into)


class _Tensor:
    """A source's tensor: hashed and looked through the first time that it is read."""

    def __init__(self, reader: TensorReader, part: Part, space: Workspace, number: int) -> None:
        self._reader, self._info, self._space = reader, part.tensor, space
        self._buffer = f"raw {number}"
        self._hash, self._hashed = blake3(), 0

    @property
    def digest(self) -> str:
        """BLAKE3 of its bytes, once they have been read."""
        assert self._hashed == self._info.bytes
        return self._hash.hexdigest()

    def read(self, start: int, size: int) -> Tensor:
        """Its bytes from `start` on."""
        raw = self._space.take(self._buffer, size, torch.uint8)
        view = _view(raw)
        self._reader.read(self._info.name, start, view)
        if start == self._hashed:
            self._hash.update(view)
            self._hashed += size
        return raw

    def scan(self) -> None:
        """Read all of it once: for its digest, and for what is not finite."""
        dtype = torch.float64 if self._info.dtype == "F64" else torch.float32
        for start in range(0, self._info.elements, CHUNK):
            size = min(CHUNK, self._info.elements - start)
            self.load(start, self._space.take("scanned", size, dtype))

    def load(self, start: int, into: Tensor) -> None:
        """Fill `into` from its elements from `start` on."""
        width = dtype_bytes(self._info.dtype)
        first = start * width == self._hashed
        raw = self.read(start * width, into.numel() * width)
        into.copy_(raw.view(_TORCH[self._info.dtype]))
        if first and not _is_finite(into):
            at = start + int(into.isfinite().logical_not().nonzero()[0])
            raise NotFiniteError(
                f"{self._reader.folder.folder / self._info.file} cannot be merged",
                expected="finite numbers",
                came=f"{float(into[at - start])} in {shown(self._info.name)}, element {at}",
                do="take a checkpoint from before its training diverged",
            )


def _view(tensor: Tensor) -> memoryview:
    return tensor.view(torch.uint8).numpy().data


def _is_finite(values: Tensor) -> bool:
    # A sum is finite only if all are; a finite one is rare to overflow, and then each is asked.
    return math.isfinite(float(values.sum())) or bool(values.isfinite().all())
