"""The decoder against Hugging Face's implementations: logits and every gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tests.models.families import FAMILIES, Family, build, mapped

TOKENS = torch.randint(0, 40, (2, 17), generator=torch.Generator().manual_seed(1))


def names(family: Family) -> str:
    return f"{family.name}-{len(family.ours)}"


@pytest.mark.parametrize("family", FAMILIES, ids=names)
def test_logits_and_gradients_are_theirs(family: Family) -> None:
    theirs, ours = build(family)
    inputs, targets = TOKENS[:, :-1], TOKENS[:, 1:]
    logits = theirs(inputs, use_cache=False).logits
    out = ours(inputs, targets)
    # Norms in fp32 within fp64 leave fp32's rounding, some of it twice.
    tolerance = 1e-9 if family.exact else 2e-5
    largest = float(logits.detach().abs().max())
    torch.testing.assert_close(out.logits, logits, rtol=0, atol=tolerance * largest)
    torch.autograd.backward(functional.cross_entropy(logits.flatten(0, 1), targets.flatten()))
    out.loss.backward()
    gradients = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    for name, parameter in ours.named_parameters():
        wanted = mapped(family, name, gradients)
        assert parameter.grad is not None
        off = float((parameter.grad - wanted).abs().max() / wanted.abs().max())
        # Our loss is fp32's, whatever the model's type.
        assert off < max(10 * tolerance, 2e-6), name
