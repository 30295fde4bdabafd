"""A design with what drives it and what watches it, made for many runs in lanes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from zhufeng.hdl.compile import Simulator, State, compile, harness  # noqa: A004
from zhufeng.hdl.interpret import Failure, Values
from zhufeng.hdl.ir import Claim, Form, Instance, Module, check, need_module, rebuilt
from zhufeng.hdl.verify._assumptions import BENCH, Assumption, with_stop
from zhufeng.hdl.verify._grown import Grown
from zhufeng.hdl.verify._offers import Offer, offered, offers
from zhufeng.hdl.verify._toggles import Watch, with_toggles
from zhufeng.hdl.waves import signals

_COVER = "cover "
"""Begins the text of what tells in which lane and cycle a cover point is true first."""
_LANES = 32


@dataclass(frozen=True, order=True)
class ClaimName:
    """A claim of a design: what stands for it in reports."""

    kind: str
    path: str
    """The instances around it, from the design on: ``top.queue``."""
    text: str
    where: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class Bench:
    """A design between its stimulus and its monitor, with what counts what is covered."""

    def __init__(
        self,
        design: Module,
        stimulus: Module | None,
        monitor: Module | None,
        *,
        streams: Mapping[str, str] | None,
        toggles: bool,
    ) -> None:
        need_module(design)
        joined = stimulus is not None or monitor is not None
        self.design, self.stimulus, self.monitor = design, stimulus, monitor
        self.plain = harness(design, stimulus, monitor) if joined else design
        """The same without anything added: what reports are replayed on."""
        given = stimulus.outputs if stimulus else {}
        self.offers = tuple(
            one
            for one in offers(design, streams)
            if not any(port in given for port in (one.valid, *one.data))
        )
        watched, self._watches = with_toggles(design) if toggles else (design, ())
        parts = {"stimulus": stimulus, "design": watched, "monitor": monitor}
        inner, self._effective = _joined(
            {name: rebuilt(one, _with_first_covers) for name, one in parts.items() if one},
            self.offers,
        )
        self.whole, self._assumptions = with_stop(inner)
        check(self.whole)

    @property
    def inputs(self) -> Mapping[str, Form]:
        """What is drawn: inputs of the stimulus, and those of the design that it does not give."""
        return self.whole.inputs

    @cached_property
    def simulator(self) -> Simulator:
        """All of it as code."""
        seen = [name for one in self.watches for name in (one.rose, one.fell)]
        return compile(self.whole, _LANES, record=[*seen, *self.effective.values()])

    @cached_property
    def plain_simulator(self) -> Simulator:
        """Of `plain`, one lane, with every signal recorded."""
        return compile(self.plain, 1, record=signals(self.plain))

    def plain_start(self, start: State) -> Mapping[str, Values]:
        """A state of the bench, of one lane, by the keys that `plain` has."""
        whole = f"{self.whole.name}.{BENCH}." if self._assumptions else f"{self.whole.name}."
        found = {}
        for key, part in start.parts.items():
            kind, _, path = key.partition(" ")
            path = path.removeprefix(whole)
            if self.plain is self.design:
                path = self.design.name + path.removeprefix("design")
            else:
                path = f"{self.plain.name}.{path}"
            found[f"{kind} {path}"] = part.values
        return found

    @cached_property
    def watches(self) -> tuple[Watch, ...]:
        """What is watched, with the names of what was seen as the simulator records it."""
        return tuple(
            replace(
                one,
                rose=self._recorded(f"design.{one.rose}"),
                fell=self._recorded(f"design.{one.fell}"),
            )
            for one in self._watches
        )

    @cached_property
    def effective(self) -> Mapping[str, str]:
        """Inputs that wait until taken, each with the recorded value that the design is given."""
        return {port: self._recorded(value) for port, value in self._effective.items()}

    def _recorded(self, name: str) -> str:
        return f"{BENCH}.{name}" if self._assumptions else name

    @cached_property
    def claims(self) -> tuple[ClaimName, ...]:
        """Of all parts, each once."""
        found = dict.fromkeys(_claims(self.plain, self.plain.name))
        return tuple(replace(one, path=self._plain_path(one.path)) for one in found)

    def named(self, failure: Failure) -> ClaimName:
        """Which claim it was that failed; a cover point that was true is of the kind cover."""
        kind, text, path = failure.kind, failure.text, failure.path
        if kind == "assume" and self._assumptions and path == self.whole.name:
            broken: Assumption = self._assumptions[int(text)]
            return ClaimName(kind, self._path(broken.path[1:]), broken.text, broken.where)
        if text.startswith(_COVER):
            kind, text = "cover", text.removeprefix(_COVER)
        return ClaimName(kind, self._inner_path(path), text, failure.where)

    def covered(self, name: str) -> str:
        """A cover point as runs call it, as reports do."""
        path, _, text = name.partition(": ")
        return f"{self._inner_path(path)}: {text}"

    def named_plain(self, failure: Failure) -> ClaimName:
        """Which claim of `plain` it was that failed."""
        return ClaimName(failure.kind, self._plain_path(failure.path), failure.text, failure.where)

    def _inner_path(self, path: str) -> str:
        return self._path(path.split(".", 2 if self._assumptions else 1)[-1])

    def _plain_path(self, path: str) -> str:
        return path if self.plain is self.design else self._path(path.partition(".")[2])

    def _path(self, path: str) -> str:
        """A path through the parts, with their modules' names for theirs."""
        part, dot, rest = path.partition(".")
        parts = {"stimulus": self.stimulus, "monitor": self.monitor, "design": self.design}
        module = parts[part]
        assert module is not None
        return f"{module.name}{dot}{rest}"


