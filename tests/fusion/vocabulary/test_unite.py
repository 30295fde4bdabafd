"""Whole folders on one vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from tests.fusion.mix.tiny import byte_level
from zhufeng.base import InputError
from zhufeng.fusion.merge import Recipe, Source, plan
from zhufeng.fusion.unify import export, unify
from zhufeng.fusion.vocabulary import read_vocabulary, unite
from zhufeng.models import Decoder, DecoderConfig, initialise, read_decoder, write_decoder


def model(folder: Path, text: str, seed: int) -> Path:
    tokenizer = byte_level([text * 20])
    config = DecoderConfig(
        vocabulary=tokenizer.get_vocab_size() + 3, layers=1, width=8, heads=1, ff_width=8
    )
    built = Decoder(config)
    initialise(built, seed)
    folder.mkdir()
    write_decoder(folder, built)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_rows_follow_their_tokens(tmp_path: Path) -> None:
    folders = [model(tmp_path / "a", "one two ", 1), model(tmp_path / "b", "drei vier ", 2)]
    counts = unite(folders, tmp_path / "out")
    union = Tokenizer.from_file(str(tmp_path / "out" / "a" / "tokenizer.json"))
    assert set(counts) == {"a", "b"}
    for folder in folders:
        own, out = read_vocabulary(folder), tmp_path / "out" / folder.name
        before, after = (load_file(at / "model.safetensors") for at in (folder, out))
        for name in ("embedding.weight", "head.weight"):
            assert after[name].shape == (union.get_vocab_size(), 8)
            for token, i in own.ids.items():
                assert torch.equal(after[name][union.token_to_id(token)], before[name][i])
        same = [name for name in before if name not in ("embedding.weight", "head.weight")]
        assert all(torch.equal(before[name], after[name]) for name in same)
        assert read_decoder(out).config.vocabulary == union.get_vocab_size()


def test_united_models_can_be_merged(tmp_path: Path) -> None:
    folders = [model(tmp_path / "a", "one two ", 1), model(tmp_path / "b", "drei vier ", 2)]

    def problems(at: Path) -> tuple[str, ...]:
        models = tuple(Source(model=str(at / name), parameters={"weight": 0.5}) for name in "ab")
        return tuple(plan(Recipe(method="linear", models=models)).problems)

    assert problems(tmp_path)
    unite(folders, tmp_path / "out")
    assert not problems(tmp_path / "out")


def test_what_has_no_known_embedding_is_refused(tmp_path: Path) -> None:
    folder = model(tmp_path / "a", "one two ", 1)
    save_file({"wte": torch.zeros(4, 4)}, folder / "model.safetensors")
    with pytest.raises(InputError, match="zhufeng fuse unify"):
        unite([folder], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_hugging_face_folder_keeps_its_names(tmp_path: Path) -> None:
    folder = model(tmp_path / "a", "one two ", 1)
    rows = read_vocabulary(folder).size
    save_file({"model.embed_tokens.weight": torch.randn(rows, 4)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": rows}))
    other = model(tmp_path / "b", "drei vier ", 2)
    unite([folder, other], tmp_path / "out")
    config = json.loads((tmp_path / "out" / "a" / "config.json").read_text())
    weights = load_file(tmp_path / "out" / "a" / "model.safetensors")
    assert weights["model.embed_tokens.weight"].shape == (config["vocab_size"], 4)


def test_tokens_keep_their_roles_under_their_new_numbers(tmp_path: Path) -> None:
    """A model that ended a text at its token 'x' ends it there still, whatever x's number is."""
    folders = [model(tmp_path / "a", "one two ", 1), model(tmp_path / "b", "drei vier ", 2)]
    own = read_vocabulary(folders[1])
    end, pad = sorted(own.ids, key=len)[-2:]
    ids = {"eos_token_id": [own.ids[end]], "pad_token_id": own.ids[pad], "bos_token_id": 10**6}
    for folder in folders:
        told = json.dumps({"added_tokens_decoder": {"0": {"content": folder.name}}, "x": "y"})
        (folder / "tokenizer_config.json").write_text(told)
        (folder / "generation_config.json").write_text(json.dumps({**ids, "top_k": 3}))
    unite(folders, tmp_path / "out")
    united = read_vocabulary(tmp_path / "out" / "b")
    assert united.ids[end] != own.ids[end]
    told = json.loads((tmp_path / "out" / "b" / "generation_config.json").read_text())
    assert told == {
        "eos_token_id": [united.ids[end]],
        "pad_token_id": united.ids[pad],
        "bos_token_id": None,
        "top_k": 3,
    }
    config = json.loads((tmp_path / "out" / "b" / "tokenizer_config.json").read_text())
    assert config == {"x": "y"}


def test_a_heads_bias_follows_its_tokens(tmp_path: Path) -> None:
    folders = [model(tmp_path / "a", "one two ", 1), model(tmp_path / "b", "drei vier ", 2)]
    for folder in folders:
        rows = read_vocabulary(folder).size
        weights = {"lm_head.weight": torch.randn(rows, 4), "lm_head.bias": torch.randn(rows)}
        save_file(weights, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"vocab_size": rows}))
    unite(folders, tmp_path / "out")
    for folder in folders:
        before, after = (
            load_file(at / "model.safetensors")["lm_head.bias"]
            for at in (folder, tmp_path / "out" / folder.name)
        )
        united = read_vocabulary(tmp_path / "out" / "a")
        for token, i in read_vocabulary(folder).ids.items():
            assert after[united.ids[token]] == before[i]


def test_what_was_brought_here_can_go_back_with_more_tokens(tmp_path: Path) -> None:
    """unify, unite, export: transformers' own code gives the old tokens their old logits."""
    texts = {"a": "one two ", "b": "drei vier "}
    for seed, (name, text) in enumerate(texts.items()):
        tokenizer = byte_level([text * 20])
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=1,
            num_attention_heads=2,
        )
        LlamaForCausalLM(config).save_pretrained(tmp_path / f"hf-{name}")
        tokenizer.save(str(tmp_path / f"hf-{name}" / "tokenizer.json"))
        unify(tmp_path / f"hf-{name}", tmp_path / name)
    unite([tmp_path / name for name in texts], tmp_path / "out")
    export(tmp_path / "out" / "b", tmp_path / "back")
    first, back = (LlamaForCausalLM.from_pretrained(tmp_path / name) for name in ("hf-b", "back"))
    own, united = read_vocabulary(tmp_path / "b"), read_vocabulary(tmp_path / "back")
    ids = torch.tensor([own.ids[token] for token in own.ids])
    moved = torch.tensor([united.ids[token] for token in own.ids])
    with torch.no_grad():
        before = first(ids[None, :32]).logits[..., ids]
        after = back(moved[None, :32]).logits[..., moved]
    torch.testing.assert_close(after, before)
