"""The stage ``[fuse]``: several models answer as one."""

from __future__ import annotations

from zhufeng.fusion.union import FuseConfig
from zhufeng.report import Section
from zhufeng.route import Stage, Work


def _make(config: FuseConfig, work: Work) -> Section:
    from zhufeng.fusion.union import fuse, fuse_section  # noqa: PLC0415 (torch)

    sources = work.sources
    fused = fuse(config, sources["texts"], sources["members"], work.folder, work.seed)
    work.draft.figures |= {"members": len(fused.names), **fused.figures}
    return fuse_section(fused)


STAGE = Stage(
    name="fuse",
    title="Fusion",
    version=1,
    config=FuseConfig,
    make=_make,
    resumes=True,
    packages=("numpy", "safetensors", "tokenizers", "torch"),
)
