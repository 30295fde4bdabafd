"""Generation: one token after another, with a cache of keys and values."""

from __future__ import annotations

import torch
from torch import Tensor

from zhufeng.models._attention import KvCache
from zhufeng.models._decoder import Decoder


@torch.no_grad()
def generate(
    model: Decoder,
    prompt: Tensor,
    new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    end: int | None = None,
    seed: int = 0,
) -> Tensor:
    """Continue `prompt`.

    Args:
        model: in evaluation mode.
        prompt: shape (batch, tokens), at least one token.
        new_tokens: how many at most.
        temperature: 0 takes the likeliest token.
        top_k: draws among this many of the likeliest.
        end: the token after which a row only repeats it; generation stops when all rows ended.
        seed: of the draws.

    Returns:
        Prompt and continuation, shape (batch, tokens + at most new_tokens).
    """
    capacity = prompt.shape[1] + new_tokens
    like = model.embedding.weight
    cache = KvCache.empty(model.config, prompt.shape[0], capacity, like)
    stream = torch.Generator(prompt.device).manual_seed(seed)
    tokens, fresh = prompt, prompt
    ended = torch.zeros(prompt.shape[0], 1, dtype=torch.bool, device=prompt.device)
    for _ in range(new_tokens):
        logits = model(fresh, cache=cache).logits[:, -1]
        fresh = _draw(logits.float(), temperature, top_k, stream)
        if end is not None:
            fresh = fresh.masked_fill(ended, end)
            ended = ended | (fresh == end)
        tokens = torch.cat((tokens, fresh), dim=1)
        if bool(ended.all()):
            break
    return tokens


def _draw(logits: Tensor, temperature: float, top_k: int | None, stream: torch.Generator) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=stream)
