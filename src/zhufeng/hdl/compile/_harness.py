"""A design between a module that drives it and one that watches it."""

from __future__ import annotations

from collections.abc import Iterable

from zhufeng.base import InputError
from zhufeng.hdl.ir import Form, Instance, Let, Module, check, need_module


def harness(
    design: Module, stimulus: Module | None = None, monitor: Module | None = None
) -> Module:
    """One module of three, so that what drives a design and watches it is compiled with it.

    Ports meet by name. What the stimulus gives, the design takes, or the monitor; what goes in and
    out of the design, the monitor takes: it may be a checksum, or a model of the design with
    assertions. Inputs that nothing gives, and those of the stimulus, are inputs of the whole, one
    for all that have one of that name; outputs are those of the monitor, or without one those of
    the design. Values inside are named ``design.value``, ``stimulus.value`` and ``monitor.value``.

    Args:
        design: of the IR.
        stimulus: gives inputs of the design, and of the monitor what is expected.
        monitor: takes inputs and outputs of the design; of two of one name the output.

    Raises:
        InputError: ports do not meet: the other side has none of that name, or of another type.
    """
    need_module(design)
    whole = _Harness(design)
    given = whole.add("stimulus", stimulus, {}) if stimulus else {}
    taken = dict.fromkeys([*design.inputs, *(monitor.inputs if monitor else ())])
    _need_known(stimulus, given, design, taken, "inputs")
    found = whole.add("design", design, given)
    if monitor:
        seen = {**given, **whole.instances["design"].inputs, **found}
        _need_known(monitor, monitor.inputs, design, seen, "ports")
        found = whole.add("monitor", monitor, seen)
    module = Module(
        f"{design.name}_harness", whole.inputs, found, whole.lets, instances=whole.instances
    )
    check(module)
    return module


class _Harness:
    """What is put together."""

    def __init__(self, design: Module) -> None:
        self.design = design
        self.inputs: dict[str, Form] = {}
        self.lets: dict[str, Let] = {}
        self.instances: dict[str, Instance] = {}

    def add(self, name: str, module: Module, given: dict[str, str]) -> dict[str, str]:
        """A part, with values for some of its inputs; its outputs."""
        need_module(module)
        taken = {}
        for port, form in module.inputs.items():
            if port not in given and port not in self.inputs:
                self.inputs[port] = form
                self.lets[port] = Let("input", form, (), (port,))
            taken[port] = given.get(port, port)
            self._need_form(f"port {port} of {module.name}", form, taken[port])
        self.instances[name] = Instance(module, taken)
        found = {}
        for port, value in module.outputs.items():
            found[port] = str(len(self.lets))
            self.lets[found[port]] = Let("port", module.form(value), (), (name, port))
        return found

    def _need_form(self, what: str, form: Form, value: str) -> None:
        if (came := self.lets[value].form) != form:
            raise InputError(
                what,
                expected=f"{form}, as it takes",
                came=f"{came}, as it is given",
                do="convert the value in the module that gives it",
            )


def _need_known(
    part: Module | None, ports: Iterable[str], design: Module, known: Iterable[str], which: str
) -> None:
    unknown = [port for port in ports if port not in known]
    if part and unknown:
        raise InputError(
            f"a harness of {design.name} with {part.name}",
            expected=f"ports named as the {which} of {design.name}: {', '.join(known)}",
            came=", ".join(unknown),
            do="rename them",
        )
