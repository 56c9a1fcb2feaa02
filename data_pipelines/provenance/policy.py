"""Policies: which assets a preparation or a training run may read.

any         whatever is not withdrawn
research    what may be trained on, where the licence is written down
commercial  as research, and where commerce is allowed and consent has a basis
"""

from collections.abc import Mapping
from typing import Any

from data_pipelines.sources.clip import BASES
from v2a_jax.errors import UserError

POLICIES = ("any", "research", "commercial")
WITHDRAWN = "withdrawn"


def check_policy(policy: str) -> None:
    """UserError for a policy that there is not."""
    if policy not in POLICIES:
        raise UserError(f"unknown policy '{policy}' (one of: {', '.join(POLICIES)})")


def refusal(row: Mapping[str, Any] | None, policy: str) -> str:
    """Why `policy` keeps an asset with this row of the ledger out; '' when it does not."""
    if row is not None and row["status"] == WITHDRAWN:
        return WITHDRAWN
    if policy == "any":
        return ""
    if row is None:
        return "not in the ledger"
    if not row["gates"]["train"]:
        return "licence does not allow training"
    if not row["licence_evidence"]:
        return "no evidence of the licence"
    if policy == "commercial" and not row["gates"]["commercial"]:
        return "licence does not allow commerce"
    if policy == "commercial" and row["consent_basis"] not in BASES:
        return "no basis of consent"
    return ""
