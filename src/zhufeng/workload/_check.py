"""Is what was captured the step? Gradients of the recorded graph against eager's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch._ops import OpOverload

from zhufeng.base import InputError, shown
from zhufeng.workload._trace import Step, StepOutput, plain_attention

# Largest relative error of a parameter's gradient, by the type that products are computed in.
TOLERANCES: Mapping[torch.dtype, float] = {
    torch.float64: 1e-9,
    torch.float32: 1e-3,
    torch.float16: 2e-2,
    torch.bfloat16: 1e-1,
}
# A gradient that is zero in exact arithmetic (a key's bias under softmax) is rounding noise, and
# has no relative error; against this share of the typical gradient its error is measured then.
_FLOOR = 1e-3


class GradientError(InputError):
    """The captured graph's gradients are not those of the model."""


def eager_gradients(step: Step, seed: int, *, fused: bool) -> tuple[Tensor, list[Tensor | None]]:
    """Loss and gradients as the model itself computes them, by `backward`.

    Args:
        step: whose model, on whose batch; both are left as they were.
        seed: of what the model draws.
        fused: with eager's own attention kernels, or with the plain attention that is recorded.
    """
    call, model = step.function.call, step.function.model
    inputs = [t.detach().clone().requires_grad_(t.requires_grad) for t in call.inputs]
    with ExitStack() as stack:
        stack.enter_context(_as_it_was(model, step.originals))
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.enable_grad())
        torch.manual_seed(seed)
        # Within one autocast context casts of weights are kept, though the weights have changed.
        torch.clear_autocast_cache()
        if not fused:
            stack.enter_context(plain_attention())
        for parameter in model.parameters():
            parameter.grad = None
        loss = call.run(model, inputs)
        loss.backward()
        gradients = [p.grad for p in step.function.trained.values()]
    return loss.detach(), gradients


@contextmanager
def _as_it_was(model: nn.Module, others: Sequence[Tensor]) -> Iterator[None]:
    """Give back a model's gradients, buffers and other tensors after it has run."""
    gradients = [(p, p.grad) for p in model.parameters()]
    held = [(m, n, b) for m in model.modules() for n, b in m._buffers.items() if b is not None]
    values = [(t, t.detach().clone()) for t in (*(b for _, _, b in held), *others)]
    try:
        yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, name, buffer in held:
            module._buffers[name] = buffer
        with torch.no_grad():
            for tensor, value in values:
                tensor.copy_(value)


def worst_error(
    names: Sequence[str], found: Sequence[Tensor | None], wanted: Sequence[Tensor | None]
) -> tuple[float, str]:
    """The largest relative error of a parameter's gradient, and the parameter's name.

    The error is |found - wanted| / |wanted| in the Euclidean norm.
    """
    typical = _typical(wanted)
    errors = []
    for name, one, other in zip(names, found, wanted, strict=True):
        if one is None or other is None:
            errors.append((0.0 if one is other else float("inf"), name))
            continue
        norm = max(_norm(other), _FLOOR * typical * other.numel() ** 0.5)
        difference = _norm(_wide(one) - _wide(other))
        error = difference / norm if difference else 0.0
        errors.append((error if error == error else float("inf"), name))  # noqa: PLR0124 (NaN)
    return max(errors, default=(0.0, ""))


def check(step: Step, replayed: StepOutput, seed: int) -> float:
    """Compare with eager, and return the worst parameter's relative error.

    Fused attention, which eager would use, rounds differently and draws its dropout in another
    order. Where that leads further than the tolerance (an expert's router that decides otherwise
    on a last bit), eager is judged by with the plain attention that is captured.

    Raises:
        GradientError: it is beyond the tolerance; names the worst parameter.
    """
    names = list(step.function.trained)
    tolerance = TOLERANCES[compute_dtype(step)]
    for fused in (False,) if _draws(step) else (True, False):
        loss, wanted = eager_gradients(step, seed, fused=fused)
        error, worst = worst_error(names, replayed.gradients, wanted)
        if error <= tolerance:
            break
    else:
        raise GradientError(
            f"the captured step of {type(step.function.model).__name__} is not the model's",
            expected=f"gradients as eager's, to {tolerance:.0e} of each one's norm",
            came=f"'{shown(worst)}' off by {error:.2g}, the worst; loss "
            f"{float(replayed.result):.6g}, eager's {float(loss):.6g}",
            do="look for an operator or a decomposition that computes something else than eager "
            "does; hooks on parameters, reentrant checkpoints, and random draws that are "
            "recomputed or come from another generator than torch's cannot be captured",
        )
    return error


def compute_dtype(step: Step) -> torch.dtype:
    """The narrowest floating type of the parameters, or autocast's where that is on."""
    device = next((p.device.type for p in step.state.parameters), "cpu")
    types = {p.dtype for p in step.state.parameters if p.is_floating_point()}
    if torch.is_autocast_enabled(device):
        types.add(torch.get_autocast_dtype(device))
    return min(types & set(TOLERANCES), key=lambda t: -TOLERANCES[t], default=torch.float32)


def _draws(step: Step) -> bool:
    return any(
        isinstance(node.target, OpOverload)
        and torch.Tag.nondeterministic_seeded in node.target.tags
        for node in step.graph.nodes
    )


def _typical(gradients: Sequence[Tensor | None]) -> float:
    """Root of the mean square over all parameters."""
    there = [g for g in gradients if g is not None]
    elements = sum(g.numel() for g in there)
    total = sum(_norm(g) ** 2 for g in there)
    return float((total / max(elements, 1)) ** 0.5)


def _norm(x: Tensor) -> float:
    return float(torch.linalg.vector_norm(_wide(x)))


def _wide(x: Tensor) -> Tensor:
    dense = x.to_dense() if x.is_sparse else x
    return dense.resolve_conj().to(torch.complex128 if x.is_complex() else torch.float64)
