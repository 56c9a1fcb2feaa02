"""What a licence allows: training, evaluation, redistribution, commercial use.

It reads SPDX identifiers, and the names and addresses of Creative Commons licences. What it does
not know allows evaluation alone. It is a filter for data, and no legal advice.
"""

import dataclasses
import re

_CC_URL = re.compile(r"creativecommons\.org/licenses/([a-z+-]+)/(\d\.\d)", re.IGNORECASE)
_CC_NAME = re.compile(r"cc[ -]?(by(?:[ -](?:nc|nd|sa))*)(?:[ -](\d\.\d))?", re.IGNORECASE)
_ZERO = re.compile(r"creativecommons\.org/publicdomain|\bcc-?0\b|public domain", re.IGNORECASE)
_RESEARCH = re.compile(r"\b(research|academic|non-?commercial)\b", re.IGNORECASE)
_OPEN = frozenset(("MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "PDDL-1.0", "procedural"))
_SAMPLING = "sampling+"  # Freesound's old licence: not for advertising, not for commerce as a whole


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gates:
    """What may be done with an asset."""

    train: bool
    eval: bool
    redistribute: bool
    commercial: bool


def spdx(licence: str) -> str:
    """The SPDX identifier of a licence given by name or address; the text itself if unknown."""
    text = licence.strip()
    if _ZERO.search(text):
        return "CC0-1.0"
    found = _CC_URL.search(text) or _CC_NAME.fullmatch(text)
    if not found or found[1].lower() == _SAMPLING:
        return text
    terms = found[1].upper().replace(" ", "-")
    return f"CC-{terms}-{found[2] or '4.0'}"


def gates(licence: str) -> Gates:
    """What a licence, in SPDX or as text, allows."""
    name = spdx(licence)
    if name.startswith("CC-BY"):
        terms = name.split("-")
        return Gates(
            train=True,
            eval=True,
            redistribute="ND" not in terms,
            commercial="NC" not in terms,
        )
    if name == "CC0-1.0" or name in _OPEN:
        return Gates(train=True, eval=True, redistribute=True, commercial=True)
    research = bool(_RESEARCH.search(name))
    return Gates(train=research, eval=True, redistribute=False, commercial=False)
