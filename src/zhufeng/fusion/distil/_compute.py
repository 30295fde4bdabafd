"""Multiply-accumulates of matrix products: of members' forwards and of a student's steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from zhufeng.models import Decoder, DecoderConfig

_SHORT, _LONG = 8, 16


@dataclass(frozen=True)
class Cost:
    """What a decoder's forward costs, in multiply-accumulates.

    Attention is counted over all pairs of tokens, also those that the causal mask hides, for the
    student and for the members alike.
    """

    a_token: int
    a_pair: int
    """For each pair of a query and a key."""

    def forward(self, tokens: int, before: int = 0) -> int:
        """Of `tokens` tokens, `before` others standing in a cache."""
        return self.a_token * tokens + self.a_pair * tokens * (before + tokens)

    def step(self, rows: int, tokens: int) -> int:
        """Of a training step over `rows` sequences of `tokens` each: the backward has two products
        for each of the forward.
        """
        return 3 * rows * self.forward(tokens)


@lru_cache(maxsize=16)
def decoder_cost(config: DecoderConfig) -> Cost:
    """What a decoder costs, from the products of two forwards, of which nothing is computed.

    So a switch that the decoder gains is counted too.
    """
    few, many = _counted(config, _SHORT), _counted(config, _LONG)
    # few = a_token short + a_pair short², many = a_token long + a_pair long²
    a_pair = (many * _SHORT - few * _LONG) // (_SHORT * _LONG * (_LONG - _SHORT))
    return Cost(a_token=few // _SHORT - a_pair * _SHORT, a_pair=a_pair)


@torch.no_grad()
def _counted(config: DecoderConfig, tokens: int) -> int:
    """Of one forward. In bf16, the one type of which a grouped product can be traced."""
    grouped = {torch.ops.aten._grouped_mm: _grouped}  # noqa: SLF001 (it has no public name)
    counter = FlopCounterMode(display=False, custom_mapping=grouped)
    plain, narrow = sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", torch.bfloat16)
    with FakeTensorMode(), plain, narrow, counter:
        Decoder(config)(torch.zeros((1, tokens), dtype=torch.int64))
    return int(counter.get_total_flops()) // 2


def _grouped(rows: Any, groups: Any, *_: Any, **__: Any) -> int:
    """Each of the rows, shape (rows, k), meets one group's matrix, shape (groups, k, n)."""
    return int(2 * rows[0] * rows[1] * groups[-1])
