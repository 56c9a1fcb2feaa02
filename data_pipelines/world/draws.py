"""Random factors of a clip, each from a stream of its own, so that one can be changed alone.

Philox is a counter-based generator (Salmon et al. 2011): the key holds (seed, split, index) and the
top word of the counter the factor's name. Any clip can be made alone, in any order, by any process.
"""

import copy
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from v2a_jax.errors import UserError

HELD_OUT = "ood"  # the split of what no other has
CONFLICT = "conflict"  # the split whose captions name another material than is seen and heard


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
    In the split `ood`, draws with something `beyond` the usual take that.
    """

    def __init__(self, seed: int, split: str, index: int, overrides: Mapping[str, Any]) -> None:
        self._address = (seed, split, index)
        self._overrides = dict(overrides)
        self._prefix = ""
        self.factors: dict[str, Any] = {}

    def part(self, name: str) -> "Draws":
        """The draws of one of a clip's scenes: the names of its factors begin with `name.`."""
        part = copy.copy(self)
        part._prefix = f"{self._prefix}{name}."
        return part

    def stream(self, name: str) -> np.random.Generator:
        """The generator of a factor too rich to be one value, such as noise."""
        return stream(*self._address, self._prefix + name)

    def uniform(
        self, name: str, low: float, high: float, *, beyond: tuple[float, float] | None = None
    ) -> float:
        """A number in [low, high)."""
        if beyond and self._split == HELD_OUT:
            low, high = beyond
        return self._record(name, lambda: float(self.stream(name).uniform(low, high)))

    def choice(
        self,
        name: str,
        options: Sequence[Any],
        weights: Sequence[float] = (),
        *,
        beyond: Sequence[Any] = (),
    ) -> Any:
        """One of `options`; equally likely without `weights`."""
        if beyond and self._split == HELD_OUT:
            options = beyond

        def draw() -> Any:
            return options[int(self.stream(name).choice(len(options), p=weights or None))]

        value = self._record(name, draw)
        if value not in options:
            raise UserError(f"world: factor {name} is {value!r}; it must be one of {options}")
        return value

    def happens(self, name: str, probability: float) -> bool:
        """True with `probability`."""
        return self._record(name, lambda: bool(self.stream(name).uniform() < probability))

    def told(self, name: str, value: str, options: Sequence[str]) -> str:
        """What captions say of factor `name`: its value, or in `conflict` another of `options`."""
        if self._split != CONFLICT:
            return value
        return self.choice(f"{name}.told", tuple(option for option in options if option != value))

    def finish(self) -> dict[str, Any]:
        """All factors drawn; UserError if an override named none of them."""
        unused = sorted(set(self._overrides) - set(self.factors))
        if unused:
            raise UserError(f"world: no factor {unused}; this clip has {sorted(self.factors)}")
        return dict(self.factors)

    @property
    def _split(self) -> str:
        return self._address[1]

    def _record(self, name: str, draw: Any) -> Any:
        name = self._prefix + name
        value = self._overrides[name] if name in self._overrides else draw()
        self.factors[name] = value
        return value
