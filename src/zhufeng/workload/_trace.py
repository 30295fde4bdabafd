"""A whole step as one graph: forward, backward and update, traced once.

The step runs on tensors without data, and every ATen operation below autograd is written down:
what eager executes, with no decomposition in between. Attention is taken apart by torch's own
reference path (`SDPBackend.MATH`), because the fused kernel would hide its matrix products.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.fx import Graph, Interpreter
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import Optimizer
from torch.utils import _pytree

from zhufeng.base import InputError, brief
from zhufeng.records import Mode, TensorKind
from zhufeng.workload._calls import Batch, Call, make_call
from zhufeng.workload._operators import TRACED_AS
from zhufeng.workload._recorder import Decompositions, Recorder
from zhufeng.workload._scope import Scope
from zhufeng.workload._update import State, initial_states, update


@dataclass(frozen=True)
class StepState:
    """What a step reads and renews."""

    parameters: list[Tensor]
    """Those that are trained."""
    others: list[Tensor]
    """Frozen parameters and buffers."""
    optimizer: list[State]
    """For each parameter that is trained."""

    def clone(self) -> StepState:
        """A copy that shares no memory."""
        copied: StepState = _pytree.tree_map(lambda t: t.detach().clone(), self)
        return copied


@dataclass(frozen=True)
class StepOutput:
    """What a step gives."""

    result: Any
    """The loss; what the model returns where nothing is trained."""
    gradients: list[Tensor | None]
    """None where the loss does not depend on a parameter."""
    state: StepState


_pytree.register_dataclass(StepState)
_pytree.register_dataclass(StepOutput)


@dataclass(frozen=True)
class StepFunction:
    """One step of a model as a function of tensors."""

    model: nn.Module
    mode: Mode
    optimizer: Optimizer | None
    call: Call
    trained: Mapping[str, Tensor]
    """The parameters that are trained, by name."""
    others: Mapping[str, Tensor]
    """Everything else that the model reads: frozen parameters and buffers."""

    def __call__(self, state: StepState, inputs: Sequence[Tensor], scope: Scope) -> StepOutput:
        """Do the step on these tensors; `state` may be changed in place."""
        parameters = [p.detach().requires_grad_() for p in state.parameters]
        named = dict(zip(self.trained, parameters, strict=True))
        named |= dict(zip(self.others, state.others, strict=True))

        def stand_in(*args: Any, **kwargs: Any) -> Any:
            return torch.func.functional_call(self.model, named, args, kwargs)

        with torch.set_grad_enabled(self.mode == "train"), scope.follow(self.model):
            result = self.call.run(stand_in, inputs)
            if self.mode != "train":
                return StepOutput(_plain(result), [], state)
            if not result.requires_grad:
                raise _untrained(self.model)
            scope.begin_backward(result)
            gradients = torch.autograd.grad(result, parameters, allow_unused=True)
        scope.begin_update()
        updated = [p.detach() for p in parameters]
        states = state.optimizer
        if self.optimizer:
            originals = list(self.trained.values())
            states = update(self.optimizer, originals, updated, gradients, states)
        return StepOutput(
            result.detach(), list(gradients), StepState(updated, state.others, states)
        )


@dataclass(frozen=True)
class Step:
    """A traced step: a graph over (state, batch tensors), which can be run again and again."""

    function: StepFunction
    state: StepState
    """At the time of tracing; the model's own tensors, except the optimizer's, which are copies."""
    graph: Graph
    constants: nn.Module
    """Tensors of the model that are neither parameters nor buffers, by the graph's names."""
    originals: list[Tensor]
    """The model's own tensors that `constants` are copies of."""
    nested: _pytree.TreeSpec
    """How the graph's outputs make up a `StepOutput`."""

    @property
    def inputs(self) -> list[tuple[str, TensorKind]]:
        """Name and kind of each of the graph's inputs."""
        step = self.function
        found: list[tuple[str, TensorKind]] = [(name, "parameter") for name in step.trained]
        for name, tensor in step.others.items():
            found.append((name, "parameter" if isinstance(tensor, nn.Parameter) else "state"))
        for name, state in zip(step.trained, self.state.optimizer, strict=True):
            found += [(f"{name}.{key}", "state") for key in state]
        return found + [(f"batch.{i}", "input") for i in range(len(step.call.inputs))]

    def fresh_constants(self) -> nn.Module:
        """The constants, for one run of the graph, which may change them."""
        return copy.deepcopy(self.constants)

    def replay(
        self,
        state: StepState,
        inputs: Sequence[Tensor],
        interpreter: Interpreter | None = None,
    ) -> StepOutput:
        """Run the graph.

        Args:
            state: may be changed in place, as a training step does; `clone` it to keep it.
            inputs: the batch's tensors, in the order of the batch.
            interpreter: runs it, in place of a plain one.
        """
        flat = _pytree.tree_leaves((state, list(inputs)))
        device = flat[0].device.type if flat else "cpu"
        # What autocast does has been written into the graph already.
        with torch.no_grad(), torch.autocast(device, enabled=False):
            runner = interpreter or Interpreter(self.fresh_constants(), graph=self.graph)
            out = runner.run(*flat)
        output: StepOutput = _pytree.tree_unflatten(out, self.nested)
        return output


