"""A mixture taught to one student, beside two baselines."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from zhufeng.base import (
    Draft,
    InputError,
    Manifest,
    Spec,
    exclusive,
    make,
    record,
    sha256_file,
    sync_folder,
    to_json,
    write_durable,
)
from zhufeng.fusion.distil._answers import read_answers
from zhufeng.fusion.distil._compute import decoder_cost
from zhufeng.fusion.distil._config import DistilConfig
from zhufeng.fusion.distil._passages import passages
from zhufeng.fusion.distil._targets import Targets, write_corpus
from zhufeng.fusion.distil._task import StudentTask, TaughtTask
from zhufeng.fusion.distil._teacher import Teacher, teach
from zhufeng.fusion.distil._tokenizer import Spelling
from zhufeng.models import DecoderConfig, read_decoder
from zhufeng.records import Form
from zhufeng.training import MODEL, TrainSummary, read_metrics, train

TEACHER, STUDENT = "teacher", "student"
_RESULT, _TOKENIZER, _CORPUS, _TAUGHT = "distil.json", "tokenizer.json", "corpus", "taught"
BASELINES, _ALONE, _EQUAL = "baselines", "corpus-alone", "equal-compute"


@record
class Contestant:
    """One training, and what it reaches on the held-out text."""

    name: str
    parameters: int
    steps: int
    macs: float
    """Multiply-accumulates of its training, and of its teachers."""
    bits_per_byte: float
    """At the end of the training."""
    best_bits_per_byte: float
    """At the best of its evaluations."""


@record
class DistilResult:
    """The student beside its baselines: the corpus alone, and the corpus alone for longer."""

    student: Contestant
    corpus_alone: Contestant
    """The same steps."""
    equal_compute: Contestant
    """As many more steps as the teachers' answers cost."""
    mixture_bits_per_byte: float | None
    """Of the teachers together on the same text, without the ends of documents."""


RESULT = Form("distil", DistilResult)


def distil(
    config: DistilConfig, teachers: Sequence[Teacher], texts: Iterable[str], out: Path, seed: int
) -> DistilResult:
    """Teach the mixture of `teachers` to a student.

    Killed, it goes on when it is called again; the same arguments give the same bytes.

    Args:
        config: student, schedule and weight.
        teachers: see `open_teacher`.
        texts: a document each; gone through several times, so a sequence or `CorpusFiles`.
        out: a folder, made if it is not there. It gains two artifacts: ``teacher``, which other
            students may learn from, and ``student``, with the canonical folders ``model``,
            ``baselines/corpus-alone`` and ``baselines/equal-compute`` in it.
        seed: of weights and order.

    Raises:
        InputError: what `teach` raises; the tokenizer cannot be used, or does not fit the student;
            a training has diverged; another artifact stands in `out`.
    """
    model, tokenizer = _student(config)
    spelling = Spelling(tokenizer)
    if max(spelling.end + 1, spelling.vocabulary) > model.vocabulary:
        raise InputError(
            "the student has too small a vocabulary for its tokenizer",
            expected=f"at least {spelling.vocabulary} tokens",
            came=f"{model.vocabulary}",
            do="raise vocabulary in [student], or give it another tokenizer",
        )
    teacher = teach(config.teacher, teachers, texts, out / TEACHER, seed)
    inputs = {"tokenizer": sha256_file(tokenizer), "teacher": teacher.spec.key}
    if config.begin is not None:
        inputs["begin"] = sha256_file(Path(config.begin) / "model.safetensors")
    spec = Spec(
        kind="distil",
        version=2,
        configuration={**to_json(config), "begin": None, "tokenizer": None},
        inputs=inputs,
        seed=seed,
    )
    work = _Work(config, model, spelling, texts, out / TEACHER, teacher, seed)
    with exclusive(out):
        make(out / STUDENT, spec, work.fill, resumes=True, packages=("numpy", "torch"))
    return RESULT.read_json(out / STUDENT / _RESULT)


def _student(config: DistilConfig) -> tuple[DecoderConfig, Path]:
    """The student's configuration and its tokenizer."""
    if config.begin is None:
        assert config.student is not None
        assert config.tokenizer is not None
        return config.student, Path(config.tokenizer)
    folder = Path(config.begin)
    model = read_decoder(folder).config  # its weights are looked at before anything is written
    return model, folder / _TOKENIZER if config.tokenizer is None else Path(config.tokenizer)


