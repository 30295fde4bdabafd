"""What a pass is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

from zhufeng.hdl.ir import Module, below, check


@dataclass(frozen=True)
class Pass(ABC):
    """A rewriting; its fields are its options.

    The module is valid before and after, does the same from the same state, and keeps its ports.
    """

    @abstractmethod
    def one(self, module: Module) -> Module:
        """A single module; those inside it have been rewritten."""

    def __call__(self, module: Module) -> Module:
        """A module and all inside it.

        Raises:
            IrError: the pass has broken it.
        """
        done: dict[int, Module] = {}
        for each in below(module):
            done[id(each)] = self.one(_with(each, done))
        check(done[id(module)])
        return done[id(module)]


def _with(module: Module, done: Mapping[int, Module]) -> Module:
    """A module around what has become of those inside it."""
    return replace(
        module,
        instances={
            name: replace(part, module=done[id(part.module)])
            for name, part in module.instances.items()
        },
        folds={
            name: replace(part, module=done[id(part.module)]) for name, part in module.folds.items()
        },
    )
