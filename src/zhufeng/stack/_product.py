"""The one path on which matrices are multiplied, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zhufeng.records import Operands, Role, Rule
from zhufeng.stack._families import family_of
from zhufeng.stack._operand import (
    Saved,
    Stream,
    Turning,
    kept,
    prepared,
    prepared_window,
)
from zhufeng.stack._window import Window


@dataclass(frozen=True)
class Turn:
    """What a product and its two gradients need beside their tensors."""

    left: Operands
    right: Operands
    gradient: Operands
    streams: tuple[Stream, Stream, Stream]
    """Of left, right and gradient."""
    rotated: frozenset[Role]
    signs: Tensor
    right_turned: bool
    """Whether `right` is a tensor with its last two axes exchanged."""
    right_is_weight: bool
    threads: int
    window: Window | None = None
    """Of a convolution, whose `left` is images."""

    def rotation(self, role: Role) -> Tensor | None:
        """The signs of a product's rotation, if it has one."""
        return self.signs if role in self.rotated else None

    def multiplied(self, a: Any, b: Any) -> Tensor:
        """All rows of an operand with all of another one."""
        return family_of(self.gradient.format).multiplied(a, b, self.threads)


def multiply(left: Tensor, right: Tensor, turn: Turn) -> Tensor:
    """The products of all rows of `left` with all of `right`, with gradients.

    Args:
        left: shape (..., m, k); images, where `turn` has a window.
        right: shape (..., n, k).
        turn: in which formats.

    Returns:
        Shape (..., m, n), fp32.
    """
    out: Tensor = _Product.apply(left, right, turn)  # type: ignore[no-untyped-call]
    return out


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, turn: Turn) -> Tensor:
        signs = turn.rotation("forward")
        of_left, of_right, _ = turn.streams
        a_turning = Turning(turn.left, of_left.rounding(turn.left, turned=False), signs)
        rounding = of_right.rounding(turn.right, turned=turn.right_turned)
        if turn.window is None:
            a = prepared(left, a_turning)
        else:
            a = prepared_window(left, a_turning, turn.window)
        b = prepared(right, Turning(turn.right, rounding, signs))
        ctx.turn = turn
        # A weight is there anyway. What is rotated, or stands in windows, is not the tensor.
        own = signs is None and turn.window is None
        ctx.left = kept(left, turn.left, a if own else None)
        ctx.right = Saved(right.detach(), None)
        if not turn.right_is_weight:
            ctx.right = kept(right, turn.right, b if signs is None else None)
        return turn.multiplied(a, b)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        turn: Turn = ctx.turn
        wants_left, wants_right, _ = ctx.needs_input_grad
        left = _input_gradient(gradient, ctx.right, turn) if wants_left else None
        right = _weight_gradient(gradient, ctx.left, turn) if wants_right else None
        return left, right, None


def _input_gradient(gradient: Tensor, saved: Saved, turn: Turn) -> Tensor:
    """(..., m, n) times (..., n, k)."""
    signs, (_, of_right, of_gradient) = turn.rotation("input_gradient"), turn.streams
    right = saved.tensor().mT
    rounding = of_right.rounding(turn.right, turned=not turn.right_turned)
    own = of_gradient.rounding(turn.gradient, turned=False)
    a = prepared(gradient, Turning(turn.gradient, own, signs))
    out = turn.multiplied(a, prepared(right, Turning(turn.right, rounding, signs)))
    return out if turn.window is None else turn.window.folded(out)


def _weight_gradient(gradient: Tensor, saved: Saved, turn: Turn) -> Tensor:
    """(..., n, m) times (..., m, k)."""
    signs, (of_left, _, of_gradient) = turn.rotation("weight_gradient"), turn.streams
    left = saved.tensor()
    left = left.mT if turn.window is None else turn.window.turned(left)
    own = of_gradient.rounding(turn.gradient, turned=True)
    a = prepared(gradient.mT, Turning(turn.gradient, own, signs))
    rounding = of_left.rounding(turn.left, turned=True)
    return turn.multiplied(a, prepared(left, Turning(turn.left, rounding, signs)))


def turn_of(
    rule: Rule,
    roles: tuple[str, str],
    streams: tuple[Stream, Stream, Stream],
    signs: Tensor,
    threads: int,
    *,
    right_turned: bool,
    window: Window | None,
) -> Turn:
    """A product by a rule.

    Args:
        rule: that holds.
        roles: of left and right: "activation" or "weight".
        streams: of left, right and gradient.
        signs: of rotations.
        threads: of products.
        right_turned: see `Turn`.
        window: see `Turn`.
    """
    left, right = (getattr(rule, role) for role in roles)
    return Turn(
        left=left,
        right=right,
        gradient=rule.gradient,
        streams=streams,
        rotated=frozenset(rule.rotated),
        signs=signs,
        right_turned=right_turned,
        right_is_weight=roles[1] == "weight",
        threads=threads,
        window=window,
    )
