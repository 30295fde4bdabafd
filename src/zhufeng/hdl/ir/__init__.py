"""The IR: modules of named values that are arrays of bit-vectors."""

from zhufeng.hdl.ir._check import (
    IrError,
    below,
    check,
    inner_modules,
    memory_values,
    need_module,
    rebuilt,
    references,
    stateful,
)
from zhufeng.hdl.ir._form import BIT, Form
from zhufeng.hdl.ir._module import (
    Claim,
    Data,
    Fold,
    Instance,
    Let,
    Memory,
    Module,
    ReadPort,
    Register,
    WritePort,
)
from zhufeng.hdl.ir._ops import OPS, Op, problems
from zhufeng.hdl.ir._ports import CycleError, cone, links, operands, order, port_graph
from zhufeng.hdl.ir._text import IrTextError, module_names, parse_ir, print_ir

__all__ = [
    "BIT",
    "OPS",
    "Claim",
    "CycleError",
    "Data",
    "Fold",
    "Form",
    "Instance",
    "IrError",
    "IrTextError",
    "Let",
    "Memory",
    "Module",
    "Op",
    "ReadPort",
    "Register",
    "WritePort",
    "below",
    "check",
    "cone",
    "inner_modules",
    "links",
    "memory_values",
    "module_names",
    "need_module",
    "operands",
    "order",
    "parse_ir",
    "port_graph",
    "print_ir",
    "problems",
    "rebuilt",
    "references",
    "stateful",
]
