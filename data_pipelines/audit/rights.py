"""Licence and consent of every clip, counted, and the clips that the policy keeps out."""

import collections
from collections.abc import Iterable, Mapping
from typing import Any

from data_pipelines.audit.finding import Finding
from data_pipelines.provenance.policy import refusal

PROCEDURAL = {"licence": "procedural", "consent_basis": "not needed"}


def check_rights(
    clips: Iterable[str], rows: Mapping[str, Mapping[str, Any]] | None, policy: str
) -> tuple[dict[str, dict[str, int]], list[Finding]]:
    """Counts of the clips by licence and by basis of consent, and findings; `rows` by clip.

    Clips are those of the ledger; several windows of one are one. None for `rows` is procedural.
    """
    licences: collections.Counter[str] = collections.Counter()
    consent: collections.Counter[str] = collections.Counter()
    found, seen = [], set()
    for clip in clips:
        if clip in seen or not clip:
            continue
        seen.add(clip)
        row = PROCEDURAL if rows is None else rows.get(clip)
        licences[row["licence"] if row else "unknown"] += 1
        consent[row.get("consent_basis", "none") if row else "none"] += 1
        why = "" if rows is None else refusal(row, policy)
        if why:
            told = f"{why} ({row['licence']})" if row else why
            found.append(Finding(clip=clip, kind="licence", detail=told))
    counts = {"licences": dict(licences.most_common()), "consent": dict(consent.most_common())}
    return counts, found
