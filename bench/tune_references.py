"""The references' learning rates and what they reach: bf16 autocast, fp32 weights, AdamW.

A full run trains what ``bench/results/tune_references.json`` does not hold yet, adds each result as
it comes, and so goes on after a kill. ``--quick`` only reads that file: no training of
the references ends within ten minutes. A result whose settings have changed since counts for
nothing. Learning rates are swept at a share of the steps (`SWEEPS`), then each reference is trained
at its frozen rate.
"""

from __future__ import annotations

import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn

from harness import Figure, main, median
from zhufeng.base import sha256_json, to_json, write_durable
from zhufeng.models.reference import REFERENCES, Settings, load_reference

RESULTS = Path(__file__).parent / "results" / "tune_references.json"
Result = dict[str, float | str]


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


def _grid(names: tuple[str, ...], rates: tuple[float, ...], share: float) -> list[Run]:
    return [Run(n, rate, seed, share) for n in names for seed in (0, 1) for rate in rates]


# Factors of 2, two seeds.
SWEEPS = [
    *_grid(("mlp-small",), (1e-3, 2e-3, 4e-3, 8e-3, 16e-3), 0.25),
    *_grid(("gpt-gelu-small", "gpt-relu2-small"), (4e-3, 8e-3, 16e-3), 0.25),
    *_grid(("cnn-small",), (4e-3, 8e-3, 16e-3), 0.25),
]


def measure(quick: bool, seed: int) -> Mapping[str, Figure]:
    """Final held-out losses, accuracies and bits a byte of what has been trained."""
    results = _read()
    frozen = [Run(name, s.learning_rate, seed, 1.0) for name, s in REFERENCES.items()]
    if not quick:
        for run in [*SWEEPS, *frozen]:
            if _standing(results, run) is None:
                results[run.key] = train(run)
                _write(results)
    return {**_final_figures(results, frozen), **_sweep_figures(results)}


def train(run: Run, device: str = "cpu") -> Result:
    """Train once; losses are in nats a target, on the held-out set in bf16."""
    reference = load_reference(run.name)
    settings, data = reference.settings, reference.data(run.seed)
    model = reference.build(run.seed).to(device)
    optimizer = _optimizer(model, settings)
    steps = round(settings.steps * run.share)
    begin = time.process_time()
    told: dict[str, float | str] = {}
    for step in range(steps):
        rate = run.rate * _schedule(settings, step / run.share)
        for group in optimizer.param_groups:
            group["lr"] = rate
        inputs, targets = (part.to(device) for part in data.batch(step, settings.batch))
        with torch.autocast(device, torch.bfloat16):
            loss = model(inputs, targets).loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        if step + 1 in (round(0.9 * steps), steps):
            share = "final" if step + 1 == steps else "at_nine_tenths"
            spent = time.process_time()
            told |= {f"{share}_{k}": v for k, v in evaluate(model, run, device).items()}
            begin += time.process_time() - spent
    told["training_cpu_s"] = round(time.process_time() - begin, 1)
    sys.stderr.write(f"{run.key}: {told}\n")
    return {**told, **_circumstances(settings)}


def _optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(groups, betas=betas, eps=settings.epsilon, fused=True)


def _schedule(settings: Settings, step: float) -> float:
    """Share of the peak that `step` of the full training learns at."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    past = (step - settings.warmup) / (settings.steps - settings.warmup)
    final = settings.final_share
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * past))


@torch.no_grad()
def evaluate(model: nn.Module, run: Run, device: str) -> dict[str, float]:
    """Held-out loss, and the share of targets that are the likeliest."""
    model.eval()
    losses, hits = [], []
    for inputs, targets in load_reference(run.name).data(run.seed).held_out():
        with torch.autocast(device, torch.bfloat16):
            out = model(inputs.to(device), targets.to(device))
        losses.append(float(out.loss))
        hits.append(float((out.logits.argmax(-1).cpu() == targets).float().mean()))
    model.train()
    return {"loss": statistics.fmean(losses), "accuracy": statistics.fmean(hits)}


def _circumstances(settings: Settings) -> Result:
    return {
        "settings_sha256": _settings_hash(settings),
        "machine": platform.processor() or platform.machine(),
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
        figures[f"{stem}_cpu_s"] = Figure(float(result["training_cpu_s"]) if result else None)
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
