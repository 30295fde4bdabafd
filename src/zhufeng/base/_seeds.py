"""One seed, many independent streams."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream called `names`; streams of other names are unrelated.

    Depends on the arguments alone, never on the order of calls, so that work can be resumed
    or divided between processes without changing any number.
    """
    text = "\x1f".join([str(seed), *(f"{type(name).__name__}:{name}" for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy's counter-based Philox generator on the stream called `names`."""
    import numpy as np  # noqa: PLC0415 (slow to import)

    return np.random.Generator(np.random.Philox(derive_seed(seed, *names)))
