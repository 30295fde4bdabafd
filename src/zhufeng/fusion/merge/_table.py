"""The merge methods: what each takes, computes and comes from. Without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = float | bool

_ANY = 1 << 30
# Of the methods that add up differences from a base ("task vectors").
_SHARED: Mapping[str, Value | None] = {"normalize": False, "rescale": False, "lambda": 1.0}
_EACH: Mapping[str, Value | None] = {"weight": None}
_SPARSE = {**_EACH, "density": 1.0}


@dataclass(frozen=True)
class Method:
    """One way to merge tensors of equal shape.

    x_i are the models, b is the base, d_i = x_i - b. A parameter whose default is None has to be
    given.
    """

    title: str
    formula: str
    paper: str
    base: Literal["required", "unused"] = "required"
    least: int = 1
    """Models beside the base."""
    most: int = _ANY
    shared: Mapping[str, Value | None] = field(default_factory=dict)
    """Parameters with one value a tensor, and their defaults."""
    each: Mapping[str, Value | None] = field(default_factory=dict)
    """Parameters with one value a tensor and model."""
    passes: int = 1
    """How often the sources are read."""
    ns_per_element: float = 1.0
    """CPU time for an element of a source, all passes: measured on one core of an EPYC 9004."""


METHODS: Mapping[str, Method] = {
    "linear": Method(
        title="Linear",
        formula="sum w_i x_i / sum w_i; without normalize: sum w_i x_i",
        paper="Wortsman et al. 2022, Model soups, arXiv:2203.05482",
        base="unused",
        shared={"normalize": True},
        each={"weight": None},
        ns_per_element=2.1,
    ),
    "slerp": Method(
        title="Slerp",
        formula="(sin((1-t) a) b + sin(t a) x) / sin a, a the angle between b and x; "
        "(1-t) b + t x where |cos a| > 0.9995",
        paper="Shoemake 1985, Animating rotation with quaternion curves, SIGGRAPH",
        most=1,
        shared={"t": None},
        passes=2,
        ns_per_element=3.3,
    ),
    "task_arithmetic": Method(
        title="Task arithmetic",
        formula="b + lambda sum w_i d_i",
        paper="Ilharco et al. 2022, Editing models with task arithmetic, arXiv:2212.04089",
        shared=_SHARED,
        each=_EACH,
        ns_per_element=2.1,
    ),
    "ties": Method(
        title="TIES",
        formula="d_i keeps its round(density n) largest magnitudes; the sign of sum w_i d_i is "
        "elected where d_i are added; b + lambda sum w_i d_i / sum w_i over those that agree",
        paper="Yadav et al. 2023, TIES-merging, arXiv:2306.01708",
        shared={**_SHARED, "normalize": True},
        each=_SPARSE,
        passes=2,
        ns_per_element=4.8,
    ),
    "dare_linear": Method(
        title="DARE",
        formula="each element of d_i is kept with probability density and divided by it; "
        "b + lambda sum w_i d_i",
        paper="Yu et al. 2023, Language models are super Mario, arXiv:2311.03099",
        shared={**_SHARED, "rescale": True},
        each=_SPARSE,
        ns_per_element=3.2,
    ),
    "dare_ties": Method(
        title="DARE with TIES' election",
        formula="d_i as in dare_linear; signs elected and added as in ties, not normalized",
        paper="Yu et al. 2023, arXiv:2311.03099; Yadav et al. 2023, arXiv:2306.01708",
        shared={**_SHARED, "rescale": True},
        each=_SPARSE,
        ns_per_element=3.8,
    ),
    "della": Method(
        title="DELLA",
        formula="each element of d_i is kept with probability p, from density - epsilon for the "
        "smallest magnitude of its row to density + epsilon for the largest, by rank, and divided "
        "by p; signs elected and added as in ties",
        paper="Deep et al. 2024, DELLA-merging, arXiv:2406.11617",
        shared={**_SHARED, "normalize": True, "rescale": True},
        each={**_SPARSE, "epsilon": 0.15},
        ns_per_element=42.0,
    ),
    "della_linear": Method(
        title="DELLA without election",
        formula="d_i as in della; b + lambda sum w_i d_i",
        paper="Deep et al. 2024, arXiv:2406.11617",
        shared={**_SHARED, "rescale": True},
        each={**_SPARSE, "epsilon": 0.15},
        ns_per_element=42.0,
    ),
    "breadcrumbs": Method(
        title="Model breadcrumbs",
        formula="d_i loses its round(gamma n) largest magnitudes and keeps the next "
        "round(density n); b + lambda sum w_i d_i",
        paper="Davari and Belilovsky 2023, Model breadcrumbs, arXiv:2312.06795",
        shared=_SHARED,
        each={**_SPARSE, "gamma": 0.01},
        passes=2,
        ns_per_element=4.4,
    ),
    "breadcrumbs_ties": Method(
        title="Model breadcrumbs with TIES' election",
        formula="d_i as in breadcrumbs; signs elected and added as in ties, not normalized",
        paper="Davari and Belilovsky 2023, arXiv:2312.06795; Yadav et al. 2023, arXiv:2306.01708",
        shared=_SHARED,
        each={**_SPARSE, "gamma": 0.01},
        passes=2,
        ns_per_element=4.9,
    ),
    "model_stock": Method(
        title="Model stock",
        formula="t mean(x_i) + (1-t) b, t = N c / (1 + (N-1) c), c the mean cosine between two d_i",
        paper="Jang et al. 2024, Model stock, arXiv:2403.19522",
        least=2,
        shared={"filter_wise": False},
        passes=2,
        ns_per_element=2.7,
    ),
    "sce": Method(
        title="SCE",
        formula="of the elements whose d_i vary most over i, a share select_topk is kept; "
        "w_i = mean of d_i squared, over their sum; signs elected as in ties; "
        "b + sum w_i d_i / sum w_i over those that agree",
        paper="Wan et al. 2024, FuseChat, arXiv:2408.07990",
        shared={"select_topk": 1.0},
        passes=4,
        ns_per_element=9.5,
    ),
    "passthrough": Method(
        title="Passthrough",
        formula="x, or scale x; layers in any order and number",
        paper="",
        base="unused",
        most=1,
        each={"scale": 1.0},
        ns_per_element=1.8,
    ),
}
