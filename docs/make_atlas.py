"""Make docs/atlas.md: one training step of many models, side by side.

    python docs/make_atlas.py            # what docs/atlas.json lacks is captured; then the page

Published models are traced on the meta device (bf16 autocast, AdamW, one sequence of 4,096 tokens
or one picture): shapes, flops and bytes are exact, nothing is executed. The small frozen
references are trained for a while and then captured with data, which tells zeros and bits.
Takes about twenty minutes of one core from nothing, goes on where it was killed, and captures a
model again only if its configuration or the code of `zhufeng.workload` has changed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import zhufeng.workload
from zhufeng.base import parse, sha256_file, sha256_json, to_json, write_durable
from zhufeng.models.reference import REFERENCES
from zhufeng.records import Point, Workload
from zhufeng.report import si
from zhufeng.training import TrainConfig, open_task, read_points, train
from zhufeng.workload import (
    FAMILIES,
    AtlasRow,
    Extent,
    GradientError,
    Subject,
    atlas_row,
    capture,
    join,
    subject_of_config,
)

DOCS = Path(__file__).parent
DATA, PAGE = DOCS / "atlas.json", DOCS / "atlas.md"
TOKENS = 4096
# Steps after which references are looked at, and how much each counts.
LEARNED_STEPS, LEARNED_POINTS = 120, (0.0, 0.5, 1.0)
LEARNED = ("gpt-gelu-small", "gpt-relu2-small", "cnn-small", "mlp-small")

Config = Mapping[str, Any]


def llama(*sizes: int) -> Config:
    """What Llama and its like call width, layers, heads, keys, inner width and vocabulary."""
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    return dict(zip((*names, "intermediate_size", "vocab_size"), sizes, strict=True))


def model(kind: str, *tables: Config, **more: Any) -> Config:
    """A Hugging Face configuration."""
    merged: dict[str, Any] = {"model_type": kind}
    for table in tables:
        merged |= table
    return merged | more


TIED = {"tie_word_embeddings": True}
# Sizes as in each model's published config.json (huggingface.co, by the names given); what is not
# said here is transformers' default for the family.
MODELS: Mapping[str, Config] = {
    "gpt2": model("gpt2"),
    "gpt2-xl": model("gpt2", n_embd=1600, n_layer=48, n_head=25),
    "opt-6.7b": model(
        "opt",
        hidden_size=4096,
        ffn_dim=16_384,
        num_hidden_layers=32,
        num_attention_heads=32,
        word_embed_proj_dim=4096,
        max_position_embeddings=TOKENS,
    ),
    "pythia-6.9b": model(
        "gpt_neox",
        hidden_size=4096,
        intermediate_size=16_384,
        num_hidden_layers=32,
        num_attention_heads=32,
        vocab_size=50_432,
    ),
    "llama-2-7b": model("llama", llama(4096, 32, 32, 32, 11_008, 32_000)),
    "llama-2-70b": model("llama", llama(8192, 80, 64, 8, 28_672, 32_000)),
    "llama-3.2-1b": model("llama", llama(2048, 16, 32, 8, 8192, 128_256), TIED),
    "llama-3.1-8b": model("llama", llama(4096, 32, 32, 8, 14_336, 128_256)),
    "llama-3.1-70b": model("llama", llama(8192, 80, 64, 8, 28_672, 128_256)),
    "llama-3.1-405b": model("llama", llama(16_384, 126, 128, 8, 53_248, 128_256)),
    "mistral-7b": model("mistral", llama(4096, 32, 32, 8, 14_336, 32_000), sliding_window=TOKENS),
    "mixtral-8x7b": model("mixtral", llama(4096, 32, 32, 8, 14_336, 32_000)),
    "mixtral-8x22b": model("mixtral", llama(6144, 56, 48, 8, 16_384, 32_000)),
    "qwen2.5-0.5b": model("qwen2", llama(896, 24, 14, 2, 4864, 151_936), TIED),
    "qwen2.5-7b": model("qwen2", llama(3584, 28, 28, 4, 18_944, 152_064)),
    "qwen2.5-72b": model("qwen2", llama(8192, 80, 64, 8, 29_568, 152_064)),
    "qwen3-0.6b": model("qwen3", llama(1024, 28, 16, 8, 3072, 151_936), TIED, head_dim=128),
    "qwen3-8b": model("qwen3", llama(4096, 36, 32, 8, 12_288, 151_936), head_dim=128),
    "qwen3-32b": model("qwen3", llama(5120, 64, 64, 8, 25_600, 151_936), head_dim=128),
    "qwen3-30b-a3b": model(
        "qwen3_moe",
        llama(2048, 48, 32, 4, 6144, 151_936),
        head_dim=128,
        num_experts=128,
        num_experts_per_tok=8,
        moe_intermediate_size=768,
    ),
    "qwen3-235b-a22b": model(
        "qwen3_moe",
        llama(4096, 94, 64, 4, 12_288, 151_936),
        head_dim=128,
        num_experts=128,
        num_experts_per_tok=8,
        moe_intermediate_size=1536,
    ),
    "glm-4-9b": model("glm4", llama(4096, 40, 32, 2, 13_696, 151_552), head_dim=128),
    "glm-4.5-air": model(
        "glm4_moe",
        llama(4096, 46, 96, 8, 10_944, 151_552),
        head_dim=128,
        n_routed_experts=128,
        num_experts_per_tok=8,
        n_shared_experts=1,
        moe_intermediate_size=1408,
        first_k_dense_replace=1,
    ),
    "hunyuan-7b": model("hunyuan_v1_dense", llama(4096, 32, 32, 8, 14_336, 128_167), head_dim=128),
    "deepseek-v3": model("deepseek_v3"),
    "gemma-2-9b": model("gemma2", llama(3584, 42, 16, 8, 14_336, 256_000), head_dim=256),
    "gemma-3-1b": model("gemma3_text", llama(1152, 26, 4, 1, 6912, 262_144), head_dim=256),
    "phi-3-mini": model("phi3", llama(3072, 32, 32, 32, 8192, 32_064)),
    "olmo-2-7b": model("olmo2", llama(4096, 32, 32, 32, 11_008, 100_352)),
    "starcoder2-7b": model("starcoder2", llama(4608, 32, 36, 4, 18_432, 49_152)),
    "gpt-oss-20b": model(
        "gpt_oss",
        llama(2880, 24, 64, 8, 2880, 201_088),
        head_dim=64,
        num_local_experts=32,
        num_experts_per_tok=4,
    ),
    "bert-base": model("bert", architectures=["BertForMaskedLM"]),
    "vit-base": model("vit", architectures=["ViTForImageClassification"]),
    "vit-large": model(
        "vit",
        architectures=["ViTForImageClassification"],
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
    ),
    "resnet-50": model("resnet", architectures=["ResNetForImageClassification"]),
    "convnext-tiny": model("convnext", architectures=["ConvNextForImageClassification"]),
}
# Not a training step: a prompt, and one more token after it.
OTHER_MODES = (("llama-3.1-8b", "prefill"), ("llama-3.1-8b", "decode"))


def published(name: str, config: Config, mode: str = "train") -> AtlasRow:
    """One model on the meta device."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.json"
        path.write_text(json.dumps(config))
        tokens = min(TOKENS, int(config.get("max_position_embeddings", TOKENS)))
        if config["model_type"] in ("gpt2", "bert"):
            tokens = {"gpt2": 1024, "bert": 512}[config["model_type"]]
        extent = Extent(1, tokens, mode, meta=True)  # type: ignore[arg-type]
        subject = subject_of_config(path, (), extent)
        with torch.autocast("cpu", torch.bfloat16):
            small = None
            if subject.small is not None and mode == "train":
                small = checked_twin(name, subject.small)
            optimizer = torch.optim.AdamW(subject.model.parameters()) if mode == "train" else None
            workload = capture(
                subject.model, subject.batch, optimizer, extent.mode, name=name, small=small
            )
    if workload.uncounted:
        sys.stderr.write(f"{name}: not counted: {workload.uncounted}\n")
    return atlas_row(workload)


