"""Answers said, chunk by chunk, and put on the ledger."""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections.abc import Callable, Sequence

from zhufeng.base import InputError, brief, derive_seed, shown
from zhufeng.fusion.ledger import Ended, Entry, Ledger, Tally
from zhufeng.fusion.mix import Mixture, split
from zhufeng.fusion.serve._desk import Job
from zhufeng.fusion.serve._errors import ApiError
from zhufeng.fusion.serve._patience import Patience, PatientMember
from zhufeng.fusion.serve._requests import Ask
from zhufeng.fusion.serve._shapes import Done, Piece, Told

_LOG = logging.getLogger(__name__)

Events = Job[Piece | Done]


class Speaker:
    """Lets a mixture answer, for any number of threads."""

    def __init__(self, mixture: Mixture, ledger: Ledger, timeout_s: float) -> None:
        self._mixture = mixture
        self._ledger = ledger
        _check_names([member.name for member in mixture.members])
        self._patience = Patience(timeout_s)

    def work(self, ask: Ask, name: str, account: str | None) -> Callable[[Events], None]:
        """What answers a request: for each prompt n answers, one after another.

        An answer depends on its prompt, the seed and its number among those of its prompt alone.
        """
        seed = secrets.randbits(62) if ask.seed is None else ask.seed

        def work(job: Events) -> None:
            for choice in range(len(ask.prompts) * ask.n):
                if job.left.is_set():
                    return
                answer = _Answer(job, ask, choice, derive_seed(seed, "answer", choice % ask.n))
                self._answer(answer, f"{name}-{choice}", account)

        return work

    def _answer(self, answer: _Answer, name: str, account: str | None) -> None:
        members = [PatientMember(one, self._patience) for one in self._mixture.members]
        mixture = dataclasses.replace(self._mixture, members=members)
        tally = Tally([one.name for one in members])
        ended: Ended = "failed"
        try:
            answer.echo(mixture)
            ended = answer.say(mixture, tally)
        except InputError as error:
            _LOG.warning("no member answers: %s", error.came)
            raise ApiError(502, "No member of the mixture answers.") from None
        finally:
            # Whatever has happened: what was said was said.
            entry = tally.entry(answer=name, account=account, ended=ended)
            self._keep(entry)
        answer.end(entry)

    def _keep(self, entry: Entry) -> None:
        try:
            self._ledger.append(entry)
        except (OSError, InputError) as error:
            _LOG.error("the ledger cannot be written: %s", error)
            raise ApiError(
                500, "The answer could not be put on the ledger, and is not given."
            ) from None


def _check_names(names: Sequence[str]) -> None:
    try:
        Tally(names).entry(answer="", account=None, ended="stop")
    except ValueError as error:
        raise InputError(
            "the ledger cannot tell the members apart",
            expected=brief(error),
            came=shown(", ".join(names)),
            do="give each member a short name of its own",
        ) from None


class _Answer:
    """One answer, as it comes."""

    def __init__(self, job: Events, ask: Ask, choice: int, seed: int) -> None:
        self._job = job
        self._ask = ask
        self._choice = choice
        self._seed = seed
        self._prompt = ask.prompts[choice // ask.n]
        self._failed: set[int] = set()
        self._begun = not ask.chat

    def echo(self, mixture: Mixture) -> None:
        """The prompt, where it is wanted too."""
        if not self._ask.echo:
            return
        told: tuple[Told, ...] = ()
        if self._ask.logprobs:
            mixed = mixture.score(self._prompt)
            self._note(mixed.failures)
            told = tuple(map(Told, mixed.chunks, map(float, mixed.mixture_bits)))
        self._put(self._prompt, told)

    def say(self, mixture: Mixture, tally: Tally) -> Ended:
        """Say all of it; returns how it ended."""
        ask = self._ask
        if not ask.chunks:
            return "length"
        # The first chunk may be one that the prompt's end has begun.
        stub = ["", *split(self._prompt)][-1]
        for said in mixture.generate(
            self._prompt,
            chunks=ask.chunks,
            seed=self._seed,
            temperature=ask.temperature,
            top_p=ask.top_p,
            stop=ask.stops,
        ):
            bits = tally.add(said.chunk, said.bits, said.weights)
            self._note(said.failures)
            rest = said.chunk.removeprefix(stub)
            told = Told(rest, None if stub else bits)
            self._put(said.text, (told,) if rest else ())
            stub = ""
            if said.finish is not None:
                return said.finish
            if self._job.left.is_set():
                return "left"
        raise AssertionError("the last chunk says why it is the last")

    def end(self, entry: Entry) -> None:
        """Tell that it is on the ledger."""
        finish = "length" if entry.ended == "length" else "stop"
        failed = tuple(entry.members[place] for place in sorted(self._failed))
        read = len(split(self._prompt))
        self._job.put(Done(self._choice, finish, entry, failed, read))

    def _note(self, failures: Sequence[str | None]) -> None:
        self._failed |= {place for place, why in enumerate(failures) if why is not None}

    def _put(self, text: str, told: tuple[Told, ...]) -> None:
        # What comes after "Assistant:" begins with a space.
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        if text or (told and self._ask.logprobs):
            self._job.put(Piece(self._choice, text, told))
