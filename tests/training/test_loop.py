"""The loop: its arithmetic against NumPy, its bits, and what it reaches on a pinned text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from tests.training.tasks import END, configured, english, token_task
from zhufeng.base import files_below
from zhufeng.models import DecoderConfig, read_decoder
from zhufeng.training import (
    MODEL,
    POINTS,
    Schedule,
    TrainConfig,
    evaluate,
    learning_rate,
    open_task,
    read_metrics,
    train,
)

Array = NDArray[np.float64]
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@dataclass
class Output:
    logits: Tensor
    loss: Tensor | None


class Linear(nn.Module):
    """A linear classifier in fp64 with bias, so that there is something not to decay."""

    def __init__(self) -> None:
        super().__init__()
        drawn = np.random.default_rng(0)
        self.matrix = nn.Parameter(torch.from_numpy(drawn.normal(size=(4, 3))))
        self.bias = nn.Parameter(torch.from_numpy(drawn.normal(size=3)))

    def forward(self, inputs: Tensor, targets: Tensor | None = None) -> Output:
        logits = inputs @ self.matrix + self.bias
        return Output(
            logits, None if targets is None else functional.cross_entropy(logits, targets)
        )


class LinearTask:
    """Points from a stream of the step's."""

    def __init__(self, schedule: Schedule) -> None:
        self.size = schedule.batch // schedule.micro_batches
        self.whole = schedule.batch

    def build(self) -> nn.Module:
        return Linear()

    def arrays(self, step: int) -> tuple[Array, NDArray[np.int64]]:
        drawn = np.random.default_rng(step)
        return drawn.normal(size=(self.whole, 4)), drawn.integers(0, 3, self.whole)

    def batch(self, step: int, micro: int) -> tuple[Tensor, Tensor]:
        part = slice(micro * self.size, (micro + 1) * self.size)
        inputs, targets = self.arrays(step)
        return torch.from_numpy(inputs[part]), torch.from_numpy(targets[part])

    def held_out(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(())

    def text_bytes(self, targets: Tensor) -> float | None:
        return None

    def save(self, folder: Path, model: nn.Module) -> None:
        weights: dict[str, Any] = {k: v.detach() for k, v in model.named_parameters()}
        np.savez(folder / "w.npz", **weights)


def adamw_by_numpy(schedule: Schedule) -> tuple[Array, Array, list[float], list[float]]:
    """Decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2) with a cosine, by hand."""
    drawn = np.random.default_rng(0)
    matrix, bias = drawn.normal(size=(4, 3)), drawn.normal(size=3)
    task, s = LinearTask(schedule), schedule
    moments = [[np.zeros_like(p), np.zeros_like(p)] for p in (matrix, bias)]
    losses, norms = [], []
    for step in range(s.steps):
        inputs, targets = task.arrays(step)
        logits = inputs @ matrix + bias
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        losses.append(float(-np.log(shares[np.arange(s.batch), targets]).mean()))
        error = (shares - np.eye(3)[targets]) / s.batch
        gradients = [inputs.T @ error, error.sum(0)]
        norms.append(math.sqrt(sum((g**2).sum() for g in gradients)))
        shrink = min(1.0, s.clip / (norms[-1] + 1e-6)) if s.clip else 1.0
        rise = (step + 1) / s.warmup if step < s.warmup else 1.0
        turn = max(0, step - s.warmup) / (s.steps - s.warmup) * math.pi
        rate = s.learning_rate * rise
        if step >= s.warmup:
            rate *= s.final_share + (1 - s.final_share) * (1 + math.cos(turn)) / 2
        for p, g, m, decay in zip(
            (matrix, bias), gradients, moments, (s.weight_decay, 0.0), strict=True
        ):
            m[0] = s.beta1 * m[0] + (1 - s.beta1) * shrink * g
            m[1] = s.beta2 * m[1] + (1 - s.beta2) * (shrink * g) ** 2
            first, second = m[0] / (1 - s.beta1 ** (step + 1)), m[1] / (1 - s.beta2 ** (step + 1))
            p[...] -= rate * decay * p + rate * first / (np.sqrt(second) + s.epsilon)
    return matrix, bias, losses, norms


@pytest.mark.parametrize("micro_batches", [1, 4])
@pytest.mark.parametrize("clip", [0.0, 0.3])
def test_adamw_and_cosine_are_those_of_a_computation_by_hand(
    tmp_path: Path, micro_batches: int, clip: float
) -> None:
    schedule = Schedule(
        steps=40,
        batch=8,
        micro_batches=micro_batches,
        learning_rate=0.05,
        warmup=5,
        weight_decay=0.2,
        clip=clip,
        evaluate_every=40,
        checkpoint_every=40,
    )
    summary = train(LinearTask(schedule), schedule, tmp_path, 0)
    matrix, bias, losses, norms = adamw_by_numpy(schedule)
    found = np.load(tmp_path / MODEL / "w.npz")
    lines = read_metrics(tmp_path)
    np.testing.assert_allclose(found["matrix"], matrix, rtol=1e-9)
    np.testing.assert_allclose(found["bias"], bias, rtol=1e-9)
    assert [line["loss"] for line in lines] == pytest.approx(losses, rel=1e-9)
    assert [line["gradient_norm"] for line in lines] == pytest.approx(norms, rel=1e-9)
    assert summary.held_out_loss is None
    assert summary.targets == 40 * 8


def test_the_learning_rate_rises_and_falls() -> None:
    schedule = configured(steps=100, warmup=10, final_share=0.2).schedule()
    rates = [learning_rate(schedule, step) / schedule.learning_rate for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.6)
    assert rates[99] == pytest.approx(0.2, abs=1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def trained(tmp_path: Path, name: str, seed: int = 1, **keys: Any) -> dict[str, bytes]:
    """Every file of a small training."""
    task, schedule = token_task(tmp_path / "shards", configured(**keys), seed)
    folder = tmp_path / name
    folder.mkdir()
    train(task, schedule, folder, seed)
    return {file: (folder / file).read_bytes() for file in files_below(folder)}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_one_seed_repeats_to_the_bit_and_two_differ(tmp_path: Path, precision: str) -> None:
    keys: dict[str, Any] = {"precision": precision, "keep": (0.0, 1.0)}
    first = trained(tmp_path, "1", **keys)
    assert trained(tmp_path, "2", **keys) == first
    other = trained(tmp_path, "3", seed=2, **keys)
    assert first.keys() == other.keys()
    for name in ("model/model.safetensors", "points/step-00000000/model.safetensors"):
        assert first[name] != other[name]


def test_what_the_process_did_before_does_not_matter(tmp_path: Path) -> None:
    first = trained(tmp_path, "1")
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert trained(tmp_path, "2") == first
    assert torch.equal(before, torch.get_rng_state())


def test_precision_and_formats_change_what_they_should(tmp_path: Path) -> None:
    plain = trained(tmp_path, "1")
    assert trained(tmp_path, "2", checkpoint_format="distributed") == plain
    assert trained(tmp_path, "3", checkpoint_every=1) == plain
    bf16 = trained(tmp_path, "4", precision="bf16")
    assert bf16["model/model.safetensors"] != plain["model/model.safetensors"]
    weights = load_file(tmp_path / "4" / MODEL / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    losses = [read_metrics(tmp_path / n)[-1]["held_out_loss"] or 0 for n in ("1", "4")]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_accumulated_gradients_are_the_whole_batchs(tmp_path: Path) -> None:
    for micro_batches in (1, 4):
        trained(tmp_path, str(micro_batches), micro_batches=micro_batches, batch=8)
    whole, parts = (load_file(tmp_path / n / MODEL / "model.safetensors") for n in ("1", "4"))
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-3, atol=1e-5)
    one, four = (read_metrics(tmp_path / n) for n in ("1", "4"))
    for line, other in zip(one, four, strict=True):
        assert line == pytest.approx(other, rel=1e-4)


def test_points_are_kept_with_their_weights(tmp_path: Path) -> None:
    files = trained(tmp_path, "run", keep=(0.0, 0.5, 1.0))
    names = [f"{POINTS}/step-{step:08d}/model.safetensors" for step in (0, 3, 6)]
    assert [name for name in files if name.startswith(POINTS) and "model.s" in name] == names
    task, _ = token_task(tmp_path / "shards", configured())
    start = read_decoder(tmp_path / "run" / POINTS / "step-00000000")
    for name, parameter in task.build().named_parameters():
        assert torch.equal(parameter, dict(start.named_parameters())[name])
    assert files[names[2]] == files["model/model.safetensors"]
    assert files[names[1]] != files[names[2]]


def test_a_reference_with_running_statistics_trains(tmp_path: Path) -> None:
    task, schedule = open_task(TrainConfig(reference="cnn-small", steps=2, batch=4), [], 0)
    held_out = list(task.held_out())[:1]
    task.held_out = lambda: iter(held_out)  # type: ignore[method-assign]
    summary = train(task, schedule, tmp_path, 0)
    assert summary.bits_per_byte is None
    assert summary.held_out_loss
    assert (tmp_path / MODEL / "reference.json").exists()


def bits_by_hand(model: nn.Module, tokens: list[int], sequence: int) -> float:
    """Bits a byte of `tokens` in windows of their own, one at a time and in fp64."""
    nats, text_bytes = 0.0, 0
    for begin in range(0, len(tokens) - 1, sequence):
        window = tokens[begin : begin + sequence + 1]
        logits = model(torch.tensor([window[:-1]])).logits[0].detach().double().numpy()
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        nats -= float(np.log(shares[np.arange(len(window) - 1), window[1:]]).sum())
        text_bytes += sum(token != END for token in window[1:])
    return nats / math.log(2) / text_bytes


def test_held_out_text_falls_below_what_its_bytes_frequencies_tell(tmp_path: Path) -> None:
    """The truth is the held-out text's own: no model that ignores context is below its entropy."""
    model = DecoderConfig(vocabulary=257, layers=2, width=64, heads=2, ff_width=192)
    config = configured(
        model=model, steps=150, batch=8, sequence=64, learning_rate=1e-2, held_out=0.1, warmup=10
    )
    task, schedule = token_task(tmp_path / "shards", config)
    (tmp_path / "run").mkdir()
    summary = train(task, schedule, tmp_path / "run", 1)
    whole = [token for document in english() for token in (*document, END)]
    held_out = whole[task.learned :]
    counts = Counter(held_out[1:])
    shares = [count / counts.total() for count in counts.values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    bits = [line["bits_per_byte"] or 0 for line in read_metrics(tmp_path / "run") if len(line) == 3]
    assert bits[0] == pytest.approx(8, abs=0.3)  # of 257 tokens, nothing learned yet
    assert bits[-1] < entropy
    assert summary.bits_per_byte == bits[-1]
    by_hand = bits_by_hand(read_decoder(tmp_path / "run" / MODEL), held_out, 64)
    assert summary.bits_per_byte == pytest.approx(by_hand, rel=1e-5)


def test_evaluation_leaves_the_model_in_training_and_without_gradients(tmp_path: Path) -> None:
    task, _ = token_task(tmp_path / "shards", configured())
    model = task.build()
    first, second = evaluate(model, task, "cpu"), evaluate(model, task, "cpu")
    assert first == second
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


@CUDA
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_cuda_repeats_to_the_bit_and_agrees_with_the_cpu(tmp_path: Path, precision: str) -> None:
    keys: dict[str, Any] = {"precision": precision, "device": "cuda"}
    assert trained(tmp_path, "1", **keys) == trained(tmp_path, "2", **keys)
    trained(tmp_path, "cpu", precision=precision)
    losses = [read_metrics(tmp_path / n)[-1]["held_out_loss"] for n in ("1", "cpu")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_on_the_pinned_text_of_the_references_bits_a_byte_fall(tmp_path: Path) -> None:
    """From 8 bits to below the entropy of that text's own bytes, in a twentieth of its steps."""
    config = TrainConfig(reference="gpt-gelu-small", steps=80, evaluate_every=80)
    task, schedule = open_task(config, (), 0)
    train(task, schedule, tmp_path, 0)
    counts: Counter[int] = Counter()
    for _, targets in task.held_out():
        counts.update(targets.flatten().tolist())
    shares = [count / counts.total() for count in counts.values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    first, last = (
        line["bits_per_byte"] or 0 for line in read_metrics(tmp_path) if "bits_per_byte" in line
    )
    assert first == pytest.approx(8, abs=0.3)
    assert last < entropy - 0.5
