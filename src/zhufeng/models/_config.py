"""The decoder's switches. Without torch, so that recipes and plans can hold them."""

from __future__ import annotations

from typing import Literal

from zhufeng.base import record
from zhufeng.records import Form

Norm = Literal["rms", "layer"]
Activation = Literal["silu", "gelu", "gelu_tanh", "relu2"]
Routing = Literal["softmax", "sigmoid"]
QkNorm = Literal["none", "before_rotary", "after_rotary"]

# torch's grouped matrix product wants rows of whole 16-byte units, in bfloat16 too.
_GROUPED_UNIT = 8


@record
class MoeConfig:
    """A feed-forward of which each token uses a few experts."""

    experts: int
    active: int
    """Experts that a token is sent to."""
    ff_width: int
    """Inner width of one expert."""
    routing: Routing = "softmax"
    """Scores over all experts, or each expert's own (DeepSeek-V3)."""
    renormalise: bool = True
    """Whether the chosen experts' weights are scaled to sum to 1."""
    scale: float = 1.0
    """By which the routed experts' sum is multiplied."""
    shared_ff_width: int = 0
    """Inner width of an expert that every token uses; 0 for none."""
    balance: float = 0.0
    """Coefficient of the balance loss (Switch Transformer, Fedus et al. 2021, eq. 4)."""

    def __post_init__(self) -> None:
        if not 1 <= self.active <= self.experts:
            raise ValueError("1 to 'experts' active experts")
        if self.ff_width < 1 or self.shared_ff_width < 0:
            raise ValueError("widths of at least 1 (a shared expert may have 0: none)")
        if self.ff_width % _GROUPED_UNIT:
            raise ValueError(f"experts of a width that {_GROUPED_UNIT} divides")


@record
class DecoderConfig:
    """A decoder. The defaults are Llama's."""

    vocabulary: int
    layers: int
    width: int
    """Of the residual stream."""
    heads: int
    kv_heads: int | None = None
    """Heads of keys and values, each shared by heads / kv_heads queries; all of them without."""
    head_width: int | None = None
    """width / heads without."""
    ff_width: int
    """Inner width of the feed-forward."""
    norm: Norm = "rms"
    norm_epsilon: float = 1e-5
    norm_bias: bool = True
    """Of a LayerNorm; an RMSNorm has none."""
    qkv_bias: bool = False
    output_bias: bool = False
    """Of the projection that ends the attention."""
    ff_bias: bool = False
    qk_norm: QkNorm = "none"
    """Whether queries and keys are normalised head by head, and when."""
    rotary_base: float = 10_000.0
    rotary_fraction: float = 1.0
    """Share of a head's width that turns with the position, paired by halves (element i with
    i + half); 0 for none."""
    activation: Activation = "silu"
    gated: bool = True
    """Whether the feed-forward multiplies its activation with a second projection."""
    moe: MoeConfig | None = None
    """In place of the plain feed-forward, in every layer."""
    window: int | None = None
    """A token attends to itself and at most this many - 1 before it; to all without."""
    tied: bool = False
    """Whether the head's weight is the embedding's."""

    def __post_init__(self) -> None:
        if min(self.vocabulary, self.layers, self.width, self.heads, self.ff_width) < 1:
            raise ValueError("vocabulary, layers, width, heads and ff_width of at least 1")
        if self.kv_heads is not None and (self.kv_heads < 1 or self.heads % self.kv_heads):
            raise ValueError(f"kv_heads that divide the {self.heads} heads")
        if self.head_width is not None and self.head_width < 1:
            raise ValueError("a head_width of at least 1")
        if self.head_width is None and self.width % self.heads:
            raise ValueError(f"heads that divide the width {self.width}, or a head_width")
        if not 0 <= self.rotary_fraction <= 1 or self.rotary_width % 2:
            raise ValueError("a rotary_fraction in [0, 1] that turns a whole number of pairs")
        if self.window is not None and self.window < 1:
            raise ValueError("a window of at least 1 token")
        if self.moe is not None and self.width % _GROUPED_UNIT:
            raise ValueError(f"with experts, a width that {_GROUPED_UNIT} divides")

    @property
    def keys(self) -> int:
        """Heads of keys and values."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def per_head(self) -> int:
        """Width of one head."""
        return self.width // self.heads if self.head_width is None else self.head_width

    @property
    def rotary_width(self) -> int:
        """Elements of a head that turn with the position."""
        return round(self.rotary_fraction * self.per_head)


DECODER = Form("decoder", DecoderConfig)
