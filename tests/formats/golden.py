"""The golden model of docs/formats.md, chapters 1 to 4: what every other implementation must equal.

There are two models of the same rules, and neither uses floating-point arithmetic: fp32 stands as
its bits. The first is for one block or one sum, in Python's integers and fractions, as the rules
put it. The second, whose names end in ``many``, is the same over NumPy arrays, fast enough for
campaigns. `tests/formats/test_golden.py` holds the two together.

b, the bits of an element, is 4, 5, 6 or 8. Noise is the bytes of rule 3.4; without it, rounding is
to nearest. "Rule" is a number of docs/formats.md.

Where the page leaves a choice, both models take it alike: an infinity or a NaN poisons the whole
tile that shares a scale, and whether the plane lo is the zero block is each block's own matter, in
a tile too.
"""

from tests.formats._golden_many import (
    Blocks,
    PlanesMany,
    StateMany,
    bytes_many,
    cut,
    dot_many,
    passes_many,
    permute_many,
    planes_many,
    quantise_many,
    result_many,
    start_many,
    step_many,
    steps_many,
)
from tests.formats._golden_one import (
    GUARD,
    POISON,
    POISON_BLOCK,
    QUIET_NAN,
    SIZE,
    WIDTHS,
    ZERO,
    ZERO_BLOCK,
    Block,
    Pair,
    Planes,
    State,
    block_bytes,
    chaskey_round,
    dot,
    dot_passes,
    exponent_of,
    largest_element,
    magnitude,
    numbers,
    passes,
    permute,
    planes,
    quantise,
    result,
    scale_code,
    states,
    step,
    tensor_key,
    to_fp32,
    value,
)

__all__ = [
    "GUARD",
    "POISON",
    "POISON_BLOCK",
    "QUIET_NAN",
    "SIZE",
    "WIDTHS",
    "ZERO",
    "ZERO_BLOCK",
    "Block",
    "Blocks",
    "Pair",
    "Planes",
    "PlanesMany",
    "State",
    "StateMany",
    "block_bytes",
    "bytes_many",
    "chaskey_round",
    "cut",
    "dot",
    "dot_many",
    "dot_passes",
    "exponent_of",
    "largest_element",
    "magnitude",
    "numbers",
    "passes",
    "passes_many",
    "permute",
    "permute_many",
    "planes",
    "planes_many",
    "quantise",
    "quantise_many",
    "result",
    "result_many",
    "scale_code",
    "start_many",
    "states",
    "step",
    "step_many",
    "steps_many",
    "tensor_key",
    "to_fp32",
    "value",
]
