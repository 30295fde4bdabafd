"""How exact, how complete and how costly it is to capture a training step.

- recording_overhead: CPU time of the step that is recorded, every operand's statistics with it,
  over that of the plain step (fused attention, foreach AdamW), side by side; the largest of the
  models' medians. recording_overhead_MODEL are the medians.
- capture_overhead: the same for a whole `capture`: tracing, the recorded step and eager's own.
- meta_405b_s, meta_405b_gb: a Llama-3-405B-shaped decoder (126 layers, bf16 autocast, AdamW) at
  sequence 8,192 on the meta device, in a process of its own: wall time from the first import to the
  workload, its small twin's check with it, and the process's peak memory.
- worst_gradient_error: the largest relative error of a parameter's gradient, captured against
  eager, fp32, over all captures of this run.
- flops_error_pct: the largest deviation of the matrix products' flops from the closed formula of
  the architecture, over all transformers captured here, the 405B among them.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from harness import Figure, cpu_s, main, ratios
from zhufeng.models import Decoder, DecoderConfig, MoeConfig, initialise
from zhufeng.models.reference import load_reference
from zhufeng.records import Workload
from zhufeng.workload import capture, products_flops, record_step, trace_step

LLAMA_405B = DecoderConfig(
    vocabulary=128_256,
    layers=126,
    width=16_384,
    heads=128,
    kv_heads=8,
    ff_width=53_248,
    rotary_base=500_000.0,
)
TOKENS_405B = 8192
GPT = DecoderConfig(
    vocabulary=8192,
    layers=6,
    width=512,
    heads=8,
    ff_width=2048,
    norm="layer",
    activation="relu2",
    gated=False,
)


@dataclass(frozen=True)
class Case:
    """A module, its batch, and the flops of its products in one training step."""

    model: nn.Module
    batch: Any
    flops: int | None = None

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """A fresh AdamW."""
        return torch.optim.AdamW(self.model.parameters())


def training_flops(config: DecoderConfig, batch: int, tokens: int) -> int:
    """Of a step's matrix products: a forward pass and the gradients of both of its operands."""
    rows = batch * tokens
    projections = config.width * config.per_head * 2 * (config.heads + config.keys)
    matrices = 3 if config.gated else 2
    inner = matrices * config.width * config.ff_width
    if config.moe:
        routed = config.moe.active * config.moe.ff_width + config.moe.shared_ff_width
        inner = config.width * (config.moe.experts + matrices * routed)
    attention = 2 * batch * config.heads * tokens**2 * config.per_head
    layer = rows * (projections + inner) + attention
    return 3 * 2 * (config.layers * layer + rows * config.width * config.vocabulary)


def decoder(config: DecoderConfig, batch: int, tokens: int, seed: int) -> Case:
    """A decoder of `models` on random tokens."""
    model = Decoder(config)
    initialise(model, seed)
    stream = torch.Generator().manual_seed(seed)
    x = torch.randint(0, config.vocabulary, (batch, tokens), generator=stream)
    return Case(model, (x, x.roll(-1, 1)), training_flops(config, batch, tokens))


def reference(name: str, batch: int, seed: int) -> Case:
    """A frozen reference on its own data."""
    one = load_reference(name)
    return Case(one.build(seed), one.data(seed).batch(0, batch))


def hugging_face(family: str, seed: int, experts: str | None = None, **more: int) -> Case:
    """A tiny random model of a family, in fp32."""
    import transformers  # noqa: PLC0415 (slow to import, and the 405B needs none of it)

    batch, tokens, same = 2, 48, DecoderConfig(
        vocabulary=128, layers=2, width=64, heads=4, kv_heads=2, head_width=16, ff_width=96
    )  # fmt: skip
    torch.manual_seed(seed)
    config = getattr(transformers, f"{family}Config")(
        hidden_size=same.width,
        intermediate_size=same.ff_width,
        num_hidden_layers=same.layers,
        num_attention_heads=same.heads,
        num_key_value_heads=same.kv_heads,
        head_dim=same.per_head,
        vocab_size=same.vocabulary,
        pad_token_id=None,
        bos_token_id=0,
        eos_token_id=0,
        **more,
    )
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    if experts:
        model.set_experts_implementation(experts)
        same = replace(same, moe=MoeConfig(experts=4, active=2, ff_width=32))
    x = torch.randint(0, same.vocabulary, (batch, tokens))
    return Case(model.train(), {"input_ids": x, "labels": x}, training_flops(same, batch, tokens))


def exactness(seed: int) -> tuple[float, float]:
    """The worst relative gradient error, and the worst deviation of flops in percent."""
    tiny = DecoderConfig(vocabulary=257, layers=2, width=64, heads=4, kv_heads=2, ff_width=128)
    moe = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    gpt = replace(GPT, layers=2, width=64, ff_width=128, tied=True, activation="gelu")
    gpt = replace(gpt, qkv_bias=True, output_bias=True, ff_bias=True)
    cases: list[Case] = [
        *(hugging_face(family, seed) for family in ("Llama", "Qwen3", "Glm4", "HunYuanDenseV1")),
        *(hugging_face("Qwen3Moe", seed, how, **moe) for how in ("grouped_mm", "batched_mm")),
        decoder(tiny, 2, 48, seed),
        decoder(gpt, 2, 48, seed),
        decoder(replace(tiny, qk_norm="after_rotary", rotary_fraction=0.5, window=9), 2, 48, seed),
        decoder(
            replace(tiny, moe=MoeConfig(experts=4, active=2, ff_width=64, routing="sigmoid")),
            *(2, 48, seed),
        ),
        reference("cnn-small", 16, seed),
        reference("mlp-small", 16, seed),
    ]
    errors, deviations = [], []
    for case in cases:
        workload = capture(case.model, case.batch, case.optimizer)
        assert workload.gradient_error is not None
        errors.append(workload.gradient_error)
        if case.flops is not None:
            deviations.append(deviation_pct(workload, case.flops))
    return max(errors), max(deviations)


