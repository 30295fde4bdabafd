"""What is worked on next: every source through its stages, each part made exactly once.

The folder of parts is the only memory: what is in it is not done again, whatever killed the
process that made it. The order in which parts are made depends on the engine; what they hold
does not.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from zhufeng.base import sha256_json, to_json
from zhufeng.corpus._parts import Media, Span
from zhufeng.corpus.engine._engines import Engine
from zhufeng.corpus.engine._parts_store import Died, Part, PartStore
from zhufeng.corpus.engine._stage import Item, Outcome, UnitStage
from zhufeng.corpus.engine._worker import Death, Limits, Refusal, Task

# A worker that dies may have died of something else; one that dies twice has died of this.
_TRIES = 2


@dataclass(frozen=True)
class Input:
    """A file to be worked on."""

    name: str
    source: str
    """A path, or an fsspec URL."""
    content: str
    """Hash of its bytes, or of what a remote store says of them."""


@dataclass
class Tally:
    """How far along the work is, for those who watch."""

    inputs: int = 0
    done: int = 0
    media_s: float = 0.0
    """Seconds of media whose documents stand."""
    fresh_s: float = 0.0
    """Of these, those that were worked on now."""
    made: Counter[str] = field(default_factory=Counter)
    """Parts made now, by stage; the others were there."""
    found: Counter[str] = field(default_factory=Counter)
    """Parts that an earlier run has made."""
    cpu_ms: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """CPU time of all parts, made now or before, by step."""
    fresh_cpu_ms: float = 0.0
    """CPU time of the parts made now."""
    load_ms: float = 0.0
    """CPU time of all workers for opening stages."""
    peak_gb: float = 0.0
    """The most memory that one worker has held, in 10^9 bytes."""


@dataclass(frozen=True)
class Pipeline:
    """The stages in order: ``probe`` first, then stages of spans, the document's last."""

    stages: Sequence[UnitStage]
    cut: Callable[[Media], tuple[Span, ...]]
    """The spans in which a medium is worked on."""
    wanted: Callable[[UnitStage, Media], bool]
    """Whether a stage has anything to do in a medium."""


@dataclass(frozen=True)
class Finished:
    """Where an input has come to: the last stage, or the one that gave nothing to go on with."""

    stage: str
    key: str
    part: Part
    media_s: float
    cpu_ms: float
    """Of all its parts."""


class Schedule:
    """Walks inputs through a pipeline."""

    def __init__(
        self, pipeline: Pipeline, engine: Engine, parts: PartStore, limits: Limits
    ) -> None:
        self._pipeline = pipeline
        self._engine = engine
        self._parts = parts
        self._limits = limits
        self._fingerprints = {stage.name: stage.fingerprint() for stage in pipeline.stages}
        self._jobs: dict[str, _Job] = {}  # by content: the same file twice is worked on once
        self._ready: deque[tuple[_Job, _Node]] = deque()
        self._at_work: dict[str, tuple[_Job, _Node]] = {}
        self._deaths: Counter[str] = Counter()
        self._made: set[str] = set()  # keys of parts
        self.tally = Tally()

    def run(self, inputs: Iterable[Input]) -> Iterator[tuple[Input, Finished]]:
        """The last part of each input, as each is done.

        Raises:
            InputError: a stage cannot be opened: its model or package is missing.
        """
        waiting = iter(inputs)
        more = True
        while more or self._at_work or self._ready:
            while more and len(self._ready) < self._engine.room:
                given = next(waiting, None)
                more = given is not None
                if given is not None:
                    yield from self._finished(self._begin(given))
            while self._ready and self._engine.room > 0:
                job, node = self._ready.popleft()
                self._at_work[node.key] = (job, node)
                self._engine.submit(Task(node.stage.name, node.key, job.item(node)))
            if self._at_work:
                yield from self._finished(self._answer())

    def _begin(self, given: Input) -> _Job:
        self.tally.inputs += 1
        job = self._jobs.get(given.content)
        if job is None:
            job = self._jobs[given.content] = _Job(given, self._pipeline, self._fingerprints)
            self._advance(job)
        else:
            job.given.append(given)
        return job

    def _finished(self, job: _Job) -> Iterator[tuple[Input, Finished]]:
        if job.result is None:
            return
        del self._jobs[job.given[0].content]
        for given in job.given:
            self.tally.done += 1
            self.tally.media_s += job.result.media_s
            self.tally.fresh_s += job.result.media_s if job.fresh else 0.0
            yield given, job.result

    def _advance(self, job: _Job) -> None:
        """Take up parts that are there, and make ready the nodes that can be worked on."""
        while job.result is None and (nodes := job.free_nodes()):
            for node in nodes:
                part = self._find(node)
                if part is None:
                    self._ready.append((job, node))
                else:
                    self.tally.found[node.stage.name] += node.key not in self._made
                    self._record(job, node, part)

    def _find(self, node: _Node) -> Part | None:
        part = self._parts.find(node.stage.name, node.key, node.stage.provides)
        # With other limits, what died of these may live.
        return None if part and part.died and part.died.limits != self._limits else part

    def _answer(self) -> _Job:
        task, answer = self._engine.wait()
        job, node = self._at_work.pop(task.key)
        if isinstance(answer, Refusal):
            raise answer.error
        if isinstance(answer, Death):
            self._deaths[task.key] += 1
            if self._deaths[task.key] < _TRIES:
                self._ready.appendleft((job, node))
                return job
        if isinstance(answer, Outcome):
            self.tally.load_ms += answer.load_ms
            self.tally.peak_gb = max(self.tally.peak_gb, answer.peak_gb)
        part = self._part(answer, job.passing(node))
        if not part.passing:
            self._parts.put(node.stage.name, node.key, part)
        self.tally.made[node.stage.name] += 1
        self._made.add(node.key)
        job.fresh = True
        self._record(job, node, part)
        self._advance(job)
        return job

    def _part(self, answer: Outcome | Death, passing: bool) -> Part:
        if isinstance(answer, Outcome):
            passing |= answer.passing
            return Part(answer.value, answer.failure, None, passing, answer.cpu_ms)
        died = Died(how=answer.how, limits=self._limits)
        return Part(None, f"it ended its worker twice: {answer.how}", died, passing)

    def _record(self, job: _Job, node: _Node, part: Part) -> None:
        for step, cpu_ms in part.cpu_ms.items():
            self.tally.cpu_ms[step] += cpu_ms
            self.tally.fresh_cpu_ms += cpu_ms if node.key in self._made else 0.0
        job.record(node, part)


