"""A model whose matrix products are those of a policy."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from zhufeng.base import InputError
from zhufeng.formats import host
from zhufeng.records import Kind, Policy, Rule
from zhufeng.stack import _shapes
from zhufeng.stack._operand import Stream
from zhufeng.stack._product import multiply, turn_of
from zhufeng.stack._window import Window

_SIGNS_TENSOR: Final = (1 << 31) - 1
"""The number under which the signs of rotations are drawn (rule 2.9)."""


@dataclass(frozen=True)
class _Known:
    """A function of torch that multiplies matrices."""

    kind: Kind
    compute: Callable[..., Tensor]
    names: tuple[str, ...]
    """Of its arguments as torch has them, in the order of those of `compute`."""


def _matmul(other: str = "other") -> _Known:
    return _Known("matmul", _shapes.matmul, ("input", other))


_WINDOW = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_PRODUCTS: Final[Mapping[Any, _Known]] = {
    functional.linear: _Known("linear", _shapes.linear, ("input", "weight", "bias")),
    functional.conv1d: _Known("convolution", _shapes.line_convolution, _WINDOW),
    functional.conv2d: _Known("convolution", _shapes.convolution, _WINDOW),
    functional.scaled_dot_product_attention: _Known(
        "attention",
        _shapes.attention,
        ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa"),
    ),
    # What functional.grouped_mm calls.
    torch._grouped_mm: _Known("experts", _shapes.grouped, ("input", "mat2", "offs")),  # noqa: SLF001
    torch.matmul: _matmul(),
    torch.mm: _matmul("mat2"),
    torch.bmm: _matmul("mat2"),
    Tensor.matmul: _matmul(),
    Tensor.mm: _matmul("mat2"),
    Tensor.bmm: _matmul("mat2"),
    Tensor.__matmul__: _matmul(),
    torch.addmm: _Known("matmul", _shapes.addmm, ("input", "mat1", "mat2", "beta", "alpha")),
    torch.baddbmm: _Known("matmul", _shapes.addmm, ("input", "batch1", "batch2", "beta", "alpha")),
}
_MULTIPLIES: Final = re.compile(
    r"aten\.(_?(addmm|mm|bmm|grouped_mm|int_mm|scaled_mm)(_activation)?|addbmm|addmv|baddbmm|mv|dot"
    r"|vdot|linear|_?\w*convolution\w*|_\w*attention\w*|\w*rnn\w*|lstm\w*|gru\w*|_trilinear"
    r"|_euclidean_dist|_cdist_forward|einsum|tensordot)"
)
"""What torch's functions come down to."""


@dataclass(frozen=True)
class Multiplied:
    """Products of one kind in one module, by one forward pass."""

    module: str
    kind: Kind
    formats: tuple[str, str, str]
    """Of left, right and gradient."""
    macs: int
    """Multiply-accumulates of the forward products."""


def emulate(model: nn.Module, policy: Policy, *, seed: int, threads: int = 1) -> Emulation:
    """Multiply a model's matrices in a policy's formats, forward and backward.

    Args:
        model: any; what it multiplies by torch's functions is found while it runs.
        policy: which formats.
        seed: of stochastic rounding and rotations, of 64 bits.
        threads: of products; results do not depend on it.
    """
    return Emulation(model, policy, seed=seed, threads=threads)


