"""Values that follow from themselves."""

from __future__ import annotations

from zhufeng.hdl.ir import Module, operands


def in_cycles(module: Module) -> set[str]:
    """Those left when the others are taken out."""
    after = {name: set(operands(module, name)) for name in module.lets}
    before: dict[str, set[str]] = {name: set() for name in module.lets}
    for name, needed in after.items():
        for one in needed:
            before[one].add(name)
    left = set(module.lets)
    for ends, others in ((after, before), (before, after)):
        count = {name: len(ends[name] & left) for name in left}
        waiting = [name for name in left if not count[name]]
        while waiting:
            gone = waiting.pop()
            left.discard(gone)
            for one in others[gone] & left:
                count[one] -= 1
                waiting += [] if count[one] else [one]
    return left
