"""The references' learning rates and what they reach: bf16 autocast, fp32 weights, AdamW.

A full run trains what ``bench/results/tune_references.json`` does not hold yet, adds each result as
it comes, and so goes on after a kill. ``--quick`` only reads that file: together the trainings take
hours. A result whose settings have changed since counts for nothing. Learning rates are swept at a
share of the steps (`SWEEPS`), then each reference is trained at its frozen rate.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from harness import Figure, machine, main, median
from zhufeng.base import cache_folder, sha256_json, to_json, write_durable
from zhufeng.models import read_weights
from zhufeng.models.reference import REFERENCES, Settings, load_reference
from zhufeng.training import (
    MODEL,
    ReferenceTask,
    Schedule,
    read_metrics,
    reference_schedule,
    train,
)

RESULTS = Path(__file__).parent / "results" / "tune_references.json"
Result = dict[str, float | str | int]


@dataclass(frozen=True)
class Run:
    """One training."""

    name: str
    rate: float
    """Learning rate at the peak."""
    seed: int
    share: float
    """Of the frozen steps and warm-up."""

    @property
    def key(self) -> str:
        """Under which its result is kept."""
        return f"{self.name} rate={self.rate:g} seed={self.seed} share={self.share:g}"


def _grid(
    names: tuple[str, ...], rates: tuple[float, ...], share: float, seeds: int = 2
) -> list[Run]:
    return [Run(n, rate, seed, share) for n in names for seed in range(seeds) for rate in rates]


# By factors of 2. A base's rate is the small one's divided by the square root of how much wider
# the base is, rounded down to the grid; the one sweep of a base is there to check that.
SWEEPS = [
    *_grid(("mlp-small",), (1e-3, 2e-3, 4e-3, 8e-3, 16e-3), 0.25),
    *_grid(("gpt-gelu-small", "gpt-relu2-small"), (4e-3, 8e-3, 16e-3), 0.25),
    *_grid(("cnn-small",), (4e-3, 8e-3, 16e-3), 0.25),
    *_grid(("mlp-base",), (5e-4, 1e-3, 2e-3, 4e-3), 0.25, seeds=1),
]


def measure(quick: bool, seed: int) -> Mapping[str, Figure]:
    """Final held-out losses, accuracies and bits a byte of what has been trained."""
    results = _read()
    frozen = [Run(name, s.learning_rate, seed, 1.0) for name, s in REFERENCES.items()]
    if not quick:
        for run in [*SWEEPS, *frozen]:
            if _standing(results, run) is None:
                results[run.key] = train_once(run)
                _write(results)
    return {**_final_figures(results, frozen), **_sweep_figures(results)}


def train_once(run: Run) -> Result:
    """Train; losses are in nats a target, on the held-out set in bf16.

    A training that was killed goes on from its last tenth.
    """
    reference, schedule = load_reference(run.name), schedule_of(run)
    task = ReferenceTask(reference, schedule, seed=run.seed)
    settings = _settings_hash(reference.settings)
    folder = cache_folder("tune-references") / sha256_json([run.key, settings])
    folder.mkdir(exist_ok=True)
    begin = time.process_time()
    train(task, schedule, folder, run.seed)
    spent = time.process_time() - begin
    # In the order of the steps: the last is after the last step, the one before a tenth earlier.
    held_out = [n["held_out_loss"] or 0.0 for n in read_metrics(folder) if "held_out_loss" in n]
    told = {
        "final_loss": held_out[-1],
        "final_accuracy": _accuracy(run, folder / MODEL / "model.safetensors"),
        "cpu_s": round(spent, 1),
    }
    if run.share == 1:
        told["at_nine_tenths_loss"] = held_out[-2]
    shutil.rmtree(folder)
    sys.stderr.write(f"{run.key}: {told}\n")
    return {**told, **_circumstances(reference.settings)}


def schedule_of(run: Run) -> Schedule:
    """The frozen settings at the run's rate and share; a full training is evaluated ten times."""
    whole = reference_schedule(run.name)
    steps = round(whole.steps * run.share)
    tenth = steps // 10
    return replace(
        whole,
        steps=steps,
        learning_rate=run.rate,
        warmup=round(whole.warmup * run.share),
        precision="bf16",
        evaluate_every=tenth if run.share == 1 else steps,
        checkpoint_every=tenth,
    )


