"""What `zhufeng trace` is given, end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from zhufeng.cli import main
from zhufeng.models import DECODER, Decoder, DecoderConfig, MoeConfig, initialise, write_decoder
from zhufeng.records import read_workload
from zhufeng.workload import Extent, capture, subject_of_config, subject_of_function
from zhufeng.workload._shrink import shrunk_decoder

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 64,
}
CODE = """
import torch

class Net(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = torch.nn.Linear(8, width)

    def forward(self, x):
        return self.layer(x).square().mean()

def make(small=False):
    return Net(4 if small else 16), (torch.ones(3, 8),)
"""


def trace(*arguments: str | Path) -> int:
    return main(["trace", *map(str, arguments)])


def test_a_config_with_weights_is_traced_into_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = transformers.LlamaConfig(**{k: v for k, v in LLAMA.items() if k != "model_type"})
    torch.manual_seed(3)
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(tmp_path / "tiny")
    run = tmp_path / "run"
    flags = ("--batch", "2", "--seq", "16", "--json")
    assert trace(tmp_path / "tiny", "-o", run, *flags) == 0
    workload = read_workload(run / "trace")
    assert (workload.model, workload.batch, workload.sequence) == ("tiny", 2, 16)
    assert workload.gradients == "checked"
    assert (run / "trace" / "timeline.json.gz").exists()
    assert "Workload" in (run / "index.html").read_text()
    # The weights that were multiplied are those of the folder.
    product = next(g for g in workload.gemms if g.right.tensor == "lm_head.weight")
    tiles = workload.arrays[str(product.right.tiles)].view("f4")
    real = model.lm_head.weight.detach().numpy()
    every = {
        real[r : r + 16, c : c + 16].tobytes() for r in range(0, 64, 16) for c in range(0, 32, 16)
    }
    assert all(tile.tobytes() in every for tile in tiles)
    # Again, and nothing is done; with another batch, it is refused.
    capsys.readouterr()
    assert trace(tmp_path / "tiny", "-o", run, *flags) == 0
    assert json.loads(capsys.readouterr().out)["stages"][0]["did"] == "nothing"
    assert trace(tmp_path / "tiny", "-o", run, "--batch", "3", "--seq", "16") == 2


def test_a_model_that_fits_no_machine_is_traced_on_meta(tmp_path: Path) -> None:
    big = {**LLAMA, "hidden_size": 16_384, "num_attention_heads": 128, "num_key_value_heads": 8}
    big |= {"intermediate_size": 53_248, "vocab_size": 128_256}
    (tmp_path / "big.json").write_text(json.dumps(big))
    arguments = ("-o", tmp_path / "run", "--meta", "--seq", "8192", "--precision", "bf16")
    assert trace(tmp_path / "big.json", *arguments) == 0
    workload = read_workload(tmp_path / "run" / "trace")
    assert workload.gradients == "checked_small"
    width, ff, tokens, vocabulary = 16_384, 53_248, 8192, 128_256
    layer = tokens * width * (2 * width + 2 * 8 * 128 + 3 * ff) + 2 * tokens**2 * width
    products = 3 * 2 * (layer + tokens * width * vocabulary)
    assert sum(gemm.flops for gemm in workload.gemms) == products
    assert workload.arrays == {}


def test_a_function_is_called_for_its_module_and_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net_of_tests.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    assert trace("net_of_tests:make", "-o", tmp_path / "run") == 0
    workload = read_workload(tmp_path / "run" / "trace")
    assert [(g.m, g.n, g.k) for g in workload.gemms if g.role == "forward"] == [(3, 16, 8)]
    # Its code is an input: changed, the trace is stale.
    (tmp_path / "net_of_tests.py").write_text(CODE.replace("16", "24"))
    assert main(["status", str(tmp_path / "run")]) == 1


def test_a_function_may_give_a_small_one_for_the_check(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(CODE)
    subject = subject_of_function("make", tmp_path / "net.py", Extent(meta=True))
    assert next(subject.model.parameters()).device.type == "meta"
    assert subject.small is not None
    small = subject.small()
    assert capture(small.model, small.batch).gradients == "checked"


@pytest.mark.parametrize("mode", ["train", "prefill", "decode"])
def test_a_decoders_folder_in_every_mode(tmp_path: Path, mode: Any) -> None:
    config = DecoderConfig(vocabulary=32, layers=1, width=16, heads=2, ff_width=24)
    model = Decoder(config)
    initialise(model, 0)
    (tmp_path / "mine").mkdir()
    write_decoder(tmp_path / "mine", model)
    assert trace(tmp_path / "mine", "-o", tmp_path / "run", "--seq", "8", "--mode", mode) == 0
    assert read_workload(tmp_path / "run" / "trace").mode == mode


def test_pictures_are_drawn_for_what_reads_pictures(tmp_path: Path) -> None:
    config = {
        "model_type": "vit",
        "architectures": ["ViTForImageClassification"],
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 16,
    }
    (tmp_path / "vit.json").write_text(json.dumps(config))
    subject = subject_of_config(tmp_path / "vit.json", (), Extent(batch=2))
    assert capture(subject.model, subject.batch).gradients == "checked"


FAMILIES: dict[str, dict[str, Any]] = {
    "qwen3": {"num_key_value_heads": 8, "num_attention_heads": 64, "head_dim": 128},
    "glm4": {"num_key_value_heads": 2, "num_attention_heads": 32, "head_dim": 128},
    "qwen3_moe": {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768},
    "deepseek_v3": {},
    "gpt2": {},
    "gemma2": {},
    "mixtral": {},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_large_config_has_a_small_twin_that_is_checked(tmp_path: Path, family: str) -> None:
    table = {"model_type": family, **FAMILIES[family]}
    (tmp_path / "large.json").write_text(json.dumps(table))
    subject = subject_of_config(tmp_path / "large.json", (), Extent(meta=True, sequence=16))
    assert subject.small is not None
    small = subject.small()
    assert sum(p.numel() for p in small.model.parameters()) < 1_000_000
    kinds = {type(m).__name__ for m in subject.model.modules()} - {"Dropout", "Identity"}
    assert kinds <= {type(m).__name__ for m in small.model.modules()} | {"Dropout"}
    assert capture(small.model, small.batch).gradients == "checked"


def test_a_decoders_twin_keeps_its_switches() -> None:
    config = DecoderConfig(
        vocabulary=100_000,
        layers=80,
        width=8192,
        heads=64,
        kv_heads=8,
        ff_width=28_672,
        window=4096,
        qk_norm="before_rotary",
        moe=MoeConfig(experts=128, active=8, ff_width=1024, shared_ff_width=2048),
    )
    small = shrunk_decoder(config)
    assert small.qk_norm == config.qk_norm
    assert small.window
    assert small.moe
    assert small.moe.shared_ff_width
    assert small.keys < small.heads
    model = Decoder(small)
    initialise(model, 0)
    x = torch.randint(0, small.vocabulary, (2, 16))
    assert isinstance(model, nn.Module)
    assert capture(model, (x, x)).gradients == "checked"


def test_a_decoders_config_alone_will_do(tmp_path: Path) -> None:
    config = DecoderConfig(vocabulary=32, layers=1, width=16, heads=2, ff_width=24)
    DECODER.write_json(tmp_path / "d.json", config)
    assert trace(tmp_path / "d.json", "-o", tmp_path / "run", "--seq", "8") == 0
