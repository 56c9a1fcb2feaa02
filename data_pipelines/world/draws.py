"""Random factors of a clip, each from a stream of its own, so that one can be changed alone.

Philox is a counter-based generator (Salmon et al. 2011): the key holds (seed, split, index) and the
top word of the counter the factor's name. Any clip can be made alone, in any order, by any process.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from v2a_jax.errors import UserError


def stream(seed: int, split: str, index: int, name: str) -> np.random.Generator:
    """The generator of factor `name` in clip `index` of `split`."""
    split_31 = zlib.crc32(split.encode()) & 0x7FFFFFFF
    key = np.array([seed, (split_31 << 32) | index], np.uint64)
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    counter = np.array([0, 0, 0, int.from_bytes(digest, "little")], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


class Draws:
    """Named draws of one clip; `overrides` replaces the values of the factors it names.

    `factors` lists what was drawn so far. An overridden factor leaves all others as they were.
    """

    def __init__(self, seed: int, split: str, index: int, overrides: Mapping[str, Any]) -> None:
        self._address = (seed, split, index)
        self._overrides = dict(overrides)
        self.factors: dict[str, Any] = {}

    def stream(self, name: str) -> np.random.Generator:
        """The generator of a factor too rich to be one value, such as noise."""
        return stream(*self._address, name)

    def uniform(self, name: str, low: float, high: float) -> float:
        """A number in [low, high)."""
        return self._record(name, lambda: float(self.stream(name).uniform(low, high)))

    def choice(self, name: str, options: Sequence[Any], weights: Sequence[float] = ()) -> Any:
        """One of `options`; equally likely without `weights`."""

        def draw() -> Any:
            return options[int(self.stream(name).choice(len(options), p=weights or None))]

        value = self._record(name, draw)
        if value not in options:
            raise UserError(f"world: factor {name} is {value!r}; it must be one of {options}")
        return value

    def happens(self, name: str, probability: float) -> bool:
        """True with `probability`."""
        return self._record(name, lambda: bool(self.stream(name).uniform() < probability))

    def finish(self) -> dict[str, Any]:
        """All factors drawn; UserError if an override named none of them."""
        unused = sorted(set(self._overrides) - set(self.factors))
        if unused:
            raise UserError(f"world: no factor {unused}; this clip has {sorted(self.factors)}")
        return dict(self.factors)

    def _record(self, name: str, draw: Any) -> Any:
        value = self._overrides[name] if name in self._overrides else draw()
        self.factors[name] = value
        return value
