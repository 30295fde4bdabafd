"""docs/formats.md, chapter 3: random bytes."""

from __future__ import annotations

import numpy as np

from tests.formats import golden
from zhufeng.formats import blocks
from zhufeng.formats.host import Rounding, quantise, random_bytes
from zhufeng.hdl.compile import compile_function
from zhufeng.hdl.interpret import interpret

COUNT = 1 << 18
SIGMA = 1 / COUNT**0.5


def octets(**which: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """The bytes of the first blocks of a tensor."""
    whole = {"seed": 11, "step": 3, "tensor": 9, "orientation": 0} | which
    return random_bytes(Rounding(**whole), COUNT)


def test_rule_3_1_the_round_is_chaskeys() -> None:
    # golden.permute is checked against the published tags of Chaskey (test_golden.py).
    key = (0x00112233, 0x44556677, 0x8899AABB, 0xCCDDEEFF)
    right = golden.permute((key[0] ^ 5, key[1], key[2], key[3]), 5)
    found = compile_function(blocks.block_bytes().ir, 1)(key=np.array(key), index=5)["out"]
    assert found.tobytes() == b"".join(word.to_bytes(4, "little") for word in right)


def test_rule_3_2_the_key_is_of_seed_step_tensor_and_orientation() -> None:
    draw = np.random.default_rng(1)
    for _ in range(50):
        seed, step = int(draw.integers(0, 2**63)) * 2 + 1, int(draw.integers(0, 2**32))
        tensor, orientation = int(draw.integers(0, 2**31)), int(draw.integers(0, 2))
        found = Rounding(seed, step, tensor, orientation).key()
        assert tuple(found.tolist()) == golden.tensor_key(seed, step, tensor, orientation)


def test_rule_3_3_the_bytes_of_a_block_follow_from_its_number_alone() -> None:
    rounding = Rounding(2**64 - 1, 2**32 - 1, 2**31 - 1, 1)
    found = random_bytes(rounding, 5000)
    right = golden.bytes_many(2**64 - 1, 2**32 - 1, 2**31 - 1, 1, np.arange(5000))
    assert np.array_equal(found, right)
    x = np.random.default_rng(2).standard_normal((3, 20, 48)).astype(np.float32)
    whole, last = quantise(x, 6, rounding), quantise(x[2:], 6, rounding)
    # A row has four blocks with the one that fills up the last step: these have numbers too.
    assert whole.codes.shape == (3, 20, 4)
    numbers = np.arange(3 * 20 * 4).reshape(3, 20, 4)
    noise = golden.bytes_many(2**64 - 1, 2**32 - 1, 2**31 - 1, 1, numbers)[:, :, :3]
    right_blocks = golden.quantise_many(golden.cut(x, -1).view(np.uint32), 6, noise)
    assert np.array_equal(whole.elements[:, :, :3], right_blocks.elements)
    assert not np.array_equal(whole.elements[2:], last.elements)


def test_rule_3_4_element_j_has_byte_j() -> None:
    words = golden.permute((0xDEADBEEF ^ 7, 1, 2, 3), 5)
    key = np.array([0xDEADBEEF, 1, 2, 3])
    run = interpret(blocks.block_bytes().ir, {"key": key[None, None], "index": np.array([[7]])})
    assert run.outputs["out"][0, 0].tolist() == [
        words[j // 4] >> (8 * (j % 4)) & 255 for j in range(16)
    ]


def test_rule_3_5_the_bytes_are_uniform_and_not_correlated() -> None:
    found = octets()
    for j in range(16):
        counts = np.bincount(found[:, j], minlength=256)
        chi = ((counts - COUNT / 256) ** 2 / (COUNT / 256)).sum()
        # 255 degrees of freedom: six standard deviations.
        assert abs(chi - 255) < 6 * (2 * 255) ** 0.5
    plain = (found - 127.5) / 73.9
    inside = np.corrcoef(plain.T) - np.eye(16)
    assert abs(inside).max() < 6 * SIGMA
    for lag in (1, 2, 3, 4, 16, 32, 64, 256, 4096):
        assert abs((plain[lag:] * plain[:-lag]).mean(0)).max() < 6 * SIGMA
    for other in ({"orientation": 1}, {"tensor": 10}, {"step": 4}, {"seed": 12}):
        beside = (octets(**other) - 127.5) / 73.9
        assert abs((plain * beside).mean(0)).max() < 6 * SIGMA
