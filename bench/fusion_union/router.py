"""The rival: a classifier that looks at a whole document and sends it to one member.

Multinomial logistic regression on hashed n-grams of bytes, its decay chosen by cross-validation.
It sees the document before it chooses, which the mixture does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_BITS = 14  # of a feature's number
_LONGEST = 4
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth, vol. 3, 6.4)
_DECAYS = (1e-1, 1e-2, 1e-3, 1e-4)
_FOLDS = 5
_ITERATIONS = 100


class Router:
    """Fitted on texts and on the member that is best on each."""

    def __init__(self, texts: Sequence[str], best: Sequence[int], members: int) -> None:
        rows = _rows(texts)
        # With decay the weights are sums of the texts' rows: what is searched is their few axes.
        self._axes = np.linalg.svd(rows, full_matrices=False)[2].T
        inputs, labels = self._inputs(rows), torch.tensor(best)
        wrong = [_wrong(inputs, labels, members, decay) for decay in _DECAYS]
        self._weights = _fit(inputs, labels, members, _DECAYS[int(np.argmin(wrong))])

    def choose(self, text: str) -> int:
        """The number of the member that a text goes to."""
        return int((self._inputs(_rows([text])) @ self._weights).argmax())

    def _inputs(self, rows: NDArray[np.float64]) -> Tensor:
        """Rows along the axes, and a constant."""
        along = rows @ self._axes
        return torch.from_numpy(np.concatenate([along, np.ones((len(rows), 1))], axis=1))


def _rows(texts: Sequence[str]) -> NDArray[np.float64]:
    """Shape (texts, 2^_BITS): logarithms of counts, scaled to length 1."""
    rows = np.log1p(np.stack([_counts(text) for text in texts]))
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def _counts(text: str) -> NDArray[np.float64]:
    data = np.frombuffer(text.encode(), np.uint8).astype(np.uint64)
    counts = np.zeros(1 << _BITS)
    for length in range(1, min(_LONGEST, data.size) + 1):
        codes = np.full(data.size - length + 1, length, np.uint64)
        for place in range(length):
            codes = (codes << np.uint64(8)) + data[place : place + codes.size]
        hashed = (codes * _MULTIPLIER) >> np.uint64(64 - _BITS)
        counts += np.bincount(hashed.astype(np.int64), minlength=counts.size)
    return counts


def _wrong(inputs: Tensor, labels: Tensor, members: int, decay: float) -> float:
    """The loss on texts that a fit has not seen, summed over folds."""
    lost = 0.0
    for fold in range(_FOLDS):
        unseen = torch.arange(len(labels)) % _FOLDS == fold
        weights = _fit(inputs[~unseen], labels[~unseen], members, decay)
        if unseen.any():
            scores = inputs[unseen] @ weights
            lost += float(functional.cross_entropy(scores, labels[unseen], reduction="sum"))
    return lost


def _fit(inputs: Tensor, labels: Tensor, members: int, decay: float) -> Tensor:
    weights = torch.zeros(inputs.shape[1], members, dtype=inputs.dtype, requires_grad=True)
    search = torch.optim.LBFGS(
        [weights], max_iter=_ITERATIONS, line_search_fn="strong_wolfe", tolerance_grad=1e-9
    )

    def loss() -> Tensor:
        search.zero_grad()
        own = functional.cross_entropy(inputs @ weights, labels)
        lost = own + decay * weights[:-1].square().sum()
        lost.backward()  # type: ignore[no-untyped-call]
        return lost

    search.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()