def checked_twin(name: str, make: Callable[[], Subject]) -> Workload | None:
    """The small twin's capture; None, said on stderr, where the family has none that runs."""
    try:
        twin = make()
        return capture(twin.model, twin.batch, torch.optim.AdamW(twin.model.parameters()))
    except GradientError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a family makes of sizes it never saw)
        sys.stderr.write(f"{name}: not checked: {error}\n")
        return None


def learned(name: str) -> AtlasRow:
    """A reference with data, at points of a short training."""
    config = TrainConfig(reference=name, steps=LEARNED_STEPS, keep=LEARNED_POINTS, precision="bf16")
    task, schedule = open_task(config, (), 0)
    with tempfile.TemporaryDirectory() as folder:
        train(task, schedule, Path(folder), 0)
        points = read_points(Path(folder))
        workloads = []
        for point in points:
            optimizer = torch.optim.AdamW(point.model.parameters())
            with torch.autocast("cpu", torch.bfloat16):
                workloads.append(capture(point.model, point.batch, optimizer, name=name))
    return atlas_row(join(workloads, [Point(name=f"step {point.step}") for point in points]))


def code_hash() -> str:
    """Of everything that a row follows from beside its configuration."""
    folder = Path(zhufeng.workload.__file__).parent
    # These judge it or tell it, and change nothing of it.
    told = {"__init__.py", "_check.py", "_section.py", "_timeline.py"}
    files = sorted(path for path in folder.rglob("*.py") if path.name not in told)
    return sha256_json([sha256_file(path, remember=False) for path in files])


