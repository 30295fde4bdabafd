"""What a systolic array should give, as a monitor of one: each sum from its products."""

from __future__ import annotations

from typing import Any

from zhufeng.hdl import (
    Bool,
    Module,
    Signal,
    SInt,
    State,
    assert_,
    cover,
    module,
    mux,
    reg,
    shift_in,
    stack,
    total,
    wrap,
)


def products(n: int = 8, bits: int = 8, acc_bits: int = 24) -> Module[Any, ..., Signal]:
    """Watches `systolic` of the same parameters; its output is whether the sums are right.

    No sum travels here: every product is kept for as long as its sum is on its way, and what
    leaves a column in a cycle must be the total of those that belong to it.

    Args:
        n: rows and columns.
        bits: of a signed weight or activation.
        acc_bits: of a sum, which wraps.
    """
    number, product, out_type = SInt(bits), SInt(2 * bits), SInt(acc_bits)

    class Seen(State):
        weights: Signal = reg(number.array(n, n), reset=0)
        activations: Signal = reg(number.array(n, n), reset=0)
        products: Signal = reg(product.array(n, n, n), reset=0)

    @module(Seen, a=number.array(n), w=number.array(n), load=Bool, out=out_type.array(n))
    def products(s: Seen, a: Signal, w: Signal, load: Signal, out: Signal) -> tuple[Seen, Signal]:
        # Column c sees in a cycle what entered the row c cycles before.
        here = shift_in(a, s.activations, axis=1)
        now = here * s.weights
        # The sum that leaves now was in row r n - r cycles ago.
        due = stack(*(s.products[n - 1 - row, row] for row in range(n)))
        right = out == wrap(total(due), acc_bits)
        assert_(right, "each sum is that of its products")
        cover(load & (a[0] != 0), "weights move while activations do")
        cover(out[0] < 0, "a sum is negative")
        after = Seen(
            weights=mux(load, shift_in(w, s.weights), s.weights),
            activations=here,
            products=shift_in(now, s.products),
        )
        return after, right

    return products
