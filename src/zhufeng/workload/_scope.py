"""Where in the model an operation comes from, told while it is recorded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from zhufeng.workload._recorder import Recorder


class Scope:
    """Keeps a recorder's phase and path.

    Forward, the path is that of the innermost module at work. Backward, it is that of the
    forward operation whose gradient is computed: autograd numbers its nodes in the order in which
    the forward pass makes them, and the numbers at which the path changed are remembered here.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._stack = [""]
        self._begins = [0]
        self._paths = [""]

    @contextmanager
    def follow(self, model: nn.Module) -> Iterator[None]:
        """Keep the path while `model` runs."""
        with ExitStack() as stack:
            for name, module in model.named_modules():
                enter = module.register_forward_pre_hook(lambda _, __, n=name: self._enter(n))
                leave = module.register_forward_hook(
                    lambda _, __, ___: self._leave(), always_call=True
                )
                stack.callback(enter.remove)
                stack.callback(leave.remove)
            yield

    def begin_backward(self, loss: Tensor) -> None:
        """The forward pass has ended in `loss`; gradients come next."""
        self._recorder.phase = "backward"
        for node in _autograd_nodes(loss):
            number = node._sequence_nr()
            path = self._paths[bisect_right(self._begins, number) - 1]
            node.register_prehook(lambda _, p=path, n=number: self._set(p, n))

    def begin_update(self) -> None:
        """The optimizer's turn."""
        self._recorder.phase = "update"
        self._set("", None)

    def _enter(self, path: str) -> None:
        self._stack.append(path)
        self._change()

    def _leave(self) -> None:
        self._stack.pop()
        self._change()

    def _change(self) -> None:
        if self._recorder.phase == "forward":
            self._begins.append(torch.autograd._get_sequence_nr())  # type: ignore[attr-defined]
            self._paths.append(self._stack[-1])
        self._recorder.path = self._stack[-1]

    def _set(self, path: str, number: int | None) -> None:
        self._stack = [path]
        self._recorder.path, self._recorder.number = path, number


def _autograd_nodes(loss: Tensor) -> Iterator[Node]:
    """Every node of the graph that leads to `loss`, once."""
    waiting = [loss.grad_fn]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        yield node
        new = {following for following, _ in node.next_functions} - seen
        seen |= new
        waiting += new
