"""The optimizer's update as a function of parameters, gradients and state.

Any `torch.optim.Optimizer` is traced by running its own `step` on a copy of it that holds the
traced tensors, one parameter after another (not fused, not foreach: the sums are the same, and
each operation can be told by its parameter). Its step counter stays a tensor ("capturable"), so
that a captured step can be replayed as any step of the training.
"""

from __future__ import annotations

import copy
import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zhufeng.base import InputError, shown

State = dict[str, Tensor]


def initial_states(optimizer: Optimizer, parameters: Sequence[Tensor]) -> list[State]:
    """The optimizer's state for each parameter, as copies; as it is at the start if it has none.

    Args:
        optimizer: is not changed.
        parameters: those of the model, some of which the optimizer may not hold: their state
            is empty.
    """
    if optimizer.state:
        return [_tensors(optimizer.state.get(p, {}), clone=True) for p in parameters]
    stand_ins = [torch.zeros_like(p) for p in parameters]
    zeros = [torch.zeros_like(p) for p in parameters]
    blank: list[State] = [{} for _ in parameters]
    fresh = _copy(optimizer, parameters, stand_ins, zeros, blank)
    with _tensor_counters():
        for group in fresh.param_groups:
            _initialise(fresh, group)
    if not any(fresh.state.values()):
        # It sets its state up as it goes (SGD's momentum, an optimizer of someone's own): a step
        # on zeros, with zero gradients, shows what it keeps.
        _step(fresh)
    return [_tensors(fresh.state.get(one, {})) for one in stand_ins]


def update(
    optimizer: Optimizer,
    originals: Sequence[Tensor],
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    states: Sequence[State],
) -> list[State]:
    """Update `parameters` in place, and return the new states.

    Args:
        optimizer: whose rule is used; it is not changed.
        originals: the model's parameters, by which the optimizer's groups know them.
        parameters: stand for them, in the same order.
        gradients: of each; None where the loss does not depend on it.
        states: of each; tensors in them may be changed in place.
    """
    stepping = _copy(optimizer, originals, parameters, gradients, states)
    _step(stepping)
    for parameter in parameters:
        parameter.grad = None
    return [_tensors(stepping.state.get(p, {})) for p in parameters]


def _copy(
    optimizer: Optimizer,
    originals: Sequence[Tensor],
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    states: Sequence[State],
) -> Optimizer:
    """An optimizer of the same class and settings that holds other tensors."""
    stand_in = {id(o): p for o, p in zip(originals, parameters, strict=True)}
    made = copy.copy(optimizer)
    made.param_groups = [_group(group, stand_in) for group in optimizer.param_groups]
    made.state = defaultdict(dict)
    for parameter, gradient, state in zip(parameters, gradients, states, strict=True):
        parameter.grad = gradient
        if state:
            made.state[parameter] = dict(state)
    return made


def _group(group: Mapping[str, Any], stand_in: Mapping[int, Tensor]) -> dict[str, Any]:
    held = [stand_in[id(p)] for p in group["params"] if id(p) in stand_in]
    plain = {"foreach": False, "fused": False, "capturable": True}
    return {**group, **{k: v for k, v in plain.items() if k in group}, "params": held}


def _step(optimizer: Optimizer) -> None:
    with torch.no_grad(), _tensor_counters():
        # Without the hooks and profiling that torch wraps around it.
        inspect.unwrap(type(optimizer).step)(optimizer)


def _initialise(optimizer: Optimizer, group: dict[str, Any]) -> None:
    """Have a torch optimizer set up its state for a group, where it does so apart."""
    initialise = getattr(optimizer, "_init_group", None)
    if initialise is not None:
        wanted = list(inspect.signature(initialise).parameters)[1:]
        initialise(group, *([] for _ in wanted))


@contextmanager
def _tensor_counters() -> Iterator[None]:
    """Let optimizers keep their counters as tensors on any device.

    They refuse "capturable" on the CPU, and read counters as Python numbers, unless they are
    being compiled; this tells them so.
    """
    told = torch.compiler.is_compiling
    torch.compiler.is_compiling = lambda: True
    try:
        yield
    finally:
        torch.compiler.is_compiling = told


def _tensors(state: Mapping[str, Any], *, clone: bool = False) -> State:
    found = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    rest = [key for key, value in state.items() if key not in found and value is not None]
    if rest:
        raise InputError(
            "the optimizer keeps other things than tensors",
            expected="a state of tensors, so that a captured step can be replayed as any step",
            came=f"'{shown(rest[0])}', a {type(state[rest[0]]).__name__}",
            do="keep it as a tensor, as torch.optim does with 'step', or capture without the "
            "optimizer",
        )
    return {k: v.detach().clone() for k, v in found.items()} if clone else found