def deviation_pct(workload: Workload, formula: int) -> float:
    """How far the products' flops are from a formula, in percent."""
    return 100 * abs(products_flops(workload) - formula) / formula


def overheads(case: Case, repetitions: int, seed: int, *, bf16: bool) -> tuple[Figure, Figure]:
    """CPU time of a recorded step, and of a whole capture, over the plain step's."""
    model, batch, optimizer = case.model, case.batch, case.optimizer

    def plain() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss: Tensor = model(*batch).loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def whole() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            capture(model, batch, case.optimizer, seed=seed)

    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        step = trace_step(model, batch, case.optimizer)
    plain()
    record_step(step, seed)
    pairs = [(cpu_s(lambda: record_step(step, seed)), cpu_s(plain)) for _ in range(repetitions)]
    wholes = [(cpu_s(whole), cpu_s(plain)) for _ in range(max(1, repetitions // 7))]
    recorded, captured = (
        ratios(*(list(column) for column in zip(*rows, strict=True))) for rows in (pairs, wholes)
    )
    return recorded, captured


def recorded_cases(seed: int) -> dict[str, Callable[[], tuple[Case, bool]]]:
    """What the recording is timed on: in bf16 where the flag says so."""
    small = replace(GPT, layers=4, width=256, heads=4, ff_width=1024)
    llama = replace(
        GPT, norm="rms", activation="silu", gated=True, kv_heads=2, ff_width=1408, layers=4
    )
    experts = MoeConfig(experts=8, active=2, ff_width=512)
    return {
        "gpt": lambda: (decoder(GPT, 2, 512, seed), False),
        "gpt_narrow": lambda: (decoder(small, 4, 256, seed), False),
        "llama_bf16": lambda: (decoder(llama, 4, 512, seed), True),
        "moe": lambda: (decoder(replace(llama, moe=experts), 2, 512, seed), False),
        "cnn": lambda: (reference("cnn-base", 128, seed), False),
    }


def meta_405b() -> None:
    """Capture the 405B and print its figures; run in a process of its own."""
    begin = time.perf_counter()
    tiny = replace(LLAMA_405B, vocabulary=256, layers=2, width=64, heads=16, kv_heads=1)
    tiny = replace(tiny, ff_width=208)
    with torch.autocast("cpu", torch.bfloat16):
        small = decoder(tiny, 2, 32, 0)
        checked = capture(small.model, small.batch, small.optimizer)
        with torch.device("meta"):
            model = Decoder(LLAMA_405B)
            x = torch.empty(1, TOKENS_405B, dtype=torch.long)
        optimizer = torch.optim.AdamW(model.parameters())
        workload = capture(model, (x, x), optimizer, small=checked)
    assert workload.gradients == "checked_small"
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    formula = training_flops(LLAMA_405B, 1, TOKENS_405B)
    told = {
        "seconds": time.perf_counter() - begin,
        "gb": used / 1e9,
        "operations": len(workload.operations),
        "deviation_pct": deviation_pct(workload, formula),
    }
    sys.stdout.write(json.dumps(told) + "\n")


def measure_405b(repetitions: int) -> list[dict[str, float]]:
    """The figures of `meta_405b`, its start-up included in the seconds."""
    found = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, "--meta-405b"], check=True, capture_output=True, text=True
        )
        found.append({**json.loads(done.stdout), "seconds": time.perf_counter() - begin})
    return found


def measure(quick: bool, seed: int) -> Mapping[str, Figure]:
    """All figures."""
    meta = measure_405b(1 if quick else 3)
    error, deviation = exactness(seed)
    figures: dict[str, Figure] = {}
    wholes = []
    for name, make in recorded_cases(seed).items():
        case, bf16 = make()
        recorded, whole = overheads(case, 7 if quick else 15, seed, bf16=bf16)
        figures[f"recording_overhead_{name}"] = recorded
        wholes.append(whole)
    worst = max(figures.values(), key=lambda figure: figure.value or 0.0)
    seconds, gigabytes = ([one[key] for one in meta] for key in ("seconds", "gb"))
    return {
        "recording_overhead": worst,
        **figures,
        "capture_overhead": max(wholes, key=lambda figure: figure.value or 0.0),
        "meta_405b_s": Figure(max(seconds), min(seconds), max(seconds), len(seconds)),
        "meta_405b_gb": Figure(max(gigabytes), min(gigabytes), max(gigabytes), len(gigabytes)),
        "worst_gradient_error": Figure(error),
        "flops_error_pct": Figure(max(deviation, *(one["deviation_pct"] for one in meta))),
    }


if __name__ == "__main__":
    if "--meta-405b" in sys.argv:
        meta_405b()
    else:
        about = "Capturing a training step: cost, exactness, completeness"
        main("capture", about, measure, packages=("torch", "transformers"))
