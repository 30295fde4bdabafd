"""Values inside a module as outputs of it, to be recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zhufeng.hdl.interpret import recorded_part
from zhufeng.hdl.ir import Let, Module


def exposed(module: Module, names: Sequence[str]) -> tuple[Module, dict[str, str]]:
    """Make outputs of values.

    Args:
        module: of the IR.
        names: of values; of those of an instance as ``instance.value``.

    Returns:
        The module with more outputs, and what each name's output is called.

    Raises:
        InputError: there is no such value.
    """
    ports: dict[str, str] = {}
    for name in dict.fromkeys(names):
        number = len(ports)
        while (port := f"recorded_{number}") in module.outputs:
            number += 1
        module = _with_output(module, name, port)
        ports[name] = port
    return module, ports


def _with_output(module: Module, name: str, port: str) -> Module:
    part, rest = recorded_part(module, name)
    if not rest:
        return replace(module, outputs={**module.outputs, port: part})
    instance = module.instances[part]
    inner = _with_output(instance.module, rest, port)
    form = inner.form(inner.outputs[port])
    value = f"{part}_{port}"
    while value in module.lets:
        value += "_"
    return replace(
        module,
        instances={**module.instances, part: replace(instance, module=inner)},
        lets={
            **module.lets,
            value: Let(
                "port", replace(form, shape=(*instance.shape, *form.shape)), (), (part, port)
            ),
        },
        outputs={**module.outputs, port: value},
    )
