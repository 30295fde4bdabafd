"""The frozen records in which rooms meet, and their versioned file forms. Without torch."""

from zhufeng.records._design import DESIGN, Design, read_design, write_design
from zhufeng.records._document import DOCUMENT, Document, Segment, Status
from zhufeng.records._episode import Clip, Episode, read_episodes, write_episodes
from zhufeng.records._forms import Form
from zhufeng.records._megatron import Shard, ShardWriter, read_shard, shard_writer, token_dtype
from zhufeng.records._plan import PLAN, Plan, read_plan, write_plan
from zhufeng.records._rows import read_jsonl, read_parquet, write_jsonl, write_parquet
from zhufeng.records._tiles import (
    TileGrid,
    pack_bitmap,
    skippable_share,
    unpack_bitmap,
    zero_tile_grids,
)
from zhufeng.records._token_set import (
    TOKEN_SET,
    TOKENS_FILE,
    TokenSet,
    read_token_set,
    write_token_set,
)
from zhufeng.records._workload import (
    TILE,
    WORKLOAD,
    Arrays,
    Gemm,
    Mode,
    Operand,
    Operation,
    Phase,
    Point,
    Role,
    Tensor,
    TensorKind,
    Workload,
    read_workload,
    write_workload,
)

__all__ = [
    "DESIGN",
    "DOCUMENT",
    "PLAN",
    "TILE",
    "TOKENS_FILE",
    "TOKEN_SET",
    "WORKLOAD",
    "Arrays",
    "Clip",
    "Design",
    "Document",
    "Episode",
    "Form",
    "Gemm",
    "Mode",
    "Operand",
    "Operation",
    "Phase",
    "Plan",
    "Point",
    "Role",
    "Segment",
    "Shard",
    "ShardWriter",
    "Status",
    "Tensor",
    "TensorKind",
    "TileGrid",
    "TokenSet",
    "Workload",
    "pack_bitmap",
    "read_design",
    "read_episodes",
    "read_jsonl",
    "read_parquet",
    "read_plan",
    "read_shard",
    "read_token_set",
    "read_workload",
    "shard_writer",
    "skippable_share",
    "token_dtype",
    "unpack_bitmap",
    "write_design",
    "write_episodes",
    "write_jsonl",
    "write_parquet",
    "write_plan",
    "write_token_set",
    "write_workload",
    "zero_tile_grids",
]
