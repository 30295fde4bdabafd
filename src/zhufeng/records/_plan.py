"""`Plan`: a model on a number of chips; the plan, the simulator's input and the launch file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from zhufeng.base import record
from zhufeng.records._forms import Form

Axis = Literal["tp", "cp", "ep", "dp", "pp"]


@record
class Plan:
    """How a training job is laid over chips. Short names are the field's own."""

    model: str
    """Folder or file of the model's configuration."""
    chip: str
    """Name of a known chip, or path of a Design."""
    fabric: str
    """Name of a known fabric, or path of its TOML."""
    chips: int
    tp: int = 1
    """Tensor parallel: chips that share each layer."""
    cp: int = 1
    """Context parallel: chips that share each sequence."""
    pp: int = 1
    """Pipeline parallel: stages in sequence."""
    vpp: int = 1
    """Virtual pipeline: chunks of layers a stage (interleaved schedule)."""
    dp: int = 1
    """Data parallel: replicas that share each batch."""
    ep: int = 1
    """Expert parallel: chips, within dp x cp, that share the experts."""
    sequence: int
    """Tokens a sequence."""
    global_batch: int
    """Sequences a step, over all chips."""
    micro_batch: int = 1
    """Sequences a replica takes at once."""
    zero_stage: Literal[0, 1, 2, 3] = 0
    """What is divided over dp: nothing, optimizer state, gradients too, parameters too."""
    recompute: Literal["none", "selective", "full"] = "none"
    sequence_parallel: bool = False
    precision: str = "bf16"
    rank_order: tuple[Axis, ...] = ("tp", "cp", "ep", "dp", "pp")
    """Axes from the nearest neighbours to the farthest."""

    def __post_init__(self) -> None:
        counts = ("chips", "tp", "cp", "pp", "vpp", "dp", "ep")
        for name in (*counts, "sequence", "global_batch", "micro_batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of at least 1")
        product = self.tp * self.cp * self.pp * self.dp
        if product != self.chips:
            raise ValueError(
                f"chips equal to tp*cp*pp*dp, which is {product}; chips is {self.chips}"
            )
        if (self.dp * self.cp) % self.ep:
            raise ValueError(f"dp*cp = {self.dp * self.cp} a multiple of ep = {self.ep}")
        if self.global_batch % (self.micro_batch * self.dp):
            raise ValueError(
                f"global_batch = {self.global_batch} a multiple of "
                f"micro_batch*dp = {self.micro_batch * self.dp}"
            )
        if sorted(self.rank_order) != ["cp", "dp", "ep", "pp", "tp"]:
            raise ValueError("each of tp, cp, ep, dp, pp once in rank_order")

    @property
    def micro_batches(self) -> int:
        """Micro-batches that one replica works through in a step."""
        return self.global_batch // (self.micro_batch * self.dp)


PLAN = Form("plan", Plan)


def write_plan(path: Path, plan: Plan) -> None:
    """Write ``plan.json``."""
    PLAN.write_json(path, plan)


def read_plan(path: Path) -> Plan:
    """Read ``plan.json``.

    Raises:
        InputError: it is missing, damaged, of a newer version, or does not divide.
    """
    return PLAN.read_json(path)
