"""Two trees of weights compared by name: no leaf that differs goes untold."""

from collections import Counter
from collections.abc import Mapping
from typing import Any


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with each leaf that is not in both with one shape and type, by its name."""
    told = dict.fromkeys(wanted.keys() - found.keys(), "missing")
    told |= dict.fromkeys(found.keys() - wanted.keys(), "left over")
    for name in found.keys() & wanted.keys():
        old, new = (f"{tree[name].dtype}{list(tree[name].shape)}" for tree in (found, wanted))
        if old != new:
            told[name] = f"{old} there, {new} here"
    return dict(sorted(told.items()))


def listed(differing: Mapping[str, str]) -> str:
    """How many of them are missing, left over and changed, and then every one."""
    kinds = Counter(
        what if what in ("missing", "left over") else "changed" for what in differing.values()
    )
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{counts}: " + ", ".join(f"{name} ({what})" for name, what in differing.items())
