"""What a large corpus will cost, from the measured cost of a small one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from zhufeng.base import InputError, record
from zhufeng.records import Form

Floats = npt.NDArray[np.float64]

COSTS_FILE = "costs.json"
CONFIDENCE = 0.95
DAYS = 7.0
_LIKE = (
    "The sample must be like what is planned: the same kinds of video, lengths, languages, "
    "picture sizes, configuration, models and machine. Nothing here foresees another kind."
)
# As the stages ask for: a quarter of a graphics card holds the models of a worker.
_WORKERS_A_GPU = 4
# With fewer documents than this the band is wide, and the reader is told.
_FEW = 10
_HOUR_S = 3600
_DAY_H = 24
_SECOND_H = 1 / _HOUR_S
# From so many degrees of freedom on, Student's t is the normal distribution to three digits.
_MAX_FREEDOM = 2000.0


@record
class Costs:
    """What a build has cost: the measured sample that a plan starts from."""

    media_s: float
    """Seconds of video and sound."""
    documents: int
    source_bytes: int
    document_bytes: int
    """Of the file of documents."""
    shard_bytes: int
    tokens: int
    wall_s: float
    """From the first item given to a worker to the last that came back."""
    workers: int
    load_ms: float
    """CPU time that one worker spends on loading its models."""
    peak_gb: float
    """The most memory that one worker held, in 10^9 bytes."""
    device: Literal["cpu", "cuda"]
    machine: str
    cpu_ms: Mapping[str, float]
    """CPU time of all workers by step, without the loading of models."""
    media_s_by_document: tuple[float, ...]
    cpu_ms_by_document: tuple[float, ...]
    """In the same order."""

    def __post_init__(self) -> None:
        if len(self.media_s_by_document) != len(self.cpu_ms_by_document):
            raise ValueError("as many media_s_by_document as cpu_ms_by_document")
        if self.workers < 1:
            raise ValueError("at least 1 worker")
        numbers = (
            self.media_s,
            self.documents,
            self.source_bytes,
            self.document_bytes,
            self.shard_bytes,
            self.tokens,
            self.wall_s,
            self.load_ms,
            self.peak_gb,
            *self.cpu_ms.values(),
            *self.media_s_by_document,
            *self.cpu_ms_by_document,
        )
        if not all(0 <= number < math.inf for number in numbers):
            raise ValueError("times and sizes of at least 0")


COSTS = Form("corpus costs", Costs)


@record
class Wanted:
    """What is to be planned."""

    hours: float
    """Of video and sound."""
    days: float | None = None
    """In how many days; a week, where neither cores nor cards are given."""
    cores: int | None = None
    gpus: int | None = None
    machine_gb: float | None = None
    """Memory of one machine, in 10^9 bytes."""

    def __post_init__(self) -> None:
        given = (self.hours, self.days, self.cores, self.gpus, self.machine_gb)
        if not all(0 < number < math.inf for number in given if number is not None):
            raise ValueError("hours, days, cores, gpus and memory above 0")
        if self.days is not None and (self.cores or self.gpus):
            raise ValueError("days, or cores and gpus: the one follows from the others")


@record
class Estimate:
    """A figure as it is expected, and the band in which it lies with the stated confidence."""

    expected: float
    low: float | None = None
    high: float | None = None
    """None where nothing tells how far it may be off."""


@record
class CorpusPlan:
    """What a corpus will cost."""

    hours: float
    documents_measured: int
    hours_measured: float
    device: str
    machine: str
    confidence: float
    figures: Mapping[str, Estimate]
    steps: Mapping[str, float]
    """CPU time by step in milliseconds a second of media, the dearest first."""
    notes: tuple[str, ...]
    """What the figures rest on, and what they leave out."""


def write_costs(folder: Path, costs: Costs) -> None:
    """Keep what a build has cost in its folder of parts."""
    COSTS.write_json(folder / COSTS_FILE, costs)


def costs_before(folder: Path) -> Costs | None:
    """What the build before this one has cost, if that is known."""
    try:
        return COSTS.read_json(folder / COSTS_FILE)
    except (InputError, OSError):
        return None


def read_costs(folder: Path, run: Path) -> Costs:
    """What a build has cost.

    Args:
        folder: its folder of parts.
        run: what the user has named, for the error.

    Raises:
        InputError: nothing was measured, or no video and no sound was.
    """
    path = folder / COSTS_FILE
    if not path.is_file():
        raise InputError(
            f"{run} holds no measured sample",
            expected=f"a run whose corpus was built here, with {path}",
            came="no such file",
            do=f"build a small sample of what is planned: zhufeng corpus build INPUT... -o {run}",
        )
    costs = COSTS.read_json(path)
    if not costs.media_s or not any(costs.cpu_ms.values()):
        raise InputError(
            f"{run} is no sample to plan from",
            expected="a corpus of video or sound that was worked on",
            came=f"{costs.media_s:g} s of media, {sum(costs.cpu_ms.values()):g} ms of CPU time",
            do="build a small sample of what is planned, with videos among its inputs",
        )
    return costs


def plan(costs: Costs, wanted: Wanted) -> CorpusPlan:
    """Predict what `wanted` will cost, if it is like the sample.

    Cost is taken as proportional to the media's length: the ratio of CPU time to length over
    all documents of the sample, times the hours planned. Its band is Student's interval on the
    logarithm of the ratio (`spread`).

    Raises:
        InputError: graphics cards are asked for, and none was measured.
    """
    if wanted.gpus is not None and costs.device != "cuda":
        raise InputError(
            "GPUs cannot be planned from this sample",
            expected="a sample measured on CUDA",
            came=f"one measured on the device '{costs.device}'",
            do="leave --gpus out, or build the sample with --device cuda",
        )
    rate_ms = _cpu_rate(costs, wanted.hours)
    dearest = sorted(costs.cpu_ms.items(), key=lambda step: -step[1])
    return CorpusPlan(
        hours=wanted.hours,
        documents_measured=_timed(costs)[0].size,
        hours_measured=costs.media_s / _HOUR_S,
        device=costs.device,
        machine=costs.machine,
        confidence=CONFIDENCE,
        figures={
            "cpu_ms_per_media_s": rate_ms,
            **_work(costs, wanted, rate_ms),
            **_bytes(costs, wanted.hours),
        },
        steps={name: ms / costs.media_s for name, ms in dearest},
        notes=_notes(costs, rate_ms),
    )


def _timed(costs: Costs) -> tuple[Floats, Floats]:
    """Length and CPU time of the documents that have a length: what failed at once has none."""
    media_s = np.array(costs.media_s_by_document, dtype=np.float64)
    cpu_ms = np.array(costs.cpu_ms_by_document, dtype=np.float64)
    return media_s[media_s > 0], cpu_ms[media_s > 0]


def _cpu_rate(costs: Costs, hours: float) -> Estimate:
    """CPU time in milliseconds a second of media, of all steps."""
    media_s, cpu_ms = _timed(costs)
    whole = sum(costs.cpu_ms.values()) / costs.media_s
    planned = hours * _HOUR_S / (costs.media_s / max(media_s.size, 1))
    factor = spread(media_s, cpu_ms, planned)
    if factor is None:
        return Estimate(expected=whole)
    # What is not done for one document (looking for duplicates, damaged files) has no spread.
    own = min(cpu_ms.sum() / costs.media_s, whole)
    shared = whole - own
    return Estimate(expected=whole, low=shared + own / factor, high=shared + own * factor)


def spread(media_s: Floats, cpu_ms: Floats, planned: float) -> float | None:
    """By which factor up and down the cost of a second may be off: half of the band's width.

    Documents differ in cost a second and, more so, in length, so that few of them carry most of
    the ratio. Its standard error on a logarithmic scale is the jackknife's (leave one document
    out; Efron and Tibshirani 1993, chapter 11), and Student's t has as many degrees of freedom
    as there would be documents of equal length, sum(w)^2 / sum(w^2) (Kish 1965), less one.

    Args:
        media_s: seconds of each document, above 0.
        cpu_ms: CPU time of each.
        planned: how many documents are planned; a few of them are a draw of their own.

    Returns:
        None where fewer than two documents, or only one with a cost, tell nothing of it.
    """
    number = media_s.size
    if number <= 1:
        return None
    others = (cpu_ms.sum() - cpu_ms) / (media_s.sum() - media_s)
    if others.min() <= 0:
        return None
    ratios = np.log(others)
    error = math.sqrt((number - 1) / number * np.square(ratios - ratios.mean()).sum())
    alike = media_s.sum() ** 2 / np.square(media_s).sum()
    drawn = math.sqrt(1 + number / planned)
    # Beyond a factor of e^20 there is nothing to tell, and much to overflow.
    return math.exp(min(student(alike - 1) * drawn * error, 20.0))


def student(freedom: float) -> float:
    """The 97.5% quantile of Student's t with real degrees of freedom, of at least 1.

    With t = sqrt(freedom) tan(a) its density becomes cos(a)^(freedom - 1), which is summed.
    """
    freedom = min(max(freedom, 1.0), _MAX_FREEDOM)
    angles = np.linspace(0.0, math.pi / 2, 20_001)
    density = np.cos(angles) ** (freedom - 1)
    area = np.append(0.0, np.cumsum(density[1:] + density[:-1]))
    angle = float(np.interp(CONFIDENCE, area / area[-1], angles))
    return math.sqrt(freedom) * math.tan(angle)


def _work(costs: Costs, wanted: Wanted, rate_ms: Estimate) -> dict[str, Estimate]:
    """Cores, days, cards and machines, each with the band of the cost of a second."""
    expected = _work_at(costs, wanted, rate_ms.expected)
    if rate_ms.low is None or rate_ms.high is None:
        return {name: Estimate(expected=value) for name, value in expected.items()}
    low, high = (_work_at(costs, wanted, ms) for ms in (rate_ms.low, rate_ms.high))
    return {
        name: Estimate(expected=value, low=low[name], high=high[name])
        if low[name] < high[name]
        else Estimate(expected=value)
        for name, value in expected.items()
    }


def _work_at(costs: Costs, wanted: Wanted, cpu_ms_per_media_s: float) -> dict[str, float]:
    """The figures at one cost of a second. A worker has a core, and a quarter of a card."""
    core_h = cpu_ms_per_media_s / 1000 * wanted.hours
    load_h = costs.load_ms / 1000 / _HOUR_S
    at_work_h = core_h / _busy(costs)
    limits = [wanted.cores, wanted.gpus and wanted.gpus * _WORKERS_A_GPU]
    workers = min((limit for limit in limits if limit is not None), default=None)
    days = wanted.days or DAYS
    if workers is None:
        workers = max(math.ceil(at_work_h / max(days * _DAY_H - load_h, load_h, _SECOND_H)), 1)
    else:
        days = (at_work_h / workers + load_h) / _DAY_H
    figures = {"core_hours": core_h + workers * load_h, "days": days, "cores": workers}
    if costs.device == "cuda":
        figures["gpus"] = math.ceil(workers / _WORKERS_A_GPU)
    if wanted.machine_gb is not None and costs.peak_gb:
        figures["workers_per_machine"] = together = math.floor(wanted.machine_gb / costs.peak_gb)
        if together:
            figures["machines"] = math.ceil(workers / together)
    return figures


def _bytes(costs: Costs, hours: float) -> dict[str, Estimate]:
    """What is read and written, in proportion to the media's length; and memory."""
    times = hours * _HOUR_S / costs.media_s
    named = {
        "source_bytes": costs.source_bytes,
        "document_bytes": costs.document_bytes,
        "shard_bytes": costs.shard_bytes,
        "tokens": costs.tokens,
    }
    sizes = {name: Estimate(expected=number * times) for name, number in named.items()}
    return {"gb_per_worker": Estimate(expected=costs.peak_gb), **sizes}


def _busy(costs: Costs) -> float:
    """The share of its time that a worker's core was at work; it waits for disk and card."""
    cpu_s = (sum(costs.cpu_ms.values()) + costs.workers * costs.load_ms) / 1000
    there_s = costs.wall_s * costs.workers
    return min(cpu_s / there_s, 1.0) if there_s else 1.0


def _notes(costs: Costs, rate_ms: Estimate) -> tuple[str, ...]:
    number = _timed(costs)[0].size
    many = f"{number} document{'s' if number != 1 else ''}"
    notes = [_LIKE]
    if rate_ms.low is None:
        notes.append(f"{many} measured: too few for a band.")
    else:
        notes.append(
            f"The band of {CONFIDENCE:.0%} is for the chance that drew the sample's documents; "
            "bytes, tokens and memory have none and are taken in proportion."
        )
        if number < _FEW:
            notes.append(
                f"Only {many} measured: the band is wide, and still too narrow where a kind of "
                "video is missing among them."
            )
    notes.append(
        f"A worker's core was at work {_busy(costs):.0%} of the time; cores and days count on it."
    )
    if costs.device != "cuda":
        notes.append("GPUs were not measured, and no figure is given for them.")
    return tuple(notes)
