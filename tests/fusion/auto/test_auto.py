"""Advice on pairs of models, where what is right is known from how they were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.fusion.merge.folders import CONFIG, random_weights, write_model
from tests.fusion.vocabulary.makers import CODE, ENGLISH, byte_level, put, word_piece
from zhufeng.fusion.auto import Pair, auto
from zhufeng.fusion.licences import read_licence

BASE = random_weights(0, torch.bfloat16)


def tuned(seed: int, share: float = 0.02, dtype: torch.dtype = torch.bfloat16) -> dict[str, Tensor]:
    """The base, and a little that it has learned since."""
    learned = random_weights(seed)
    return {name: (one.float() + share * learned[name]).to(dtype) for name, one in BASE.items()}


def advice(folder: Path, *members: Mapping[str, Tensor], base: Path | None = None) -> Pair:
    places = [write_model(folder / f"m{n}", one) for n, one in enumerate(members)]
    (pair,) = auto(places, base=base).pairs
    return pair


def test_tunings_of_one_base_are_merged(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", BASE)
    pair = advice(tmp_path, tuned(1), tuned(2), base=base)
    assert pair.way == "merge"
    assert pair.methods[0] == "task_arithmetic"  # what they learned does not meet
    assert pair.likeness is not None
    assert pair.likeness.cosine > 0.99
    assert abs(pair.likeness.deltas or 1.0) < 0.2


def test_what_was_learned_alike_is_averaged(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", BASE)
    pair = advice(tmp_path, tuned(1, 0.02), tuned(1, 0.04), base=base)
    assert (pair.way, pair.methods[0]) == ("merge", "linear")
    assert pair.likeness is not None
    assert (pair.likeness.deltas or 0.0) > 0.9


def test_a_quantised_base_is_not_compared(tmp_path: Path) -> None:
    whole = {name: torch.zeros(one.shape, dtype=torch.int8) for name, one in BASE.items()}
    pair = advice(tmp_path, tuned(1), tuned(2), base=write_model(tmp_path / "base", whole))
    assert pair.way == "merge"
    assert pair.likeness is not None
    assert pair.likeness.deltas is None
    assert any("base has other shapes or is quantised" in reason for reason in pair.reasons)


def test_strangers_of_one_shape_are_not_merged(tmp_path: Path) -> None:
    pair = advice(tmp_path, random_weights(1), random_weights(2))
    assert pair.way == "mix"
    assert pair.likeness is not None
    assert abs(pair.likeness.cosine) < 0.2


def test_one_model_from_what_cannot_be_merged_is_distilled(tmp_path: Path) -> None:
    places = [write_model(tmp_path / f"m{n}", random_weights(n)) for n in range(2)]
    assert auto(places, single=True).pairs[0].way == "distil"


def test_the_cosine_is_that_of_rows_that_were_sampled(tmp_path: Path) -> None:
    """All matrices of these models have at most 16 rows but for their own: here all are read."""
    weights = {"a.weight": torch.randn(8, 4), "b.weight": torch.randn(16, 3)}
    others = {name: one + torch.randn(one.shape) for name, one in weights.items()}
    pair = advice(tmp_path, weights, others)
    cosines = [
        float(torch.cosine_similarity(one.flatten(), others[name].flatten(), dim=0))
        for name, one in weights.items()
    ]
    assert pair.likeness is not None
    assert pair.likeness.cosine == pytest.approx(sum(cosines) / 2, rel=1e-6)
    assert pair.likeness.rows == 24


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "qwen2"}, "different families: llama and qwen2"),
        ({"rope_theta": 5e5}, "they compute differently: rope_theta 10000.0 and 500000.0"),
    ],
)
def test_what_differs_is_told(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    places = [
        write_model(tmp_path / "m0", tuned(1)),
        write_model(tmp_path / "m1", tuned(2), {**CONFIG, **change}),
    ]
    (pair,) = auto(places).pairs
    assert pair.way == "mix"
    assert pair.reasons[0] == reason


def test_other_shapes_are_told_with_the_tensor(tmp_path: Path) -> None:
    pair = advice(tmp_path, tuned(1), random_weights(2, torch.bfloat16, layers=2))
    assert pair.way == "mix"
    assert "9 tensors that one lacks" in pair.reasons[0]


def test_other_vocabularies_are_united_first(tmp_path: Path) -> None:
    places = [write_model(tmp_path / f"m{n}", tuned(n)) for n in (1, 2)]
    for place, texts in zip(places, (ENGLISH, CODE), strict=True):
        put(place, byte_level(texts))
    (pair,) = auto(places).pairs
    assert pair.way == "merge on the union"
    assert pair.tokenizers is not None
    assert not pair.tokenizers.equal
    put(places[0], byte_level(CODE))
    assert auto(places).pairs[0].way == "merge"
    put(places[0], word_piece(ENGLISH))
    (pair,) = auto(places).pairs
    assert pair.way == "mix"
    assert "tokenizers of kinds that cannot be united: WordPiece and BPE" in pair.reasons


@pytest.mark.parametrize(
    ("card", "name", "terms"),
    [
        ("---\nlicense: apache-2.0\n---\n", "apache-2.0", "free"),
        ("---\nlicense: other\nlicense_name: qwen\n---\n", "qwen", "own terms"),
        ("---\nlicense: cc-by-nd-4.0\n---\n", "cc-by-nd-4.0", "no derivatives"),
        ("---\nlicense: cc-by-nc-4.0\n---\n", "cc-by-nc-4.0", "non-commercial"),
        ("no header", None, "unknown"),
    ],
)
def test_licences_are_read_off_cards(
    tmp_path: Path, card: str, name: str | None, terms: str
) -> None:
    (tmp_path / "README.md").write_text(card)
    found = read_licence(tmp_path)
    assert (found.name, found.terms) == (name, terms)


def test_a_licence_that_forbids_derivatives_forbids_a_merge(tmp_path: Path) -> None:
    places = [write_model(tmp_path / f"m{n}", tuned(n)) for n in (1, 2)]
    (places[0] / "README.md").write_text("---\nlicense: cc-by-nd-4.0\n---\n")
    (pair,) = auto(places).pairs
    assert pair.way == "mix"
    assert any("do not allow" in reason for reason in pair.reasons)


def test_every_pair_is_told_and_names_are_unique(tmp_path: Path) -> None:
    places = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        places.append(write_model(tmp_path / str(number) / "same", tuned(number)))
    told = auto(places)
    assert len(told.pairs) == 3
    assert len({member.name for member in told.members}) == 3
    assert json.dumps([pair.row for pair in told.pairs])
