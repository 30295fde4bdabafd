"""A program for test_kill.py: as tests/route/killed_run.py, with torch imported, and with every
step of the optimizer and every line of metrics a moment too.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import tensorboard.compat.proto.event_pb2
import tensorboard.summary.writer.record_writer  # noqa: F401
import torch
import torch.distributed.checkpoint

from tests.route import killed_run
from zhufeng.training import _checkpoint, _loop, _metrics, _section  # noqa: F401

_STEP = "zhufeng.training.step"


def main() -> None:
    """Serve, with moments between the file operations."""
    killed_run._ANYWHERE.add(_STEP)
    real_step, real_add = torch.optim.AdamW.step, _metrics.Metrics.add

    def step(self: torch.optim.AdamW, *arguments: Any) -> Any:
        sys.audit(_STEP)
        return real_step(self, *arguments)

    def add(self: _metrics.Metrics, line: _metrics.Line) -> None:
        real_add(self, line)
        sys.audit(_STEP)

    torch.optim.AdamW.step = step  # type: ignore[method-assign,assignment]
    _metrics.Metrics.add = add  # type: ignore[method-assign]
    import_module("torch._dynamo")  # which the first optimizer would import
    torch.set_num_threads(1)
    killed_run.serve()


if __name__ == "__main__":
    main()
