"""A model on a chip: for now, training in a policy's number formats.

>>> emulation = emulate(model, policy, seed=0)
>>> with emulation.at(step, share=step / steps):
...     loss = model(inputs, targets).loss
>>> loss.backward()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.stack._policies import POLICIES, named_policy

if TYPE_CHECKING:
    from zhufeng.stack._emulate import Emulation, Multiplied, emulate

__getattr__ = lazy_names(
    __name__,
    {"Emulation": "_emulate", "Multiplied": "_emulate", "emulate": "_emulate"},
    extra="train",
)

__all__ = ["POLICIES", "Emulation", "Multiplied", "emulate", "named_policy"]
