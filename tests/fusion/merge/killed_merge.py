"""A merge in a process of its own, slow enough to be killed: RECIPE OUT."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from zhufeng.fusion.merge import _group, _run, read_recipe, run
from zhufeng.fusion.tensors import _write

if __name__ == "__main__":
    _write._STEP_S = 0.0
    for module in (_group, _run):
        vars(module)["CHUNK"] = 64  # as the tests have it
    merge = _run._Merger.merge

    def slowly(self: Any, task: Any) -> None:
        time.sleep(0.02)
        merge(self, task)

    _run._Merger.merge = slowly  # type: ignore[method-assign]
    run(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]))