class Emulation:
    """A model's products in a policy's formats, step by step."""

    def __init__(self, model: nn.Module, policy: Policy, *, seed: int, threads: int) -> None:
        """As `emulate` makes it."""
        self.policy, self._seed, self._threads = policy, seed, threads
        self._signs = _signs(seed)
        self._path = [""]
        self._step, self._share, self._tensors = 0, 0.0, 0
        self._multiplied: list[Multiplied] = []
        self.wide: Mapping[str, int] = {}
        """What the first forward pass left to torch, by operation: how often."""
        self._inside = False
        self._watch: _Watch | None = _Watch(self)
        for name, module in model.named_modules():
            module.register_forward_pre_hook(partial(self._enter, name))
            module.register_forward_hook(self._leave, always_call=True)

    @contextmanager
    def at(self, step: int, share: float) -> Iterator[None]:
        """A forward pass.

        Args:
            step: counts backward passes; tells the random bytes of one from those of others.
            share: of the training's steps that are done, by which rules begin to hold.

        Raises:
            InputError: while it runs, if the model multiplies matrices by a function that is
                unknown here.
        """
        self._step, self._share, self._tensors = step, share, 0
        self._multiplied = []
        with ExitStack() as inside:
            if self._watch is not None:
                # Later passes do as the first one: to look at each of them costs time.
                inside.enter_context(self._watch)
            inside.enter_context(_Mode(self._handled))
            yield
        if self._watch is not None:
            self.wide, self._watch = dict(self._watch.seen), None

    def _streams(self) -> tuple[Stream, Stream, Stream]:
        """Of the next product's left, right and gradient."""
        first = self._tensors
        self._tensors += 3
        one, two, three = (Stream(self._seed, self._step, first + n) for n in range(3))
        return one, two, three

    def _enter(self, name: str, module: nn.Module, given: object) -> None:
        del module, given
        self._path.append(name)

    def _leave(self, module: nn.Module, given: object, out: object) -> None:
        del module, given, out
        self._path.pop()

    @property
    def multiplied(self) -> tuple[Multiplied, ...]:
        """What was multiplied since the last forward pass began, in order."""
        return tuple(self._multiplied)

    @property
    def here(self) -> str:
        """The path of the module that runs."""
        return self._path[-1]

    @property
    def inside(self) -> bool:
        """Whether a product is being computed here."""
        return self._inside

    def _handled(self, function: Any, args: Any, kwargs: Any) -> Any:
        """What a function gives; of those that multiply matrices, by the rule that holds."""
        known = _PRODUCTS.get(function)
        if known is None:
            return function(*args, **kwargs)
        rule = self.policy.rule(known.kind, self.here, self._share)
        self._inside = True
        try:
            if rule is None:
                return function(*args, **kwargs)
            given = _as_ours(known, kwargs, self.here)
            return known.compute(self._product(known.kind, rule), *args, **given)
        finally:
            self._inside = False

    def _product(self, kind: Kind, rule: Rule) -> Callable[..., Tensor]:
        """What multiplies by a rule."""

        def product(
            left: Tensor,
            right: Tensor,
            *,
            weight: bool,
            turned: bool = False,
            window: Window | None = None,
        ) -> Tensor:
            roles = ("activation", "weight" if weight else "activation")
            turn = turn_of(
                rule,
                roles,
                self._streams(),
                self._signs,
                self._threads,
                right_turned=turned,
                window=window,
            )
            out = multiply(left, right, turn)
            told = (turn.left.format, turn.right.format, turn.gradient.format)
            macs = out.numel() * right.shape[-1]
            self._multiplied.append(Multiplied(self.here, kind, told, macs))
            return out

        return product


class _Mode(TorchFunctionMode):
    """Asks for every function of torch how it is done."""

    def __init__(self, handled: Callable[[Any, Any, Any], Any]) -> None:
        super().__init__()
        self._handled = handled

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        return self._handled(func, args, kwargs or {})


class _Watch(TorchDispatchMode):
    """Sees what torch does itself, and that no matrices are multiplied by it."""

    def __init__(self, emulation: Emulation) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._emulation = emulation
        self.seen = Counter[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        name = str(func.overloadpacket)
        if not self._emulation.inside:
            if _MULTIPLIES.fullmatch(name):
                raise _unknown(name, self._emulation.here)
            if not any(one.alias_info for one in func._schema.returns):  # noqa: SLF001
                self.seen[name] += 1
        return func(*args, **(kwargs or {}))


def _as_ours(known: _Known, given: Mapping[str, Any], module: str) -> dict[str, Any]:
    """Arguments by torch's names, by those of our function."""
    _, *ours = inspect.signature(known.compute).parameters
    names = dict(zip(known.names, ours, strict=False))
    if strange := [name for name, one in given.items() if name not in names and one is not None]:
        raise InputError(
            f"a product in {module or 'the model'}",
            expected=f"the arguments {', '.join(known.names)} and no others",
            came=", ".join(strange),
            do="leave them out, and do what they ask for by itself",
        )
    return {names[name]: one for name, one in given.items() if name in names}


def _unknown(operation: str, module: str) -> InputError:
    return InputError(
        f"{module or 'the model'} multiplies matrices by {operation}",
        expected="linear, conv1d, conv2d, scaled_dot_product_attention, grouped_mm, or matmul and "
        "its like, called by the model itself",
        came=f"{operation} inside of another function",
        do="write it with these functions, so that it can be done in a policy's formats; "
        "call backward() after the forward pass's 'with'",
    )


def _signs(seed: int) -> Tensor:
    """Of the random Hadamard matrix: shape (16,), 1 or -1 (rule 2.9)."""
    octets = host.random_bytes(host.Rounding(seed, 0, _SIGNS_TENSOR, 0), 1)[0]
    return torch.from_numpy(np.where(octets & 1, -1.0, 1.0).astype(np.float32))
