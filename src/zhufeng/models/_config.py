"""The decoder's switches. Without torch, so that recipes and plans can hold them."""

from __future__ import annotations

from typing import Literal

from zhufeng.base import record
from zhufeng.records import Form

Norm = Literal["rms", "layer"]
Activation = Literal["silu", "gelu", "gelu_tanh", "fast_gelu", "relu2"]
Routing = Literal["softmax", "sigmoid"]
QkNorm = Literal["none", "before_rotary", "after_rotary"]
Scaling = Literal["linear", "llama3", "yarn"]
Order = Literal["halves", "neighbours"]

# torch's grouped matrix product wants rows of whole 16-byte units, in bfloat16 too.
_GROUPED_UNIT = 8


@record
class RotaryScaling:
    """How rotary frequencies are slowed for sequences longer than those first trained on."""

    kind: Scaling
    """All alike (linear), or slow ones only: blended by their turns over the trained length
    (Llama 3), or by their place among the frequencies (YaRN, Peng et al. 2023, section 3.2)."""
    factor: float
    """By which frequencies are divided."""
    trained: int = 0
    """Tokens of the first training's sequences; not used where all are slowed alike."""
    slow: float = 1.0
    """What turns less often than this over the trained length is slowed in full."""
    fast: float = 4.0
    """What turns more often is left alone."""
    rounded: bool = True
    """Whether YaRN's two places are rounded outwards to whole ones."""
    magnitude: float = 1.0
    """By which cosines and sines are multiplied."""

    def __post_init__(self) -> None:
        if not 0 < self.factor < float("inf") or not 0 < self.magnitude < float("inf"):
            raise ValueError("a factor and a magnitude above 0")
        if self.kind != "linear" and (self.trained < 1 or not 0 < self.slow < self.fast):
            raise ValueError(f"for {self.kind}, 'trained' tokens and 0 < slow < fast turns")


@record
class LatentConfig:
    """Keys and values from one narrow latent a token (multi-head latent attention, DeepSeek-V2).

    Of a head's width the last `rotary_width` elements turn with the position; their keys are
    shared by all heads.
    """

    kv_rank: int
    """Width of the latent that keys and values are made from."""
    rotary_width: int
    value_width: int
    """Of one head's values."""
    query_rank: int | None = None
    """Width of the latent that queries are made from; made directly without."""
    norm_epsilon: float = 1e-6
    """Of the latents' norms."""

    def __post_init__(self) -> None:
        if min(self.kv_rank, self.rotary_width, self.value_width, self.query_rank or 1) < 1:
            raise ValueError("ranks and widths of at least 1")
        if self.rotary_width % 2:
            raise ValueError("a rotary_width of whole pairs")


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
    shared_first: bool = False
    """Whether it is computed before the routed ones: gradients are then added in another order."""
    balance: float = 0.0
    """Coefficient of the balance loss (Switch Transformer, Fedus et al. 2021, eq. 4)."""
    groups: int = 1
    """Equal groups of experts; a token is sent to experts of its `active_groups` best, a group
    being as good as its two best experts together (DeepSeek-V3)."""
    active_groups: int = 1
    corrected: bool = False
    """Whether experts are chosen, not weighed, by scores plus a learned number each
    (DeepSeek-V3's balance without a loss)."""
    precise_router: bool = False
    """Whether the router multiplies in fp32 whatever the model's type."""
    precise_weights: bool = False
    """Whether experts are weighed and summed in fp32 whatever the model's type."""
    dense_layers: tuple[int, ...] = ()
    """Layers that have the plain feed-forward."""

    def __post_init__(self) -> None:
        if not 1 <= self.active <= self.experts:
            raise ValueError("1 to 'experts' active experts")
        if self.groups < 1 or self.experts % self.groups:
            raise ValueError(f"groups that divide the {self.experts} experts")
        if not 1 <= self.active_groups <= self.groups:
            raise ValueError("1 to 'groups' active groups")
        if self.active > self.active_groups * (self.experts // self.groups):
            raise ValueError("no more active experts than the active groups hold")
        if self.groups > 1 and self.experts == self.groups:
            raise ValueError("groups of at least two experts")
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
    rotary_order: Order = "halves"
    """In which a head's elements are multiplied and summed. Weights always lie by halves; sums in
    the order in which a model was trained round as they did there."""
    rotary_scaling: RotaryScaling | None = None
    attention_scale: float | None = None
    """By which q k^T is multiplied; 1 / sqrt(head width) without."""
    latent: LatentConfig | None = None
    """Queries, keys and values through latents, in place of plain projections. `qkv_bias` is then
    that of the projections onto the latents."""
    joint_qkv: bool = False
    """Whether queries, keys and values are one product, so that in a low precision their
    gradients are added before they are rounded."""
    activation: Activation = "silu"
    gated: bool = True
    """Whether the feed-forward multiplies its activation with a second projection."""
    joint_gate: bool = False
    """Whether both projections of a plain feed-forward are one product (see `joint_qkv`)."""
    sandwich: bool = False
    """Whether attention and feed-forward are normalised once more before they are added."""
    moe: MoeConfig | None = None
    """In place of the plain feed-forward."""
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
        self._check_together()

    def _check_together(self) -> None:
        blended = self.rotary_scaling is not None and self.rotary_scaling.kind == "yarn"
        if not int(blended) < self.rotary_base < float("inf"):
            raise ValueError("a rotary_base above 0, with YaRN above 1")
        if self.latent is not None:
            self._check_latent(self.latent)
        if self.rotary_order == "neighbours" and (self.qk_norm != "none" or self.joint_qkv):
            raise ValueError("a rotary_order of neighbours without qk_norm and joint_qkv")
        if self.joint_gate and not self.gated:
            raise ValueError("joint_gate only with a gate")

    def _check_latent(self, latent: LatentConfig) -> None:
        if self.keys != self.heads or self.joint_qkv or self.qk_norm != "none":
            raise ValueError("a latent without kv_heads, joint_qkv and qk_norm")
        if latent.rotary_width > self.per_head:
            raise ValueError(f"a rotary_width of at most the head width {self.per_head}")

    def moe_of(self, layer: int) -> MoeConfig | None:
        """The experts of a layer, if it has any."""
        return None if self.moe is None or layer in self.moe.dense_layers else self.moe

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
        if self.latent is not None:
            return self.latent.rotary_width
        return round(self.rotary_fraction * self.per_head)


DECODER = Form("decoder", DecoderConfig)
