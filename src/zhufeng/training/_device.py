"""Devices and precisions, and what makes them repeat their bits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from zhufeng.base import InputError
from zhufeng.training._config import Schedule


def autocast(schedule: Schedule) -> torch.autocast:
    """The precision of the schedule's forward passes."""
    return torch.autocast(schedule.device, torch.bfloat16, enabled=schedule.precision == "bf16")


@contextmanager
def reproducible(schedule: Schedule) -> Iterator[None]:
    """As many threads as the schedule says, and on CUDA only kernels that repeat their bits.

    The state of the process is put back afterwards.
    """
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    # What a policy leaves to torch takes one, for its sums depend on how they are divided.
    torch.set_num_threads(1 if schedule.policy else schedule.threads)
    with torch.random.fork_rng():
        try:
            if schedule.device == "cuda":
                # cuBLAS repeats its sums only with a workspace of a fixed size.
                os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
                torch.use_deterministic_algorithms(True)
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)


def check_device(schedule: Schedule) -> None:
    """Refuse a device that is not there.

    Raises:
        InputError: refused.
    """
    if schedule.device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            '[train] device = "cuda" is not there',
            expected="a CUDA device and a build of torch for it",
            came=f"torch {torch.__version__}, which finds none",
            do='write device = "cpu", or install torch for CUDA (README, "Which torch?")',
        )
