"""Values that are used before they are known: what goes both ways between modules."""

from __future__ import annotations

from typing import Any

from zhufeng.hdl._scope import scope, wrong
from zhufeng.hdl._signal import Signal, local, physical, spread_array
from zhufeng.hdl._struct import (
    AnyType,
    Struct,
    assembled,
    fit,
    flatten,
    leaves_of,
    need_type,
    type_of,
)


def wire(kind: AnyType) -> Any:
    """A value that `connect` gives later in the same function."""
    here = scope()
    need_type(kind, "a wire")
    leaves = [
        Signal(here, here.wire(physical(leaf, here.levels)), leaf, here.levels)
        for leaf in leaves_of(kind, "").values()
    ]
    return assembled(kind, leaves)


def connect(target: Any, value: Any) -> None:
    """Give a wire its value, once."""
    here = scope()
    wires = flatten(target)[0] if isinstance(target, Signal | Struct) else [target]
    for one in wires:
        is_wire = isinstance(one, Signal) and one.scope is here and here.is_wire(one.value)
        if not is_wire or here.joined(one.value):
            raise wrong(
                "connect",
                expected="a wire of this module that is not connected yet",
                came="a wire that is" if is_wire else "no wire",
                do="make one with wire(type) in this function, and connect it once as a whole",
            )
    kind = target.type if isinstance(target, Signal) else type_of(target)
    values, _ = flatten(fit(value, kind, "what is connected to a wire"))
    for one, given in zip(wires, values, strict=True):
        own = local(given)
        if not set(own.levels) <= set(one.levels):
            raise wrong(
                "connect",
                expected="a wire that is made within the same vmap",
                came="one from outside of it",
                do="make the wire in the function that vmap calls, or connect what vmap returns",
            )
        here.join(one.value, spread_array(own, one.levels))