def trace_step(
    model: nn.Module,
    batch: Batch,
    optimizer: Optimizer | None = None,
    mode: Mode = "train",
    *,
    decompositions: Decompositions | None = None,
    seed: int = 0,
) -> Step:
    """Trace one step of `model` on `batch`; nothing of the model is changed.

    Args:
        model: any module, in the mode (training or evaluation) in which it is to be captured;
            on the meta device, shapes are traced and nothing is allocated.
        batch: the model's arguments: a mapping by name, a sequence by position, or one tensor.
        optimizer: over the model's parameters; without one there is no update.
        mode: "train" traces gradients and update, the others the forward pass alone.
        decompositions: operations to take apart: operator to a function of the same arguments.
        seed: of what the model draws, where it has to be traced on its data.

    Raises:
        InputError: the model cannot be called so, or has nothing to train.
    """
    call = make_call(model, batch, mode)
    trained, others = _tensors(model, mode)
    if mode == "train" and not trained:
        raise _untrained(model)
    parameters = list(trained.values())
    states: list[State] = [{} for _ in parameters]
    if optimizer:
        states = initial_states(optimizer, parameters)
    function = StepFunction(model, mode, optimizer, call, trained, others)
    state = StepState(parameters, list(others.values()), states)
    table = {**TRACED_AS, **(decompositions or {})}
    try:
        recorder, nested = _record(function, state, table, seed)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"the model {type(model).__name__} cannot be traced on this batch",
            expected="a model that runs on its batch, with a loss that eager can go back from and "
            "an optimizer that needs no more than gradients",
            came=f"{type(error).__name__}: {brief(error)}",
            do="run one step of it in plain PyTorch first, then trace the same",
        ) from error
    return Step(function, state, recorder.graph, recorder.constants, recorder.originals, nested)


def _tensors(model: nn.Module, mode: Mode) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters that are trained, and everything else that the model reads."""
    parameters: dict[str, Tensor] = dict(model.named_parameters())
    trained = {n: p for n, p in parameters.items() if mode == "train" and p.requires_grad}
    others = {n: p for n, p in parameters.items() if n not in trained}
    return trained, {**others, **dict(model.named_buffers())}


def _record(
    function: StepFunction, state: StepState, decompositions: Decompositions, seed: int
) -> tuple[Recorder, _pytree.TreeSpec]:
    """The recorder of the step, and how its outputs are nested."""
    flat, structure = _pytree.tree_flatten((state, function.call.inputs))

    def record(recorder: Recorder, given: list[Tensor]) -> _pytree.TreeSpec:
        recorder.inputs(given)
        with plain_attention(), _without_fused_layers(), recorder:
            own, inputs = _pytree.tree_unflatten(given, structure)
            output = function(own, inputs, Scope(recorder))
        outputs, nested = _pytree.tree_flatten(output)
        recorder.finish(outputs)
        return nested

    recorder = Recorder(decompositions)
    try:
        with _quiet(), FakeTensorMode(allow_non_fake_inputs=True) as fake:
            blank = {id(tensor): _without_data(fake, tensor) for tensor in flat}
            nested = record(recorder, [blank[id(tensor)] for tensor in flat])
    except (DataDependentOutputException, DynamicOutputShapeException):
        # The model looks at its data to choose its way: the way of this batch is taken.
        recorder = Recorder(decompositions)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            nested = record(recorder, [tensor.detach().clone() for tensor in flat])
    return recorder, nested


def _without_data(fake: FakeTensorMode, tensor: Tensor) -> Tensor:
    """A tensor of the same form.

    One on the meta device is taken for one on the CPU, so that the step is the one that would be
    done there, autocast and all.
    """
    if tensor.device.type == "meta":
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
    return fake.from_tensor(tensor)


@contextmanager
def plain_attention() -> Iterator[None]:
    """Have torch do attention in products that can be seen, in the type that it is given.

    By itself its plain attention would multiply in fp32 what fused attention multiplies in
    bfloat16.
    """
    narrow = torch._C._get_math_sdp_allow_fp16_bf16_reduction()
    torch._C._set_math_sdp_allow_fp16_bf16_reduction(True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch._C._set_math_sdp_allow_fp16_bf16_reduction(narrow)


@contextmanager
def _without_fused_layers() -> Iterator[None]:
    """oneDNN would do a recurrent layer, and torch an encoder's layer, in one operator."""
    # torch.backends.mkldnn.flags does this too, but warns of other devices on the way out.
    onednn = torch._C._get_mkldnn_enabled()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch._C._set_mkldnn_enabled(False)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(onednn)
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's own log of what does not run without data: the error says it."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _untrained(model: nn.Module) -> InputError:
    return InputError(
        f"the model {type(model).__name__} has nothing to train",
        expected="parameters that require gradients, and a loss that depends on them",
        came="a loss without a gradient",
        do="unfreeze a parameter, do not detach the loss, or trace another mode than 'train'",
    )


def _plain(result: Any) -> Any:
    """The tensors of what a model returns, without its own types."""
    if isinstance(result, Mapping):
        return {key: _plain(value) for key, value in result.items()}
    if isinstance(result, Tensor | None):
        return result
    if isinstance(result, (list, tuple)):
        return [_plain(value) for value in result]
    return getattr(result, "logits", None)
