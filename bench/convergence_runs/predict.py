"""What trainings will cost, told before they begin."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from convergence_runs.identity import MORE_IMAGES
from convergence_runs.plan import Run
from convergence_runs.training import Result
from zhufeng.models.reference import REFERENCES, ImageData, load_reference
from zhufeng.stack import emulate, named_policy

_BACKWARD = 2
"""Products of a backward pass, for each of the forward pass."""


def predicted(runs: Sequence[Run], results: Mapping[Run, Result]) -> str:
    """Multiply-accumulates and CPU hours of trainings.

    Hours are by what the same reference and policy, or else the slowest of the reference, took
    before; where nothing was trained yet, there is no telling. Multiply-accumulates of two planes
    count once.
    """
    steps: dict[str, float] = defaultdict(float)
    for run in runs:
        steps[run.reference] += run.steps * (1 - run.since) + _evaluated(run)
    macs = {name: macs_per_step(name) for name in steps}
    whole = round(sum(macs[name] * count for name, count in steps.items()))
    hours = sum(_seconds(run, results) for run in runs) / 3600
    told = "unknown" if math.isnan(hours) else f"about {hours:.1f}"
    return (
        f"at least {len(runs)} trainings, {whole:.3g} multiply-accumulates in matrix products, "
        f"CPU hours: {told}"
    )


def macs_per_step(reference: str) -> int:
    """Multiply-accumulates of a step's matrix products, forward and backward."""
    loaded = load_reference(reference)
    model, settings = loaded.build(0), REFERENCES[reference]
    inputs, targets = loaded.data(0).batch(0, 1)
    emulation = emulate(model, named_policy("fp32"), seed=0)
    with emulation.at(0, 0.0):
        model(inputs, targets)
    return settings.batch * (1 + _BACKWARD) * sum(one.macs for one in emulation.multiplied)


def _evaluated(run: Run) -> float:
    """What evaluations come to, in steps; before its first step a training is evaluated too."""
    settings = REFERENCES[run.reference]
    images = MORE_IMAGES if isinstance(settings.data, ImageData) else 0
    times = 1 if run.since else 2
    return times * (settings.held_out + images) / settings.batch / (1 + _BACKWARD)


def _seconds(run: Run, results: Mapping[Run, Result]) -> float:
    """By the reference's trainings in the same policy, or else by the slowest one's; a branch is
    in its policy for a part of the steps alone, and hardly ever trains the others itself.
    """
    spent: dict[str, list[float]] = defaultdict(list)
    for other, result in results.items():
        if other.reference == run.reference:
            spent[other.policy].append(result["cpu_s"] / (other.share * (1 - other.since)))
    own = spent.get(run.policy) or [max(map(statistics.median, spent.values()), default=math.nan)]
    return statistics.median(own) * run.share * (1 - run.since)
