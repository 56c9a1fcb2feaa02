"""What a licence allows: training, evaluation, redistribution, commercial use.

It reads SPDX identifiers, and the names and addresses of Creative Commons licences. What it does
not know allows evaluation alone. It is a filter for data, and no legal advice.
"""

import dataclasses
import re

_CC_SITE = r"(?:https?://)?(?:www\.)?creativecommons\.org"
_CC_URL = re.compile(
    _CC_SITE + r"/licenses/(by(?:-(?:nc|nd|sa))*)/(\d\.\d)(?:/\S*)?", re.IGNORECASE
)
_CC_NAME = re.compile(r"cc[ -]?(by(?:[ -](?:nc|nd|sa))*)(?:[ -](\d\.\d))?", re.IGNORECASE)
_CC_SPDX = re.compile(r"CC-BY(-(?:NC|ND|SA))*-\d\.\d")
_ZERO = re.compile(
    _CC_SITE + r"/publicdomain/(?:zero|mark)/\d\.\d(?:/\S*)?|cc-?0(?:[ -]1\.0)?|public domain",
    re.IGNORECASE,
)
_RESEARCH = re.compile(r"\b(research|academic|non-?commercial)\b", re.IGNORECASE)
_OPEN = frozenset(("MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "PDDL-1.0", "procedural"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gates:
    """What may be done with an asset."""

    train: bool
    eval: bool
    redistribute: bool
    commercial: bool


def spdx(licence: str) -> str:
    """The SPDX identifier of a licence given by name or address; the text itself if unknown.

    Only the whole text is read as one: words around a name may say the contrary.
    """
    text = licence.strip()
    if _ZERO.fullmatch(text):
        return "CC0-1.0"
    found = _CC_URL.fullmatch(text) or _CC_NAME.fullmatch(text)
    if not found:
        return text
    terms = found[1].upper().replace(" ", "-")
    return f"CC-{terms}-{found[2] or '4.0'}"


def gates(licence: str) -> Gates:
    """What a licence, in SPDX or as text, allows."""
    name = spdx(licence)
    if _CC_SPDX.fullmatch(name):
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
