"""An answer of several members, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from zhufeng.base import InputError, generator, shown
from zhufeng.fusion.mix._chunks import split
from zhufeng.fusion.mix._member import END, Bits, Draw, Member, MemberError, Voice
from zhufeng.fusion.mix._weights import moved, prior_of

T = TypeVar("T")
Finish = Literal["stop", "length"]

# A draw that comes to nothing is made again; after so many a chunk is taken without chance.
_TRIES = 64
_SURE = Draw(temperature=0.0)
# A member that failed is asked again after so many chunks, then after twice as many, ...
_FIRST_REST, _LONGEST_REST = 4, 256


@dataclass(frozen=True)
class Said:
    """One chunk of an answer."""

    chunk: str
    """All of it, also what it has in common with the prompt's end; `END` for the text's end."""
    bits: tuple[float, ...]
    """-log2 P(chunk | all before it) of each member; inf where it failed or cannot say it."""
    weights: tuple[float, ...]
    """Of each member, before the chunk; they sum to 1."""
    text: str
    """What the answer gains: joined, these are the answer."""
    finish: Finish | None = None
    """In the last one, why the answer is over."""
    failures: tuple[str | None, ...] = ()
    """Of each member, why it did not answer; None where it did."""


class _Seat:
    """A member in an answer: speaking, or resting after a failure."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.voice: Voice | None = None
        self.why: str | None = None
        self._rest, self._pause = 0, _FIRST_REST

    def wake(self, past: Sequence[str]) -> None:
        """Begin, or begin again, unless the member rests."""
        if self.voice is not None:
            return
        self._rest -= 1
        if self._rest > 0:
            return
        try:
            self.voice = self.member.begin(past)
            self.why = None
        except MemberError as error:
            self.fail(error)

    def bits(self, chunk: str) -> float:
        """What the chunk costs; inf without a voice."""
        return self._try(lambda voice: voice.bits(chunk), float("inf"))

    def say(self, chunk: str) -> None:
        """Make the chunk part of the member's past."""
        self._try(lambda voice: voice.say(chunk), None)

    def propose(self, rng: np.random.Generator, draw: Draw, stub: str) -> str | None:
        """A chunk, or none."""
        return self._try(lambda voice: voice.propose(rng, draw, stub), None)

    def _try(self, call: Callable[[Voice], T], otherwise: T) -> T:
        if self.voice is None:
            return otherwise
        try:
            return call(self.voice)
        except MemberError as error:
            self.fail(error)
            return otherwise

    def fail(self, error: MemberError) -> None:
        """Be silent for a while, for longer each time."""
        self.voice, self.why = None, str(error) or "it fails"
        self._rest, self._pause = self._pause, min(2 * self._pause, _LONGEST_REST)


class Answer:
    """One answer on its way."""

    def __init__(
        self,
        members: Sequence[Member],
        prior: Sequence[float] | None,
        forget: float,
        draw: Draw,
        seed: int,
    ) -> None:
        """See `Mixture` and `Mixture.generate`."""
        self._seats = [_Seat(member) for member in members]
        self._prior = prior_of(len(members), prior)
        self._forget, self._draw = forget, draw
        self._rng = generator(seed, "mix")
        self._weights = self._prior
        self._past: list[str] = []

    def run(self, prompt: str, chunks: int, stop: Sequence[str]) -> Iterator[Said]:
        """See `Mixture.generate`."""
        *sure, stub = split(prompt) or [""]
        with ThreadPoolExecutor(len(self._seats)) as self._threads:
            self._hear(sure)
            cut = Cut(stop)
            for left in range(chunks - 1, -1, -1):
                chunk, bits, weights = self._next(stub)
                text, stopped = cut.add(chunk[len(stub) :])
                finish: Finish | None = "stop" if stopped or chunk == END else None
                if finish is None and left == 0:
                    finish = "length"
                if finish is not None and not stopped:
                    text += cut.rest()
                why = tuple(seat.why for seat in self._seats)
                yield Said(chunk, tuple(bits.tolist()), tuple(weights.tolist()), text, finish, why)
                if finish is not None:
                    return
                stub = ""

    def _hear(self, chunks: Sequence[str]) -> None:
        """Weigh the members by the prompt, and let them begin after it."""

        def heard(seat: _Seat) -> Bits:
            try:
                return seat.member.score(chunks)
            except MemberError as error:
                seat.fail(error)
                return np.full(len(chunks), np.inf)

        for bits in np.stack(list(self._threads.map(heard, self._seats))).T:
            self._weights = moved(self._weights, bits, self._prior, self._forget)
        self._past = list(chunks)

    def _next(self, stub: str) -> tuple[str, Bits, Bits]:
        """A chunk, its bits, and the weights before it."""
        list(self._threads.map(lambda seat: seat.wake(self._past), self._seats))
        chunk = self._propose(stub)
        bits = np.array(list(self._threads.map(lambda seat: seat.bits(chunk), self._seats)))
        before = self._present()
        if chunk != END:
            list(self._threads.map(lambda seat: seat.say(chunk), self._seats))
            self._weights = moved(before, bits, self._prior, self._forget)
            self._past.append(chunk)
        return chunk, bits, np.exp2(before)

    def _present(self) -> Bits:
        """log2 weights of the members that answer."""
        away = [seat.voice is None for seat in self._seats]
        weights = np.where(away, -np.inf, self._weights)
        total = np.logaddexp2.reduce(weights)
        if total == -np.inf:
            raise nobody([s.member.name for s in self._seats], [s.why for s in self._seats])
        return np.asarray(weights - total)

    def _propose(self, stub: str) -> str:
        """Draw a member and let it propose, anew as long as nothing comes of it."""
        for _ in range(_TRIES):
            seat = self._seats[self._chosen()]
            chunk = seat.propose(self._rng, self._draw, stub)
            if chunk is not None:
                return chunk
        heaviest = np.argsort(-self._present(), kind="stable")
        for seat in (self._seats[int(place)] for place in heaviest):
            chunk = seat.propose(self._rng, _SURE, stub)
            if chunk is not None:
                return chunk
        return stub or END

    def _chosen(self) -> int:
        weights = np.exp2(self._present())
        if self._draw.temperature == 0:
            return int(weights.argmax())
        return int(self._rng.choice(len(weights), p=weights / weights.sum()))


class Cut:
    """Ends a text before the first of some strings, and holds back what may become one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [one for one in stop if one]
        self._held = ""

    def add(self, text: str) -> tuple[str, bool]:
        """What is certain now, and whether the text has ended."""
        held = self._held + text
        places = [place for one in self._stop if (place := held.find(one)) >= 0]
        if places:
            self._held = ""
            return held[: min(places)], True
        most = max((_begun(held, one) for one in self._stop), default=0)
        self._held = held[len(held) - most :]
        return held[: len(held) - most], False

    def rest(self) -> str:
        """What was held back, at the end."""
        return self._held


def _begun(text: str, stop: str) -> int:
    """How many of the text's last characters are the first of `stop`, at most all but one."""
    return next(n for n in range(min(len(text), len(stop) - 1), -1, -1) if text.endswith(stop[:n]))


def nobody(names: Sequence[str], failures: Sequence[str | None]) -> InputError:
    """The error when all members fail, but such as have no weight."""
    failed = [(name, why) for name, why in zip(names, failures, strict=True) if why is not None]
    told = "; ".join(f"{name}: {why}" for name, why in failed)
    return InputError(
        "no member answers",
        expected="one at least",
        came=shown(told),
        do="see to their servers, and to the variables with their keys",
    )