def _claims(module: Module, path: str) -> list[ClaimName]:
    found = [ClaimName(one.kind, path, one.text, one.where) for one in module.claims]
    for name, fold in module.folds.items():
        for number in range(fold.length):
            found += _claims(fold.module, f"{path}.{name}[{number}]")
    for name, instance in module.instances.items():
        found += _claims(instance.module, f"{path}.{name}")
    return found


def _with_first_covers(module: Module) -> Module:
    grown = Grown(module)
    for claim in module.claims:
        if claim.kind == "cover":
            turned = grown.inverted(claim.value)
            grown.claim(Claim("assert", turned, f"{_COVER}{claim.text}", claim.where))
    return grown.module()


def _joined(
    parts: Mapping[str, Module], waiting: tuple[Offer, ...]
) -> tuple[Module, dict[str, str]]:
    """The parts as one module whose ports meet by name, and what offers became."""
    design = parts["design"]
    grown = Grown(Module("bench", {}, {}, {}))
    given: dict[str, str] = {}
    if stimulus := parts.get("stimulus"):
        given = _added(grown, "stimulus", stimulus, given)
    for port, form in design.inputs.items():
        if port not in given:
            given[port] = grown.input(port, form)
    made = {
        port: grown.add("port", design.form(value), data=("design", port))
        for port, value in design.outputs.items()
    }
    effective: dict[str, str] = {}
    for offer in waiting:
        effective |= offered(grown, offer, given, made[offer.ready])
    given |= effective
    grown.instances["design"] = Instance(design, {port: given[port] for port in design.inputs})
    if monitor := parts.get("monitor"):
        _added(grown, "monitor", monitor, {**given, **made})
    return grown.module(), effective


def _added(grown: Grown, name: str, module: Module, known: Mapping[str, str]) -> dict[str, str]:
    taken = {
        port: known[port] if port in known else grown.input(port, form)
        for port, form in module.inputs.items()
    }
    grown.instances[name] = Instance(module, taken)
    return {
        port: grown.add("port", module.form(value), data=(name, port))
        for port, value in module.outputs.items()
    }
