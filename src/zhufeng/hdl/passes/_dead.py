"""Dead code."""

from __future__ import annotations

from dataclasses import dataclass, replace

from zhufeng.hdl.ir import Fold, Instance, Module, below, memory_values
from zhufeng.hdl.passes._pass import Pass


@dataclass(frozen=True)
class DeadCode(Pass):
    """Takes out what no output and no claim follows from, in this cycle or a later one."""

    def one(self, module: Module) -> Module:
        """See `Pass`."""
        live = _live(module)
        parts = {
            (let.op, str(let.data[0]))
            for name, let in module.lets.items()
            if name in live and let.op in ("register", "read", "port")
        }
        return replace(
            module,
            lets={name: let for name, let in module.lets.items() if name in live},
            registers={k: one for k, one in module.registers.items() if ("register", k) in parts},
            memories={k: one for k, one in module.memories.items() if ("read", k) in parts},
            instances={
                k: one
                for k, one in module.instances.items()
                if ("port", k) in parts or _claims(one)
            },
            folds={
                k: one for k, one in module.folds.items() if ("port", k) in parts or _claims(one)
            },
        )


def _claims(part: Instance | Fold) -> bool:
    return any(one.claims for one in below(part.module))


def _live(module: Module) -> set[str]:
    waiting = [*module.outputs.values(), *(claim.value for claim in module.claims)]
    parts: list[Instance | Fold] = [*module.instances.values(), *module.folds.values()]
    for part in parts:
        if _claims(part):
            waiting += _taken(part)
    live: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in live:
            live.add(name)
            waiting += _followed(module, name)
    return live


def _taken(part: Instance | Fold) -> list[str]:
    enable = part.enable if isinstance(part, Instance) else None
    return [*part.inputs.values(), *([enable] if enable else [])]


def _followed(module: Module, name: str) -> list[str]:
    """What a value follows from, in this cycle or the one before."""
    let = module.lets[name]
    match let.op, *let.data:
        case "register", str(register):
            return [module.registers[register].next]
        case "read", str(memory), _:
            return list(memory_values(module.memories[memory]))
        case "port", str(part), _ if part in module.instances:
            return _taken(module.instances[part])
        case "port", str(part), _:
            return _taken(module.folds[part])
    return list(let.args)