def rows() -> list[AtlasRow]:
    """All of them; those that stand in the data file as they are."""
    kept = json.loads(DATA.read_text()) if DATA.exists() else {}
    code = code_hash()
    wanted: dict[str, tuple[Any, Any]] = {
        sha256_json([name, "train", {**config}, code]): (
            name,
            lambda n=name, c=config: published(n, c),
        )
        for name, config in MODELS.items()
    }
    for name, mode in OTHER_MODES:
        key = sha256_json([name, mode, {**MODELS[name]}, code])
        wanted[key] = (name, lambda n=name, m=mode: published(n, MODELS[n], m))
    for name in LEARNED:
        key = sha256_json([name, to_json(REFERENCES[name]), LEARNED_STEPS, LEARNED_POINTS, code])
        wanted[key] = (name, lambda n=name: learned(n))
    for key, (name, make) in wanted.items():
        if key not in kept:
            sys.stderr.write(f"{name}\n")
            kept[key] = to_json(make())
            write_durable(DATA, json.dumps(kept, indent=1).encode() + b"\n")
    kept = {key: kept[key] for key in wanted}
    write_durable(DATA, json.dumps(kept, indent=1).encode() + b"\n")
    return [parse(AtlasRow, row, "atlas.json") for row in kept.values()]


def table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---", *("---:" for _ in columns[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (columns, rule, *lines))


def percent(value: float | None) -> str:
    """A share; nothing for nothing."""
    return f"{value:.1%}" if value else ""


