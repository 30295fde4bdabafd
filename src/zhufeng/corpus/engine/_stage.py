"""Stages of the pipeline: what each one needs, provides, and does to one item."""

from __future__ import annotations

import hashlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from zhufeng.base import brief, sha256_json
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import ItemError, Media, Span


@dataclass(frozen=True)
class Resources:
    """What one worker of a stage holds while it works."""

    cpus: int = 1
    gpus: float = 0.0


@dataclass(frozen=True)
class Item:
    """What a stage is given: a file, or a span of it, and what earlier stages made of that."""

    source: str
    """A path, or an fsspec URL."""
    content: str
    """Hash of its bytes, or of what a remote store says of them."""
    media: Media | None = None
    span: Span | None = None
    upstream: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Parts of the stages that it needs: of the same span, or of all spans in order."""
    failures: tuple[str, ...] = ()
    """Why parts that it needs are not there."""


@dataclass(frozen=True)
class Outcome:
    """What became of an item in a stage: a part, or the reason why there is none."""

    value: Any | None = None
    failure: str | None = None
    passing: bool = False
    """Whether it would have come out otherwise but for a fault of the surroundings."""
    cpu_ms: Mapping[str, float] = field(default_factory=dict)
    load_ms: float = 0.0
    """CPU time that opening the stage has taken, where this item was its first."""
    peak_gb: float = 0.0
    """The most memory that the worker has held so far, in 10^9 bytes."""


@dataclass(frozen=True)
class UnitStage(ABC):
    """One step of the pipeline. Frames and sound stay inside it; parts go out.

    A stage is sent to every worker, opened there once, and given one item after another. What
    it makes must follow from the item, its configuration and its models alone.
    """

    name: ClassVar[str]
    each: ClassVar[Literal["document", "span"]]
    needs: ClassVar[tuple[str, ...]] = ()
    """Stages whose parts it is given."""
    provides: ClassVar[type]
    """The record that a part holds."""
    code: ClassVar[tuple[str, ...]]
    """Modules and packages whose source its results depend on."""

    @property
    def resources(self) -> Resources:
        """What a worker holds for it."""
        return Resources()

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Configuration, as JSON: with code and models, all that a part depends on."""

    def models(self) -> Mapping[str, str]:
        """SHA-256 of its models, by name."""
        return {}

    @abstractmethod
    def open(self) -> None:
        """Load models; called once in each worker before its first item."""

    @abstractmethod
    def work(self, item: Item, meter: Meter) -> Any:
        """The part. An exception is a failure of this item alone; its text is the reason."""

    def may_pass(self, value: Any) -> bool:
        """Whether a part lacks something for a reason that may have passed by another time."""
        del value
        return False

    def fingerprint(self) -> str:
        """Hash of the code, the configuration and the models."""
        return sha256_json([self.name, _code_hash(self.code), self.settings(), self.models()])

    def process(self, item: Item) -> Outcome:
        """Work on one item; never raises."""
        meter = Meter()
        try:
            value = self.work(item, meter)
        except Exception as error:  # noqa: BLE001 (a stranger's file may break anything)
            # A store that does not answer, a full disk: no fault of the item's.
            passing = isinstance(error, OSError | MemoryError)
            return Outcome(failure=_reason(error), passing=passing, cpu_ms=meter.cpu_ms)
        return Outcome(value=value, passing=self.may_pass(value), cpu_ms=meter.cpu_ms)


def _reason(error: Exception) -> str:
    # Only what we have worded ourselves is sure to be the same in every process.
    if isinstance(error, ItemError):
        return str(error)
    return f"{type(error).__name__}: {brief(error)}"


@cache
def _code_hash(modules: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for module in modules:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        files = [origin]
        if origin.name == "__init__.py":
            files = sorted(origin.parent.rglob("*.py"))
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
