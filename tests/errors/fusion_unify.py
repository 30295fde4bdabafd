"""Errors of zhufeng.fusion: families and unify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.errors.case import case
from zhufeng.fusion.families import read_settings
from zhufeng.fusion.unify import export, unify, verify
from zhufeng.models import Decoder, DecoderConfig, initialise, write_decoder

Patch = pytest.MonkeyPatch
FAMILIES = (
    "llama, PanguEmbedded, mistral, mixtral, qwen2, qwen3, qwen3_moe, hunyuan_v1_dense,"
    " hunyuan_v1_moe, glm, glm4, glm4_moe, deepseek_v3, iflytekspark"
)
LLAMA = {
    "model_type": "llama",
    "vocab_size": 8,
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
}


def ours(folder: Path, **switches: object) -> Path:
    plain = {"vocabulary": 8, "layers": 1, "width": 8, "heads": 1, "ff_width": 8}
    config = DecoderConfig(**{**plain, **switches})  # type: ignore[arg-type]
    model = Decoder(config)
    initialise(model, 0)
    folder.mkdir(exist_ok=True)
    write_decoder(folder, model)
    return folder


@case(
    "config.json is of a family that is not understood",
    f"'model_type' = {FAMILIES}",
    "'lama'",
    "write 'llama' if it is that",
)
def an_unknown_family(_: Path, __: Patch) -> None:
    read_settings({"model_type": "lama"}, "config.json")


@case(
    "config.json is not understood",
    "settings that are known of 'llama'",
    "'clip_qkv' = 8",
    "take a model that has not this, or say what it means in an issue",
)
def an_unknown_setting(_: Path, __: Patch) -> None:
    read_settings({**LLAMA, "clip_qkv": 8}, "config.json")


@case(
    "TMP has other tensors than its settings say",
    "model.embed_tokens.weight of shape [8, 8]",
    "no such tensor",
    "use the config.json that belongs to these weights",
)
def other_tensors(folder: Path, _: Patch) -> None:
    (folder / "config.json").write_text(json.dumps(LLAMA))
    save_file({"x": torch.zeros(2)}, folder / "model.safetensors")
    unify(folder, folder / "out")


@case(
    "TMP cannot be exported so",
    f"a family: {FAMILIES}",
    "none, and no origin.json that names one",
    "name one of these families",
)
def no_family(folder: Path, _: Patch) -> None:
    export(ours(folder), folder / "out")


@case(
    "TMP cannot be of the family 'mistral'",
    "'qkv_bias' = False, as this family has it",
    "True",
    f"export it as another family: {FAMILIES}",
)
def another_family(folder: Path, _: Patch) -> None:
    export(ours(folder, qkv_bias=True), folder / "out", "mistral")


@case(
    "TMP/spark cannot be verified",
    "a family that transformers has code for",
    "'iflytekspark'",
    "compare it with its own implementation",
)
def nobody_runs_it(folder: Path, _: Patch) -> None:
    settings = {
        "model_type": "iflytekspark",
        "vocab_size": 8,
        "hidden_size": 8,
        "ffn_hidden_size": 16,
        "num_layers": 1,
        "num_heads": 1,
    }
    (folder / "spark").mkdir()
    (folder / "spark" / "config.json").write_text(json.dumps(settings))
    verify(folder / "spark", folder)


@case(
    "TMP stands already",
    "a name that is free",
    "a folder",
    "name another folder, or remove it",
)
def a_folder_in_the_way(folder: Path, _: Patch) -> None:
    export(ours(folder), folder, "llama")
