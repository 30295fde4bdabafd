"""A workload as a Perfetto trace, on a nominal chip."""

from __future__ import annotations

from pathlib import Path

from zhufeng.records import Operation, Workload
from zhufeng.report import Trace, Track

# A round chip, so that a length in the viewer is read as work and not as anyone's promise: an
# operation takes as long as its flops or its bytes do, whichever is longer.
NOMINAL_FLOPS_PER_S = 1e14
NOMINAL_BYTES_PER_S = 1e12


def nominal_us(operation: Operation) -> float:
    """How long an operation takes on the nominal chip, in microseconds."""
    compute_s = operation.flops / NOMINAL_FLOPS_PER_S
    return 1e6 * max(compute_s, operation.bytes / NOMINAL_BYTES_PER_S)


def write_timeline(path: Path, workload: Workload) -> None:
    """Write the step, operation after operation, a row for the modules' two outermost levels."""
    with Trace(path) as trace:
        phases = trace.track(workload.model, "phase")
        modules = trace.track(workload.model, "module")
        operations = trace.track(workload.model, "operation")
        spans = [_Span(phases), _Span(modules)]
        now_us = 0.0
        for operation in workload.operations:
            duration_us = nominal_us(operation)
            outer = ".".join(operation.module.split(".")[:2]) or "(model)"
            spans[0].extend(operation.phase, now_us, duration_us)
            spans[1].extend(outer, now_us, duration_us)
            told = {"module": operation.module, "flops": operation.flops, "bytes": operation.bytes}
            shapes = " x ".join(str(list(tensor.shape)) for tensor in operation.operands)
            operations.slice(operation.kind, now_us, duration_us, **told, operands=shapes)
            now_us += duration_us
        for span in spans:
            span.close()


class _Span:
    """Neighbouring slices of one name, drawn as one."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._name: str | None = None
        self._start_us = self._length_us = 0.0

    def extend(self, name: str, start_us: float, duration_us: float) -> None:
        if name != self._name:
            self.close()
            self._name, self._start_us, self._length_us = name, start_us, 0.0
        self._length_us += duration_us

    def close(self) -> None:
        if self._name is not None:
            self._track.slice(self._name, self._start_us, self._length_us)
