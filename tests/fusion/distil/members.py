"""Texts and members that the tests teach with."""

from __future__ import annotations

from pathlib import Path

import torch

from zhufeng.base import write_durable
from zhufeng.fusion.distil import Teacher, TeacherConfig, open_teacher
from zhufeng.fusion.mix import MemberSpec
from zhufeng.fusion.small import train_tokenizer
from zhufeng.models import Decoder, DecoderConfig, initialise, write_decoder

TEXTS = [
    f"The {a} of {b} measures {n} metres, and the {b} of {a} is {n + 1}; 山很高.\n"
    for n, (a, b) in enumerate(
        zip(
            ["mountain", "river", "valley", "ridge"] * 5,
            ["Everest", "snow", "ice", "stone", "rope"] * 4,
            strict=True,
        )
    )
]


def folder(place: Path, seed: int, *, vocabulary: int = 300, spread: float = 6.0) -> Path:
    """A canonical folder with drawn weights, large enough that its likelihoods differ."""
    place.mkdir()
    tokenizer = train_tokenizer(TEXTS, vocabulary)
    write_durable(place / "tokenizer.json", tokenizer.to_str().encode())
    model = Decoder(tiny(tokenizer.get_vocab_size()))
    initialise(model, seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(spread)
    write_decoder(place, model)
    return place


def tiny(vocabulary: int) -> DecoderConfig:
    return DecoderConfig(vocabulary=vocabulary, layers=1, width=16, heads=2, ff_width=32)


def teacher(place: Path, name: str, seed: int, vocabulary: int = 300) -> Teacher:
    """A member in a folder that is made."""
    spec = MemberSpec(name=name, folder=str(folder(place / name, seed, vocabulary=vocabulary)))
    return open_teacher(spec, TeacherConfig())


__all__ = ["TEXTS", "folder", "teacher", "tiny"]