@dataclass(frozen=True)
class _Work:
    config: DistilConfig
    model: DecoderConfig
    spelling: Spelling
    texts: Iterable[str]
    answers: Path
    teacher: Manifest
    seed: int

    def fill(self, draft: Draft) -> None:
        """See `make`."""
        folder = draft.folder
        if not (folder / _RESULT).exists():
            self._train(folder)
        result = RESULT.read_json(folder / _RESULT)
        for name in (_CORPUS, _ALONE, _EQUAL, _TAUGHT):
            shutil.rmtree(folder / name, ignore_errors=True)
        sync_folder(folder)
        contestants = (result.student, result.corpus_alone, result.equal_compute)
        draft.figures |= {f"{one.name}_bits_per_byte": one.bits_per_byte for one in contestants}
        draft.figures |= {f"{one.name}_macs": one.macs for one in contestants}
        draft.figures["mixture_bits_per_byte"] = result.mixture_bits_per_byte

    def _train(self, folder: Path) -> None:
        corpus = folder / _CORPUS
        corpus.mkdir(exist_ok=True)
        pieces = passages(self.texts, self.config.teacher)
        told = write_corpus(corpus, pieces, read_answers(self.answers), self.spelling)
        schedule, sequence = self.config.schedule(self.model)
        begin = None if self.config.begin is None else Path(self.config.begin)
        open_task = partial(StudentTask, corpus, told, self.spelling, self.model)
        alone = open_task(schedule, begin=begin, sequence=sequence, seed=self.seed)
        taught = TaughtTask(alone, Targets(corpus), self.spelling.ending(), self.config.weight)
        step = decoder_cost(self.model).step(schedule.batch, sequence)
        asked = float(self.teacher.figures["macs"] or 0.0)
        more, _ = self.config.schedule(self.model, schedule.steps + math.ceil(asked / step))
        rows = []
        for name, task, plan, before in (
            (_TAUGHT, taught, schedule, asked),
            (_ALONE, alone, schedule, 0.0),
            (_EQUAL, alone, more, 0.0),
        ):
            place = folder / name
            place.mkdir(exist_ok=True)
            summary = train(task, plan, place, self.seed)
            rows.append(_contestant(name, summary, place, before + step * plan.steps))
        self._keep(folder)
        student, corpus_alone, equal_compute = rows
        mixture = self.teacher.figures["mixture_bits_per_byte"]
        result = DistilResult(
            student=student,
            corpus_alone=corpus_alone,
            equal_compute=equal_compute,
            mixture_bits_per_byte=mixture,
        )
        RESULT.write_json(folder / _RESULT, result)

    def _keep(self, folder: Path) -> None:
        """The student and its baselines as canonical folders."""
        kept = {
            _TAUGHT: folder / MODEL,
            _ALONE: folder / BASELINES / _ALONE,
            _EQUAL: folder / BASELINES / _EQUAL,
        }
        for trained, model in kept.items():
            model.mkdir(parents=True, exist_ok=True)
            for name in ("config.json", "model.safetensors"):
                write_durable(model / name, (folder / trained / MODEL / name).read_bytes())
            write_durable(model / _TOKENIZER, self.spelling.path.read_bytes())


def _contestant(name: str, summary: TrainSummary, place: Path, macs: float) -> Contestant:
    lines = read_metrics(place)
    found = [line["bits_per_byte"] for line in lines if line.get("bits_per_byte") is not None]
    each = [one for one in found if one is not None]
    return Contestant(
        name=name.replace("-", "_"),
        parameters=summary.parameters,
        steps=summary.steps,
        macs=macs,
        bits_per_byte=each[-1],
        best_bits_per_byte=min(each),
    )


def distil_table(result: DistilResult) -> str:
    """The student beside its baselines, as lines of text."""
    rows = [("", "bits a byte", "at its best", "steps", "multiply-accumulates")]
    named = (
        ("student, taught", result.student),
        ("the corpus alone", result.corpus_alone),
        ("at equal compute", result.equal_compute),
    )
    for name, one in named:
        bits = f"{one.bits_per_byte:.4f}", f"{one.best_bits_per_byte:.4f}"
        rows.append((name, *bits, f"{one.steps:,}", f"{one.macs:.4g}"))
    if result.mixture_bits_per_byte is not None:
        rows.append(("the mixture itself", f"{result.mixture_bits_per_byte:.4f}", "", "", ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )
