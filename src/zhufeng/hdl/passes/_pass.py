"""What a pass is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from zhufeng.hdl.ir import Module, check, rebuilt


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
        made = rebuilt(module, self.one)
        check(made)
        return made
