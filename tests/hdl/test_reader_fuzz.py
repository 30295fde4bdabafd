"""Random Verilog: what is read of it does as Icarus does with the Verilog itself."""

from __future__ import annotations

import pytest

from tests.hdl.verilog_bench import NEEDS_ICARUS, Design, disagreements
from tests.hdl.verilog_programs import verilog

CYCLES = 24


@NEEDS_ICARUS
@pytest.mark.parametrize("seed", range(8))
def test_what_is_read_of_random_verilog_does_the_same(seed: int) -> None:
    assert not disagreements(Design(verilog(seed)), seed, CYCLES, least=1)


@NEEDS_ICARUS
@pytest.mark.soak
def test_what_is_read_of_much_random_verilog_does_the_same() -> None:
    found = {
        seed: disagreements(Design(verilog(seed)), seed, 40, least=1) for seed in range(8, 400)
    }
    assert not {seed: one for seed, one in found.items() if one}


def test_the_same_seed_gives_the_same_verilog() -> None:
    assert verilog(3) == verilog(3)
    assert len({verilog(seed) for seed in range(50)}) == 50
