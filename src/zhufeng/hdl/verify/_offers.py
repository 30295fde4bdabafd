"""Inputs that are streams: what is offered and not taken is offered still."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from zhufeng.base import InputError
from zhufeng.hdl.ir import Form, Module, port_graph
from zhufeng.hdl.verify._grown import Grown


@dataclass(frozen=True)
class Offer:
    """A stream that a design takes."""

    valid: str
    """An input."""
    ready: str
    """An output."""
    data: tuple[str, ...]
    """Inputs."""


def offers(design: Module, ready: Mapping[str, str] | None) -> tuple[Offer, ...]:
    """The streams among the inputs of a design.

    Args:
        design: of the IR.
        ready: for each `valid`, the output that takes what is offered; without it, ``up_valid``
            goes with ``up_ready`` and what else begins with ``up_``.

    Raises:
        InputError: a name is none of a port, or the ready is of another shape than the valid.
    """
    if ready is None:
        return tuple(_found(design))
    for valid, taken in ready.items():
        form = design.inputs.get(valid)
        fits = taken in design.outputs and form == design.form(design.outputs[taken])
        if form is None or form.width != 1 or not fits:
            raise InputError(
                f"the streams of {design.name}",
                expected="an input of one bit for each valid, and an output of its type as ready; "
                f"there are {', '.join(design.inputs)}, and {', '.join(design.outputs)}",
                came=f"{valid}: {taken}",
                do="write valid: ready, such as up_valid: up_ready",
            )
    return tuple(Offer(valid, taken, _data(design, valid)) for valid, taken in ready.items())


def _found(design: Module) -> Iterator[Offer]:
    graph = port_graph(design)
    for valid, form in design.inputs.items():
        prefix = valid.removesuffix("valid")
        ready = f"{prefix}ready"
        fits = ready in design.outputs and form == design.form(design.outputs[ready])
        if valid.endswith("valid") and form.width == 1 and fits and valid not in graph:
            yield Offer(valid, ready, _data(design, valid))


def _data(design: Module, valid: str) -> tuple[str, ...]:
    """Inputs that go with a valid, each with its axes first."""
    prefix, axes = valid.removesuffix("valid"), design.inputs[valid].shape
    start = prefix or "data"
    return tuple(
        port
        for port, form in design.inputs.items()
        if port != valid
        and port.startswith(start)
        and not port.endswith("ready")
        and form.shape[: len(axes)] == axes
    )


def offered(grown: Grown, offer: Offer, given: Mapping[str, str], ready: str) -> dict[str, str]:
    """What stays as long as it is not taken.

    Args:
        grown: takes the registers.
        offer: the stream.
        given: the value of each port that would be offered.
        ready: the value that says whether it is taken.

    Returns:
        The values that are offered, by port.
    """
    bits = grown.lets[given[offer.valid]].form
    waits = grown.held(f"{offer.valid}_waits", bits, 0)
    valid = grown.add("or", bits, waits, given[offer.valid])
    grown.then(waits, grown.add("and", bits, valid, grown.inverted(ready)))
    found = {offer.valid: valid}
    for port in offer.data:
        form = grown.lets[given[port]].form
        before = grown.held(f"{port}_before", form, None)
        waiting = _spread(grown, waits, form)
        found[port] = grown.add("mux", form, waiting, before, given[port])
        grown.then(before, found[port])
    return found


def _spread(grown: Grown, bits: str, form: Form) -> str:
    """A bit for each element of a wider array."""
    axes = len(grown.lets[bits].form.shape)
    if form.shape == grown.lets[bits].form.shape:
        return bits
    wide = Form(1, signed=False, shape=form.shape)
    return grown.add("spread", wide, bits, data=tuple(range(axes, len(form.shape))))
