"""``zhufeng fuse`` as a user meets it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.conftest import Answer
from tests.fusion.ledger.samples import filled
from tests.fusion.merge.folders import random_weights, write_model
from tests.fusion.mix.tiny import byte_level, letters, write_member
from transformers import LlamaConfig, LlamaForCausalLM

from zhufeng.fusion.ledger import audit

Call = Callable[..., Answer]


def write_recipe(folder: Path, layers: int = 3) -> Path:
    for number in range(2):
        write_model(folder / f"m{number}", random_weights(number, layers=layers if number else 3))
    recipe = folder / "merge.yml"
    models = [{"model": str(folder / f"m{n}"), "parameters": {"weight": 0.5}} for n in range(2)]
    recipe.write_text(json.dumps({"merge_method": "linear", "models": models}))
    return recipe


def write_llama(folder: Path) -> Path:
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_another_family_is_brought_here_compared_and_brought_back(
    zhufeng: Call, tmp_path: Path
) -> None:
    theirs, ours = write_llama(tmp_path / "theirs"), tmp_path / "ours"
    assert "llama: 12 tensors" in zhufeng("fuse", "unify", theirs, "-o", ours).out
    told = json.loads(zhufeng("fuse", "verify", theirs, ours, "--precision", "bf16", "--json").out)
    assert [(one["logits"], one["gradient"]) for one in told] == [(0.0, 0.0)]
    assert zhufeng("fuse", "export", ours, "-o", tmp_path / "back", "--json").code == 0
    back = load_file(tmp_path / "back" / "model.safetensors")
    first = load_file(theirs / "model.safetensors")
    assert all(torch.equal(back[name], first[name]) for name in first)
    weights = load_file(ours / "model.safetensors")
    weights["layers.0.attention.q.weight"][0] += 1
    save_file(weights, ours / "model.safetensors")
    assert zhufeng("fuse", "verify", theirs, ours).code == 1
    assert zhufeng("fuse", "export", ours, "-o", tmp_path / "no", "--family", "qwen3").code == 2
    assert not (tmp_path / "no").exists()


def test_vocabularies_are_united(zhufeng: Call, tmp_path: Path) -> None:
    texts = {"a": "one two ", "b": "drei vier "}
    for seed, (name, text) in enumerate(texts.items()):
        write_member(tmp_path / name, byte_level([text * 20]), seed)
    folders, out = [tmp_path / name for name in texts], tmp_path / "out"
    told = json.loads(zhufeng("fuse", "unite", *folders, "-o", out, "--json").out)
    sizes = {json.loads((out / name / "config.json").read_text())["vocabulary"] for name in texts}
    assert {sum(rows.values()) for rows in told["rows"].values()} == sizes
    again = zhufeng("fuse", "unite", *folders, "-o", out)
    assert (again.code, "stands already" in again.err) == (2, True)


def test_dense_models_become_experts(zhufeng: Call, tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        write_member(tmp_path / name, byte_level(), seed)
    recipe = tmp_path / "moe.toml"
    experts = "".join(f'[[experts]]\nmodel = "{name}"\ntexts = ["{name}"]\n' for name in "ab")
    recipe.write_text(f'base = "a"\n{experts}')
    told = json.loads(zhufeng("fuse", "experts", recipe, "-o", tmp_path / "out", "--json").out)
    assert told["experts"] == 2
    assert told["bytes"] == (tmp_path / "out" / "model.safetensors").stat().st_size
    recipe.write_text(f'base = "a"\nactive = 3\n{experts}')
    wrong = zhufeng("fuse", "experts", recipe, "-o", tmp_path / "other")
    assert (wrong.code, "1 to 2 active experts" in wrong.err) == (2, True)


def test_a_merge_is_planned_and_run(zhufeng: Call, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    told = json.loads(zhufeng("fuse", "plan", recipe, "--json").out)
    sizes = [(tmp_path / f"m{n}" / "model.safetensors").stat().st_size for n in range(2)]
    assert 0 < sum(sizes) - told["bytes_read"] < 8192  # but for headers
    assert told["bytes_written"] == told["bytes_read"] // 2
    assert told["problems"] == []
    answer = zhufeng("fuse", "run", recipe, "-o", tmp_path / "out")
    assert answer.code == 0, answer.err
    one, two = (load_file(tmp_path / f"m{n}" / "model.safetensors") for n in range(2))
    for name, tensor in load_file(tmp_path / "out" / "model.safetensors").items():
        torch.testing.assert_close(tensor, (one[name] + two[name]) / 2)
    again = zhufeng("fuse", "run", recipe, "-o", tmp_path / "out")
    assert again.code == 2
    assert "stands already" in again.err


def test_a_plan_with_problems_is_a_finding_and_moves_no_data(zhufeng: Call, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, layers=2)
    answer = zhufeng("fuse", "plan", recipe)
    assert answer.code == 1
    assert "number of layers: 3 in m0, 2 in m1" in answer.out
    before = sorted(tmp_path.iterdir())
    assert zhufeng("fuse", "run", recipe, "-o", tmp_path / "out").code == 2
    assert sorted(tmp_path.iterdir()) == before


def test_members_are_scored_into_a_run(zhufeng: Call, tmp_path: Path) -> None:
    for number in range(2):
        write_member(tmp_path / f"m{number}", byte_level(), seed=number)
    (tmp_path / "text.txt").write_text("a cloud\n\nthe mountain\n" * 40)
    members = [tmp_path / f"m{number}" for number in range(2)]
    given = ("--texts", tmp_path / "text.txt", "-o", tmp_path / "run", "--json")
    answer = zhufeng("fuse", "score", *members, *given)
    assert answer.code == 0, answer.err
    (stage,) = json.loads(answer.out)["stages"]
    assert stage["figures"]["mixture_bpb"] > 0
    assert (tmp_path / "run" / "index.html").exists()


def test_models_that_cannot_say_a_text_are_a_table_without_them(
    zhufeng: Call, tmp_path: Path
) -> None:
    """Two models whose folders differ after a dot, and a text whose letters neither has."""
    for seed, name in enumerate(("m-0.5B", "m-0.6B")):
        write_member(tmp_path / name, letters(["a", "b", "\n"]), seed)
    (tmp_path / "text.txt").write_text("中文\n\n山\n" * 40)
    members = [tmp_path / name for name in ("m-0.5B", "m-0.6B")]
    given = ("--texts", tmp_path / "text.txt", "-o", tmp_path / "run", "--json")
    answer = zhufeng("fuse", "score", *members, *given)
    assert answer.code == 0, answer.err
    table = json.loads((tmp_path / "run" / "fuse" / "table.json").read_text())
    assert table["bits_per_byte"]["m-0.5B"] == [None, None]


def test_bad_input_of_distil_leaves_nothing(zhufeng: Call, tmp_path: Path) -> None:
    write_member(tmp_path / "m", byte_level(), 0)
    (tmp_path / "text.txt").write_text("a")
    (tmp_path / "members.toml").write_text('[[member]]\nname = "m"\nfolder = "m"\n')
    (tmp_path / "distil.toml").write_text(
        'tokenizer = "m/tokenizer.json"\n[student]\nvocabulary = 300\nlayers = 1\nwidth = 16\n'
        "heads = 2\nff_width = 24\n"
    )
    files = [tmp_path / name for name in ("distil.toml", "text.txt")]
    members = ("--members", tmp_path / "members.toml")
    inside = zhufeng("fuse", "distil", *files, *members, "-o", tmp_path / "m" / "out")
    assert (inside.code, "lies in the folder of a member" in inside.err) == (2, True)
    short = zhufeng("fuse", "distil", *files, *members, "-o", tmp_path / "out")
    assert (short.code, "the corpus is too small" in short.err) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("m", "text.txt", "members.toml", "distil.toml")
    }


def test_a_ledger_is_audited_and_shared(zhufeng: Call, tmp_path: Path) -> None:
    filled(tmp_path / "book")
    answer = zhufeng("fuse", "ledger", tmp_path / "book")
    assert answer.code == 0
    assert re.search(r"holds: \d+ lines, 8 answers", answer.out)
    assert "first" in answer.out
    day = json.loads(
        zhufeng("fuse", "ledger", tmp_path / "book", "--since", "2026-12-01", "--json").out
    )
    assert day["shares"]["answers"] == 4
    path = min((tmp_path / "book").glob("*.jsonl"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    answer = zhufeng("fuse", "ledger", tmp_path / "book")
    assert answer.code == 1
    assert answer.out.startswith(f"does not hold: {path.name}")


def test_members_are_served_until_interrupted(tmp_path: Path) -> None:
    for number in range(2):
        write_member(tmp_path / f"m{number}", byte_level(), seed=number)
    config = tmp_path / "serve.toml"
    members = "".join(f'[[member]]\nname = "m{n}"\nfolder = "m{n}"\n' for n in range(2))
    config.write_text(f'ledger = "book"\n{members}[serve]\nport = 0\n')
    command = [sys.executable, "-m", "zhufeng", "fuse", "serve", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as server:
        assert server.stderr is not None
        lines = iter(server.stderr.readline, "")
        running = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in lines)
        address = next(one[0] for one in running if one)
        body = {"model": "zhufeng", "prompt": "the", "max_tokens": 4, "seed": 1}
        request = urllib.request.Request(
            f"{address}/v1/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            told = json.load(response)
        assert told["choices"][0]["text"]
        os.kill(server.pid, signal.SIGINT)
        server.communicate(timeout=60)
    audited = audit(tmp_path / "book")
    assert (audited.fault, audited.answers) == (None, 1)


def test_models_that_share_nothing_are_told_so(zhufeng: Call, tmp_path: Path) -> None:
    write_recipe(tmp_path)
    answer = zhufeng("fuse", "auto", tmp_path / "m0", tmp_path / "m1", "--json")
    assert answer.code == 0, answer.err
    (pair,) = json.loads(answer.out)["pairs"]
    assert pair["way"] == "mix"
    assert any("different beginnings" in reason for reason in pair["reasons"])


@pytest.mark.parametrize("command", ["plan", "run", "serve", "ledger", "auto"])
def test_what_is_not_there_is_one_message(zhufeng: Call, tmp_path: Path, command: str) -> None:
    more: dict[str, list[str | Path]] = {
        "run": ["-o", tmp_path / "out"],
        "auto": [tmp_path / "none"],
    }
    answer = zhufeng("fuse", command, tmp_path / "nothing", *more.get(command, []))
    assert answer.code == 2
    assert answer.err.count("expected:") == 1
    assert "Traceback" not in answer.err
