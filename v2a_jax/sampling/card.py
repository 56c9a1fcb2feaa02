"""The model card of a bundle: what it is, what it was made of, and what it cannot do."""

import pathlib
from collections.abc import Mapping
from typing import Any

from v2a_jax.models.functional import count
from v2a_jax.sampling.bundle import PARTS
from v2a_jax.sampling.quality import Clean
from v2a_jax.types import Params


def model_card(
    config: Mapping[str, Any],
    weights: Params,
    provenance: Mapping[str, Any],
    *,
    dtype: str,
    clean: Clean | None,
    scores: str,
) -> str:
    """Markdown; `scores` is the table of an evaluation, "" for none."""
    model, data = config["model"], provenance["data"]
    sizes = "\n".join(f"| {name} | {count(weights[name]):,} |" for name in PARTS)
    told = "\n".join(f"- {name}: {value}" for name, value in sorted(data.items()))
    trained = "\n".join(
        f"- {name}: {stage['run']['steps']} steps of {stage['run']['batch_size']} clips"
        for name, stage in provenance["stages"].items()
        if "run" in stage
    )
    origins = "\n".join(
        f"- {name}: {_origin(stage.get('provenance', {}))}{_before(stage)}{_tuned(name, stage)}"
        for name, stage in provenance["stages"].items()
    )
    return f"""# Model card

A V2A-JAX bundle: silent video in, a watermarked soundtrack out.

Sound at {model["codec"]["sample_rate"]} Hz, {model["codec"]["channels"]} channel(s); video seen at
{model["video"]["size"]} px, {model["video"]["fps"]} frames a second.

| part | parameters |
|---|---|
{sizes}

Weights are stored as {dtype}.

## Trained on
{told}

## Provenance
{origins}

## Training
{trained}

## Limits
It knows the sounds of its training data and no others; on other videos it makes those sounds.
Every soundtrack it makes carries a watermark.
{_input(clean)}
{_scores(scores)}"""


def _input(clean: Clean | None) -> str:
    """Whether it can tell a video that it was not made for."""
    if clean is None:
        return "It cannot tell whether a video looks like those it was trained on."
    return (
        f"It warns of videos that look unlike its training data: more than all but "
        f"{clean.warn_below:.0%} of {len(clean.distances)} clips of it."
    )


def _scores(table: str) -> str:
    """The section with what `v2a evaluate` has written, or nothing: the table names no weights."""
    if not table:
        return ""
    return f"""
## Scores
What an earlier `v2a evaluate` wrote; that it was of these weights is the exporter's word.

{table.strip()}
"""


def _origin(told: Mapping[str, Any]) -> str:
    """What a stage read, in one line."""
    if not told:
        return "not recorded"
    licences = ", ".join(f"{count} under {name}" for name, count in told["licences"].items())
    withheld = ", ".join(f"{count} {why}" for why, count in told.get("withheld", {}).items())
    return (
        f"{told['records']} records ({licences}), withheld: {withheld or 'none'}, "
        f"policy {told['policy']}, ledger {told.get('ledger_sha256', 'none')}"
    )


def _before(stage: Mapping[str, Any]) -> str:
    """What earlier starts of the run read, where that was not the same."""
    return "".join(
        f"; until step {told['until_step']}: {_origin(told)}"
        for told in stage.get("read_before", [])
    )


def _tuned(name: str, stage: Mapping[str, Any]) -> str:
    """What a stage began with and what that had read, in turn; nothing for a random start."""
    if not (base := stage.get("base")):
        return ""
    rank = stage["lora"]["rank"]
    how = f"factors of rank {rank} tuned on" if rank else "all weights tuned from"
    before = base["trained"].get("stages", {}).get(name, {})
    read = f"{_origin(before.get('provenance', {}))}{_before(before)}{_tuned(name, before)}"
    place = pathlib.PurePath(base["weights"]).name
    return f"; {how} weights {base['sha256'][:16]} of {place}, made of: {read}"
