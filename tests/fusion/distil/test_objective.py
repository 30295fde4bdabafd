"""The objective against enumeration, and against a member that is the student itself."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fusion.distil.members import TEXTS, folder
from zhufeng.fusion.distil import TeacherConfig
from zhufeng.fusion.distil._answers import Answer
from zhufeng.fusion.distil._objective import Taught, Told, divergence, log_likelihoods
from zhufeng.fusion.distil._passages import passages
from zhufeng.fusion.distil._targets import Targets, write_corpus
from zhufeng.fusion.distil._tokenizer import Spelling
from zhufeng.fusion.mix import MemberSpec, open_member, split
from zhufeng.models import read_decoder


def test_value_and_gradient_are_those_of_an_enumeration() -> None:
    """Of four tokens 0, 1 begin a chunk and 2, 3 go on; every pair after a chunk is counted."""
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    ending = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    log_p = torch.tensor([math.log(0.3)])
    told = Told(torch.tensor([[0, 1]]), torch.tensor([[1, 2]]), torch.tensor([[0, 0, 2, 0]]), log_p)
    log_q = log_likelihoods(logits, told, ending)
    shares = logits.detach().double().softmax(-1)
    came = begun = 0.0
    for one, two, three in product(range(4), repeat=3):
        p = float(shares[0, one] * shares[1, two] * shares[2, three])
        begun += p * (one < 2)
        came += p * ((one, two) == (1, 2) and three < 2)
    q = came / begun
    assert float(log_q[0].detach()) == pytest.approx(math.log(q), rel=1e-6)
    found = divergence(log_q, log_p)
    by_hand = 0.3 * math.log(0.3 / q) + 0.7 * math.log(0.7 / (1 - q))
    assert float(found[0].detach()) == pytest.approx(by_hand, rel=1e-6)
    (gradient,) = torch.autograd.grad(log_q[0], logits, retain_graph=True)
    torch.autograd.backward(found.sum())
    slope = (q - 0.3) / (1 - q)  # d KL / d log q
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, slope * gradient)


def test_a_student_that_is_the_teacher_has_nothing_to_learn(tmp_path: Path) -> None:
    place = folder(tmp_path / "m", 3)
    member, spelling = (
        open_member(MemberSpec(name="m", folder=str(place))),
        Spelling(place / "tokenizer.json"),
    )
    texts = [TEXTS[0], "".join(TEXTS[:3])]
    config = TeacherConfig(held_out=0.01)
    answers = [
        Answer(
            p.number, p.sha256, False, 1, member.score(p.chunks).astype(np.float32), np.ones(1), 0
        )
        for p in passages(texts, config)
    ]
    (tmp_path / "c").mkdir()
    write_corpus(tmp_path / "c", passages(texts, config), answers, spelling)
    # The window begins with the end of the first text, as a member begins any.
    ids = [[i for one in spelling.encode(split(text)) for i in one] for text in texts]
    stream = torch.tensor([[spelling.end, *ids[1], spelling.end]])
    inputs, targets = stream[:, :-1], stream[:, 1:]
    told = Targets(tmp_path / "c").told([len(ids[0])], targets)
    assert len(told.log_p) == len(split(texts[1]))
    ending = torch.from_numpy(spelling.ending())
    student = Taught(read_decoder(place), ending, 1.0)
    logits = student.decoder(inputs).logits[0]
    log_q = log_likelihoods(logits, told, ending)
    np.testing.assert_allclose(log_q.detach().numpy(), told.log_p.numpy(), atol=0.02)
    torch.autograd.backward(divergence(log_q, told.log_p).mean())
    own = max(float(p.grad.abs().max()) for p in student.parameters() if p.grad is not None)
    student.zero_grad()
    log_q = log_likelihoods(student.decoder(inputs).logits[0], told, ending)
    torch.autograd.backward(divergence(log_q, 1.1 * told.log_p).mean())
    other = max(float(p.grad.abs().max()) for p in student.parameters() if p.grad is not None)
    assert own < 1e-2 * other


def test_the_loss_is_the_corpus_and_the_weighted_divergence(tmp_path: Path) -> None:
    place = folder(tmp_path / "m", 3)
    model, spelling = read_decoder(place), Spelling(place / "tokenizer.json")
    ending = torch.from_numpy(spelling.ending())
    tokens = torch.tensor([[5, 6, 7, 8]])
    told = Told(
        torch.tensor([[0, 1]]),
        torch.tensor([[6, 7]]),
        torch.tensor([[-1, -1, 2, 3]]),
        torch.tensor([-1.0]),
    )
    plain = Taught(model, ending, 2.5)(tokens, tokens).loss
    taught = Taught(model, ending, 2.5)(tokens, tokens, *told.tensors()).loss
    found = divergence(log_likelihoods(model(tokens).logits[0], told, ending), told.log_p)
    assert plain is not None
    assert taught is not None
    more = float((taught - plain).detach())
    assert more == pytest.approx(2.5 * float(found[0].detach()), rel=1e-5)