def page(every: Sequence[AtlasRow]) -> str:
    """The document."""
    traced = [row for row in every if not row.zeros]
    executed = [row for row in every if row.zeros]
    checked = sum(row.gradients == "checked_small" for row in traced if row.mode == "train")
    steps = sum(row.mode == "train" for row in traced)
    heads = [
        [
            row.model + ("" if row.mode == "train" else f", {row.mode}"),
            f"{row.sequence:,}" if row.sequence else "",
            si(row.parameters),
            si(row.flops),
            si(row.bytes),
            f"{row.flops / row.bytes:.0f}",
            *(percent(row.flops_share.get(name)) for name in FAMILIES),
        ]
        for row in traced
    ]
    traffic = [
        [
            row.model + ("" if row.mode == "train" else f", {row.mode}"),
            *(percent(row.bytes_share.get(name)) for name in FAMILIES),
        ]
        for row in traced
    ]
    sides = [f"{role} {side}" for role in ("forward", "input_gradient", "weight_gradient")
             for side in ("left", "right")]  # fmt: skip
    operands = [
        [row.model, side.replace("_", " "), percent(row.zeros[side]) or "0",
         percent(row.skippable.get(side.split()[0])) or "0", f"{row.bits_needed[side]:.1f}"]
        for row in executed for side in sides if side in row.zeros
    ]  # fmt: skip
    return TEXT.format(
        models=len({row.model for row in every}),
        steps=steps,
        checked=checked,
        tokens=f"{TOKENS:,}",
        flops=table(["model", "tokens", "parameters", "flops", "bytes", "flops a byte", *FAMILIES],
                    heads),
        bytes=table(["model", *FAMILIES], traffic),
        learned_steps=LEARNED_STEPS,
        operands=table(["model", "operand", "zeros", "tile pairs to skip", "bits for 1%"],
                       operands),
        finding=finding(traced, executed),
    )  # fmt: skip


def finding(traced: Sequence[AtlasRow], executed: Sequence[AtlasRow]) -> str:
    """What the figures say, with the figures."""
    trained = [row for row in traced if row.mode == "train"]
    products = sorted(row.flops_in_products for row in trained)
    update = sorted(row.bytes_share.get("update", 0.0) for row in trained)
    loose = sorted(
        row.bytes_share.get("elementwise", 0.0)
        + row.bytes_share.get("movement", 0.0)
        + row.bytes_share.get("softmax and norms", 0.0)
        for row in trained
    )
    bits = [bits for row in executed for bits in row.bits_needed.values()]
    middle = len(trained) // 2
    return FINDING.format(
        least=f"{products[0]:.1%}",
        most=f"{products[-1]:.1%}",
        median=f"{products[middle]:.1%}",
        loose=f"{loose[0]:.0%} to {loose[-1]:.0%} of the bytes (median {loose[middle]:.0%})",
        update=f"{update[0]:.0%} to {update[-1]:.0%}",
        bits=f"{min(bits):.1f} to {max(bits):.1f} bits",
    )


FINDING = """\
- Matrix products are {least} to {most} of a training step's flops (median {median}).
- Counted as if nothing stayed on the chip, elementwise work, movement, softmax and norms are
  {loose}, and the optimizer's update {update}: what a chip keeps and
  fuses decides as much as its peak.
- Blocks of 16 with a shared exponent need {bits} on average for an error of 1% of a block,
  whatever the role; ReLU's zeros are everywhere but fill no tiles, the causal mask's do."""


TEXT = """# The atlas

One step of {models} models as what it asks of hardware, side by side: where flops and bytes, zeros
and needed bits lie. Made by `python docs/make_atlas.py`; the figures are in
[atlas.json](atlas.json). How a step is captured and what is counted:
[workload.md](workload.md).

{finding}

## Published models

On the meta device: one sequence of {tokens} tokens (fewer where the model takes fewer, a picture
where it reads pictures), bf16 autocast, AdamW. Nothing is executed; of {steps} training steps
{checked} had their gradients checked on a small twin of the same class. Bytes count every operand
read and every result written, as if nothing stayed on the chip.

### Flops, by sort of work

{flops}

### Bytes, by sort of work

{bytes}

## With data

The small [references](references.md) in bf16, at the start, the middle and the end of
{learned_steps} steps of training, each point counting a third. Operands of matrix products, by
flops: exact zeros, pairs of 16x16 tiles of which one is all zero, and the mean width that blocks of
16 elements with a shared exponent need to stay within 1% of the block.

{operands}
"""


if __name__ == "__main__":
    write_durable(PAGE, page(rows()).encode())
