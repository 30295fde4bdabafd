"""Whole folders on one vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from tests.fusion.mix.tiny import byte_level
from zhufeng.base import InputError
from zhufeng.fusion.merge import Recipe, Source, plan
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
