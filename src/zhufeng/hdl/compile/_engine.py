"""Text of LLVM into code of this machine, kept for the next time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
from llvmlite import binding

from zhufeng.base import cache_folder, sha256_json, write_durable
from zhufeng.hdl.compile._frame import ENTRY, SIGNATURE


@dataclass(frozen=True)
class Code:
    """A function of this machine."""

    run: Callable[..., None]
    """As `Frame` describes it."""
    engine: Any
    """What must live as long as it is called."""


def coded(key: object, text: Callable[[], str]) -> Code:
    """The code of a function.

    Args:
        key: of JSON; the same for the same text.
        text: gives the text of a module of LLVM, where the code is not known from before.
    """
    path = cache_folder("hdl") / f"{sha256_json([key, *_surroundings()])}.o"
    known = _read(path)
    if known is None:
        known = _object(text())
        # Under a name of its own: others may be writing the same at the same time.
        own = path.with_name(f"{path.stem}.{os.getpid()}.o")
        write_durable(own, hashlib.sha256(known).digest() + known)
        own.rename(path)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(known))
    engine.finalize_object()
    return Code(SIGNATURE(engine.get_function_address(ENTRY)), engine)


def _read(path: Path) -> bytes | None:
    if not path.exists():
        return None
    found = path.read_bytes()
    digest, data = found[:32], found[32:]
    return data if hashlib.sha256(data).digest() == digest else None


@cache
def _surroundings() -> tuple[str, ...]:
    """What the code depends on beside the text: this package, LLVM, and the machine."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    ours = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    features = binding.get_host_cpu_features().flatten()
    return (
        ours,
        llvmlite.__version__,
        binding.get_host_cpu_name(),
        features,
    )


@cache
def _target() -> Any:
    # LLVM 22.1 fails on, or is wrong about, bits of odd numbers in vectors that this pass makes:
    # tests/hdl/kept/bit_of_a_vector.ir.
    binding.set_option("zhufeng", "-disable-vector-combine")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple()


def _machine() -> Any:
    return _target().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        # Products and sums stay one instruction, though a sum alone is ready sooner.
        features=f"{binding.get_host_cpu_features().flatten()},+fast-dpwssd",
        opt=3,
        jit=True,
    )


def _object(text: str) -> bytes:
    machine, module = _machine(), binding.parse_assembly(text)
    options = binding.create_pipeline_tuning_options(speed_level=3)
    # Everything is in vectors, and written out as far as that pays.
    options.slp_vectorization = options.loop_unrolling = False
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    found: bytes = machine.emit_object(module)
    return found