@torch.no_grad()
def _accuracy(run: Run, weights: Path) -> float:
    """Share of the held-out targets that the model finds likeliest."""
    reference = load_reference(run.name)
    model = reference.build(run.seed).eval()
    read_weights(weights, model)
    hits, count = 0, 0
    for inputs, targets in reference.data(run.seed).held_out():
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(inputs).logits
        hits += int((logits.argmax(-1) == targets).sum())
        count += targets.numel()
    return hits / count


def _circumstances(settings: Settings) -> Result:
    return {
        "settings_sha256": _settings_hash(settings),
        "machine": machine()["processor"],
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python bench/tune_references.py",
    }


def _settings_hash(settings: Settings) -> str:
    """Of all that a result depends on but the learning rate, which the run's key holds."""
    return sha256_json({**to_json(settings), "learning_rate": None})


def _read() -> dict[str, Result]:
    if not RESULTS.exists():
        return {}
    results: dict[str, Result] = json.loads(RESULTS.read_text())
    return results


def _write(results: Mapping[str, Result]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    write_durable(RESULTS, (json.dumps(results, indent=1, sort_keys=True) + "\n").encode())


def _standing(results: Mapping[str, Result], run: Run) -> Result | None:
    """The result of a run if its settings are those of today."""
    result = results.get(run.key)
    fresh = _settings_hash(REFERENCES[run.name])
    return result if result and result["settings_sha256"] == fresh else None


def _final_figures(results: Mapping[str, Result], runs: list[Run]) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for run in runs:
        result, stem = _standing(results, run), run.name.replace("-", "_")
        text = load_reference(run.name).bytes_per_target
        loss = float(result["final_loss"]) if result else None
        figures[f"{stem}_loss"] = Figure(loss)
        if text:
            figures[f"{stem}_bits_a_byte"] = Figure(loss and loss / math.log(2) / text)
        else:
            figures[f"{stem}_accuracy"] = Figure(
                float(result["final_accuracy"]) if result else None
            )
        late = float(result["at_nine_tenths_loss"]) if result else None
        figures[f"{stem}_last_tenth_gain"] = Figure(1 - loss / late if loss and late else None)
        figures[f"{stem}_cpu_s"] = Figure(float(result["cpu_s"]) if result else None)
    return figures


def _sweep_figures(results: Mapping[str, Result]) -> dict[str, Figure]:
    """Held-out loss of each rate of the sweeps, and the best rate."""
    figures: dict[str, Figure] = {}
    for name in dict.fromkeys(run.name for run in SWEEPS):
        stem, losses = name.replace("-", "_"), dict(_losses(results, name))
        for rate, figure in losses.items():
            figures[f"{stem}_sweep_loss_at_{rate:g}"] = figure
        best = min(losses, key=lambda rate: losses[rate].value or math.inf, default=None)
        figures[f"{stem}_best_rate"] = Figure(best)
    return figures


def _losses(results: Mapping[str, Result], name: str) -> Iterator[tuple[float, Figure]]:
    for rate in dict.fromkeys(run.rate for run in SWEEPS if run.name == name):
        runs = [run for run in SWEEPS if (run.name, run.rate) == (name, rate)]
        found = [result for run in runs if (result := _standing(results, run))]
        if len(found) == len(runs):
            yield rate, median([float(result["final_loss"]) for result in found])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main("tune_references", __doc__ or "", measure, packages=("torch", "numpy"))
