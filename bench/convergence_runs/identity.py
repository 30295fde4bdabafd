"""What a result depends on, as hashes: a result that depends on other code counts for nothing.

The functions of `zhufeng.formats` stand for all that computes them, compiled or as tensors: tests
hold that to their bits.
"""

from __future__ import annotations

import ast
import hashlib
import io
import itertools
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import zhufeng
from zhufeng.base import sha256_json, to_json
from zhufeng.formats import blocks
from zhufeng.formats.microscaling import (
    MX_ELEMENTS,
    mx_numbers,
    nvfp4_quantiser,
    nvfp4_tensor_scale,
)
from zhufeng.hdl.ir import Module, print_ir
from zhufeng.models.reference import REFERENCES, ImageData
from zhufeng.records import Operands, Policy, family

MORE_IMAGES = 32_768
"""Held-out images beside the reference's 2,048."""
SEED_OF_IMAGES = 1_000_000
"""Theirs; no training has it."""
_ROOT = Path(zhufeng.__file__).parent
_TRAINED_BY = (
    "models/_attention.py",
    "models/_decoder.py",
    "models/_layers.py",
    "models/reference/_images.py",
    "models/reference/_networks.py",
    "models/reference/_reference.py",
    "models/reference/_shapes.py",
    "models/reference/_text.py",
    "stack/_emulate.py",
    "stack/_operand.py",
    "stack/_product.py",
    "stack/_shapes.py",
    "stack/_window.py",
    "training/_evaluate.py",
    "training/_loop.py",
    "training/_optimizer.py",
)


_BY_FAMILY = {
    "wide": ("stack/_wide.py",),
    "block": ("stack/_blocks.py",),
    "mx": ("stack/_microscaling.py", "stack/_steps.py"),
    "nvfp4": ("stack/_nvfp4.py", "stack/_steps.py"),
}


@cache
def identity(reference: str, own: Policy) -> str:
    """Of the settings, the policy, the formats and the code of a training; not of its seed, its
    steps, the machine and the versions of libraries.
    """
    settings = REFERENCES[reference]
    more = [MORE_IMAGES, SEED_OF_IMAGES] if isinstance(settings.data, ImageData) else []
    code = _code(_TRAINED_BY)
    return sha256_json([to_json(settings), to_json(own), code, *_formats(own), *more])


def _formats(policy: Policy) -> Iterator[str]:
    """What the formats of a policy mean: their functions, as the hardware language has them."""
    every = {one for rule in policy.rules for one in (rule.weight, rule.activation, rule.gradient)}
    for one in sorted(every, key=str):
        own, stochastic = family(one.format), one.rounding == "stochastic"
        yield _code(_BY_FAMILY[own])
        if own == "block":
            yield _of_blocks(_bits(one), stochastic=stochastic, planes=one.planes > 1)
        elif own == "mx":
            element = next(e for e in MX_ELEMENTS if one.format.endswith(e.name))
            yield _hashed(mx_numbers(element, "up", noisy=stochastic).ir, *_bytes(stochastic))
        elif own == "nvfp4":
            quantiser = nvfp4_quantiser(noisy=stochastic, shared=one.tile)
            yield _hashed(quantiser.ir, nvfp4_tensor_scale().ir, *_bytes(stochastic))
    widths = sorted({_bits(one) for one in every if one.format.startswith("block")})
    for pair in itertools.combinations_with_replacement(widths, 2):
        yield _hashed(blocks.block_dot(*pair).ir)


def _bits(own: Operands) -> int:
    return int(own.format.removeprefix("block"))


@cache
def _of_blocks(bits: int, *, stochastic: bool, planes: bool) -> str:
    quantiser = blocks.plane_quantiser if planes else blocks.quantiser
    functions = [
        blocks.largest_magnitude(),
        blocks.scale_code(bits),
        quantiser(bits, stochastic=stochastic),
    ]
    return _hashed(*(one.ir for one in functions), *_bytes(stochastic))


def _bytes(stochastic: bool) -> list[Module]:
    """What random bytes come of, where there are such."""
    return [blocks.tensor_key().ir, blocks.block_bytes().ir] if stochastic else []


def _hashed(*codes: Module) -> str:
    """Of what is printed, but for where in the source it stands."""
    texts = [re.sub(r' @"[^"]*"', "", print_ir(one)) for one in codes]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@cache
def _code(names: tuple[str, ...]) -> str:
    """Of some code, without its comments and docstrings."""
    texts = [plain((_ROOT / name).read_text()) for name in names]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def plain(source: str) -> str:
    """Python's text without comments, docstrings and empty lines: the same by every version's
    parser, which the dump of a tree is not.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            assert node.end_lineno is not None
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())
