"""One merge in a process of its own: HOW RECIPE OUT, figures as JSON on stdout."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_BLOCK = 1 << 22


def _ours(table: dict[str, Any], out: Path) -> Callable[[], object]:
    from zhufeng.base import parse  # noqa: PLC0415 (one rival a process)
    from zhufeng.fusion.merge import Recipe, run  # noqa: PLC0415 (one rival a process)

    recipe = parse(Recipe, table, "recipe")
    return lambda: run(recipe, out)


def _mergekit(table: dict[str, Any], out: Path, **options: Any) -> Callable[[], object]:
    from mergekit.config import MergeConfiguration  # type: ignore[import-untyped]  # noqa: PLC0415 (one rival a process)
    from mergekit.merge import run_merge  # type: ignore[import-untyped]  # noqa: PLC0415 (one rival a process)
    from mergekit.options import MergeOptions  # type: ignore[import-untyped]  # noqa: PLC0415 (one rival a process)

    options |= {"quiet": True, "copy_tokenizer": False, "write_model_card": False}
    names = {"method": "merge_method", "base": "base_model"}
    config = MergeConfiguration.model_validate({names.get(k, k): v for k, v in table.items()})
    chosen = MergeOptions(num_threads=os.cpu_count(), **options)
    return lambda: run_merge(config, str(out), chosen)


def _floor(table: dict[str, Any], out: Path) -> Callable[[], object]:
    """Read every source once, and write as much as one of them, to the disk."""
    sources = [Path(entry["model"]) / "model.safetensors" for entry in table["models"]]
    if "base" in table:
        sources.append(Path(table["base"]) / "model.safetensors")
    sources = list(dict.fromkeys(sources))

    def copy() -> None:
        buffer = bytearray(_BLOCK)
        view = memoryview(buffer)
        out.mkdir()
        with (out / "model.safetensors").open("wb", buffering=0) as written:
            for number, source in enumerate(sources):
                with source.open("rb", buffering=0) as read:
                    while got := read.readinto(buffer):
                        if number == 0:
                            written.write(view[:got])
            os.fsync(written.fileno())

    return copy


HOW: dict[str, Callable[[dict[str, Any], Path], Callable[[], object]]] = {
    "ours": _ours,
    "mergekit": _mergekit,
    "mergekit-async": lambda table, out: _mergekit(table, out, async_write=True, write_threads=2),
    "floor": _floor,
}


def main() -> None:
    """Do it, and tell what it took: after imports, as both import torch."""
    how, recipe, out = sys.argv[1:]
    work = HOW[how](json.loads(recipe), Path(out))
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = _peak_bytes()
    took = {"wall_s": wall, "cpu_s": cpu, "peak_bytes": peak, "sync_s": _sync_s(Path(out))}
    sys.stdout.write(json.dumps(took) + "\n")


def _peak_bytes() -> int:
    """Of this process alone: ru_maxrss has also what the process that began it had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _sync_s(folder: Path) -> float:
    """How long the disk still takes for what was written."""
    began = time.perf_counter()
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