@dataclass(frozen=True)
class _Node:
    """A stage on a document, or on one of its spans."""

    stage: UnitStage
    index: int
    """Of the span; 0 for a stage of whole documents."""
    key: str


class _Job:
    """One content on its way through the pipeline."""

    def __init__(self, given: Input, pipeline: Pipeline, fingerprints: Mapping[str, str]) -> None:
        self.given = [given]
        self.media: Media | None = None
        self.result: Finished | None = None
        self.fresh = False
        self._cpu_ms = 0.0
        self._pipeline = pipeline
        self._fingerprints = fingerprints
        self._spans: tuple[Span, ...] = ()
        self._nodes: dict[tuple[str, int], _Node] = {}  # begun
        self._parts: dict[tuple[str, int], Part] = {}  # done

    def free_nodes(self) -> list[_Node]:
        """Nodes that can be worked on and have not been begun; they count as begun from now."""
        if self.media is None:
            stages = [stage for stage in self._pipeline.stages[:1] if not self._nodes]
        else:
            stages = [s for s in self._pipeline.stages[1:] if self._pipeline.wanted(s, self.media)]
        free = []
        for stage in stages:
            for index in self._indices(stage):
                if (stage.name, index) not in self._nodes and self._needs_stand(stage, index):
                    node = _Node(stage, index, self._key(stage, index))
                    self._nodes[stage.name, index] = node
                    free.append(node)
        return free

    def record(self, node: _Node, part: Part) -> None:
        """Keep what a node gave."""
        self._parts[node.stage.name, node.index] = part
        self._cpu_ms += sum(part.cpu_ms.values())
        first, last = self._pipeline.stages[0], self._pipeline.stages[-1]
        if node.stage is first and part.value is not None:
            self.media = part.value
            self._spans = self._pipeline.cut(part.value)
        elif node.stage in (first, last):
            media_s = self.media.duration_s if self.media else 0.0
            self.result = Finished(node.stage.name, node.key, part, media_s, self._cpu_ms)

    def passing(self, node: _Node) -> bool:
        """Whether a node is given something that another try may give more of."""
        return any(
            self._parts[place].passing
            for need in node.stage.needs
            for place in self._places(need, node.stage, node.index)
        )

    def item(self, node: _Node) -> Item:
        """What the node's stage is given."""
        upstream = {
            need: [self._parts[place] for place in self._places(need, node.stage, node.index)]
            for need in node.stage.needs
        }
        return Item(
            source=self.given[0].source,
            content=self.given[0].content,
            media=self.media,
            span=self._spans[node.index] if node.stage.each == "span" else None,
            upstream={n: tuple(p.value for p in parts if p.value) for n, parts in upstream.items()},
            failures=tuple(p.failure for parts in upstream.values() for p in parts if p.failure),
        )

    def _indices(self, stage: UnitStage) -> range:
        return range(len(self._spans) if stage.each == "span" else 1)

    def _places(self, need: str, stage: UnitStage, index: int) -> list[tuple[str, int]]:
        """The parts of stage `need` that `stage` is given at `index`."""
        needed = next((s for s in self._pipeline.stages if s.name == need), None)
        assert self.media is not None
        if needed is None or not self._pipeline.wanted(needed, self.media):
            return []
        return [(need, i) for i in ([index] if stage.each == "span" else self._indices(needed))]

    def _needs_stand(self, stage: UnitStage, index: int) -> bool:
        return all(
            place in self._parts
            for need in stage.needs
            for place in self._places(need, stage, index)
        )

    def _key(self, stage: UnitStage, index: int) -> str:
        # A part that has died of its limits keeps its key when others let it live.
        upstream = [
            (self._nodes[place].key, self._parts[place].failure)
            for need in stage.needs
            for place in self._places(need, stage, index)
        ]
        span = to_json(self._spans[index]) if stage.each == "span" else None
        content = self.given[0].content
        return sha256_json([self._fingerprints[stage.name], content, span, upstream])
