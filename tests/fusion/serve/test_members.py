"""Two real members behind the endpoint: decoders with tokenizers of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fusion.mix.tiny import byte_level, metaspace, write_member
from tests.fusion.serve.fakes import MODEL, running
from zhufeng.base import derive_seed
from zhufeng.fusion.ledger import audit
from zhufeng.fusion.mix import MemberSpec, Mixture, open_member, split

PROMPT = "the mountain stands in the"


def test_two_members_answer_as_one(tmp_path: Path) -> None:
    write_member(tmp_path / "a", byte_level(), seed=1, sharpness=3)
    write_member(tmp_path / "b", metaspace(), seed=2, sharpness=3)
    specs = [MemberSpec(name=name, folder=str(tmp_path / name)) for name in "ab"]
    members = [open_member(spec) for spec in specs]
    asked = {"prompt": PROMPT, "seed": 7, "max_tokens": 6, "echo": True, "logprobs": 1}
    with running(tmp_path, *members) as server:
        told = server.complete(**asked).json["choices"][0]
        again = server.complete(**asked).json["choices"][0]
        (line, _) = server.lines()
    assert told["text"] == again["text"]
    assert told["text"].startswith(PROMPT)
    # Tokens are the text again, and the prompt's cost what the mixture says outside the server.
    assert "".join(told["logprobs"]["tokens"]) == told["text"]
    scored = Mixture(members).score(PROMPT)
    values = told["logprobs"]["token_logprobs"][: len(split(PROMPT))]
    assert np.allclose(values, -scored.mixture_bits * np.log(2))
    # The ledger has what mixing the members by hand gives.
    said = [*Mixture(members).generate(PROMPT, chunks=6, seed=derive_seed(7, "answer", 0))]
    gain = [0.0, 0.0]
    for one in said:
        joint = np.array(one.weights) * 2.0 ** -np.array(one.bits)
        gain += joint / joint.sum() * (8 * len(one.chunk.encode()) + np.log2(joint.sum()))
    assert np.array(line["contribution_nanobits"]) / 1e9 == pytest.approx(gain, abs=1e-6)
    assert told["zhufeng"]["contribution_bits"] == pytest.approx(dict(zip("ab", gain, strict=True)))
    assert audit(server.ledger).fault is None


def test_a_served_mixture_is_itself_a_member_elsewhere(tmp_path: Path) -> None:
    write_member(tmp_path / "a", byte_level(), seed=1, sharpness=3)
    local = open_member(MemberSpec(name="a", folder=str(tmp_path / "a")))
    with running(tmp_path, local) as server:
        url = f"http://127.0.0.1:{server.port}/v1"
        remote = open_member(MemberSpec(name="far", url=url, model=MODEL))
        chunks = split(PROMPT)
        assert remote.score(chunks) == pytest.approx(local.score(chunks))
        said = [*Mixture([remote]).generate(PROMPT, chunks=3, seed=1)]
    assert said[-1].finish is not None
