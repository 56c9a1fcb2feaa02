"""`plan.html`: one page, for whoever decides on chips; nothing is fetched, and it has no script."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from v2a_jax.evaluation.report_style import document
from v2a_jax.planning.report import gib, scaled, time_of

PARTS = {
    "compute": "Matrix products",
    "memory": "Memory",
    "ici": "Links between chips",
    "dcn": "Network between slices",
}
MORE_STYLE = """
.fits { color: #2e7d4f; } .not { color: var(--accent); }
table.plain { width: 100%; border-collapse: collapse; font-size: .92rem; margin: .6rem 0; }
table.plain th, table.plain td { text-align: left; padding: .4rem .8rem .4rem 0;
  border-top: 1px solid var(--line); vertical-align: middle; overflow-wrap: anywhere; }
table.plain thead th { font-weight: 500; font-size: .8rem; color: var(--soft); border-top: 0; }
table.plain .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
table.plain .wide { width: 45%; }
.fill { display: block; height: .8rem; border-radius: .25rem; background: var(--interval);
  min-width: 2px; }
.track { background: var(--reach); border-radius: .25rem; margin: 0; }
.fill.most { background: var(--accent); }
"""


def page(plan: Mapping[str, Any]) -> str:
    """The page of a plan (see `plan.to_json`) with its `search` and `would_fit`."""
    title = f"Plan: {plan['task']} on {plan['topology']}"
    body = [
        _summary(title, plan),
        _memory(plan),
        _remedies(plan),
        _prediction(plan),
        _collectives(plan),
        _search(plan),
        _buffers(plan),
        _made(plan),
    ]
    return document(title, "".join(body), style=MORE_STYLE)


def _summary(title: str, plan: Mapping[str, Any]) -> str:
    fits, mesh = plan["fits"], " × ".join(f"{name} {n}" for name, n in plan["mesh"].items())
    word = '<b class="fits">fits</b>' if fits else '<b class="not">too large</b>'
    least = "" if fits else "at least, "
    tiles = [
        f"<li><small>Verdict</small>{word}<small>on {plan['chips']} chips</small></li>",
        _tile(
            "Memory of a chip",
            gib(plan["hbm_bytes_per_chip"]),
            f"{least}of {gib(plan['hbm_limit'])}",
        ),
        _tile("Model", scaled(plan["flops_per_step"], "FLOP"), "a step, of all chips"),
    ]
    if fits:
        step, mfu = time_of(plan["predicted_step_seconds"]), f"{plan['predicted_mfu']:.0%}"
        tiles.append(_tile("Step", step, "predicted, not measured"))
        tiles.append(_tile("MFU", mfu, "predicted, not measured"))
    return (
        f"<h1>{html.escape(title)}</h1><p>{plan['examples']:,} examples a step in "
        f"{plan['accumulate']} microbatch(es), remat {plan['remat']}, {plan['dtype']}; mesh "
        f'{mesh}.</p><ul class="tiles">{"".join(tiles)}</ul>'
    )


def _tile(name: str, value: str, meaning: str) -> str:
    return f"<li><small>{name}</small><b>{value}</b><small>{meaning}</small></li>"


def _memory(plan: Mapping[str, Any]) -> str:
    rows = [
        (html.escape(name), gib(size), _bar(size / plan["hbm_limit"]))
        for name, size in plan["hbm"].items()
        if size
    ]
    told = "" if plan["fits"] else f'<p class="not">{html.escape(plan["missing"])}</p>'
    if plan["fits"] and plan["state_bytes"]:
        place = f"{gib(plan['aliased_bytes'])} of {gib(plan['state_bytes'])}"
        told = (
            f"<p>Donation verified: the state is updated in its own place ({place}).</p>"
            if plan["donated"]
            else f'<p class="not">The state is not donated, and held twice: only {place}.</p>'
        )
    head = ("On each chip", "Bytes", "Of its memory")
    return f"<h2>Memory</h2>{told}{_table(head, rows, '|number|wide')}"


def _bar(share: float, kind: str = "") -> str:
    width = f"{100 * min(1.0, share):.2f}%"
    return f'<div class="track"><i class="fill {kind}" style="width:{width}"></i></div>'


def _remedies(plan: Mapping[str, Any]) -> str:
    if plan["fits"] or plan["search"]:
        return ""
    lines = "".join(f"<div><code>{html.escape(one)}</code></div>" for one in plan["would_fit"])
    return f'<h2>What would fit</h2><div class="made">{lines or "<div>Nothing tried.</div>"}</div>'


def _prediction(plan: Mapping[str, Any]) -> str:
    told = plan["prediction"]
    if not told:
        return ""
    longest = plan["predicted_step_seconds"] or 1.0
    rows = [
        (
            name,
            time_of(told[part]),
            _bar(told[part] / longest, "most" if part == plan["bound_by"] else ""),
        )
        for part, name in PARTS.items()
    ]
    return (
        '<h2>Prediction</h2><p class="soft">Seconds that each part of a chip would be busy at its '
        "best rate; the step is at least as long as the longest. A roofline: nothing was "
        "measured, and real steps take longer.</p>"
        + _table(("Part", "Time", ""), rows, "|number|wide")
    )


def _collectives(plan: Mapping[str, Any]) -> str:
    if not plan["fits"]:
        return ""
    rows = [
        (
            one["kind"],
            "within a slice" if one["network"] == "ici" else "between slices",
            f"{one['count']:,}",
            gib(one["payload"]),
            gib(one["sent"]),
        )
        for one in plan["collectives"]
    ]
    head = ("Collective", "Network", "A step", "Payload", "Sent by each chip")
    listed = _table(head, rows, "||number|number|number") if rows else "<p>None.</p>"
    return (
        f"<h2>Between chips</h2>{listed}<p class='soft'>From and to its own memory each chip moves "
        f"{gib(plan['memory_traffic_bytes'])} a step.</p>"
    )


def _search(plan: Mapping[str, Any]) -> str:
    if not plan["search"]:
        return ""
    rows = [
        (
            f"{one['examples']:,} in {one['accumulate']}",
            one["remat"],
            " × ".join(f"{name} {n}" for name, n in one["mesh"].items() if n > 1) or "data 1",
            gib(one["hbm_bytes_per_chip"]),
            time_of(one["predicted_step_seconds"]) if one["fits"] else "too large",
            f"{one['predicted_mfu']:.0%}" if one["fits"] else "",
        )
        for one in plan["search"]
    ]
    head = ("Batch", "Remat", "Mesh", "Memory", "Step, predicted", "MFU")
    return f"<h2>Search</h2>{_table(head, rows, '|||number|number|number')}"


def _buffers(plan: Mapping[str, Any]) -> str:
    rows = [
        (html.escape(one["what"]), html.escape(one["where"]), gib(one["bytes"]))
        for one in plan["largest_buffers"]
    ]
    return (
        '<h2>Largest arrays</h2><p class="soft">Of a step, on one chip; not all of them live at '
        f"once.</p>{_table(('Array', 'Made in', 'Bytes'), rows, '||number')}"
    )


def _made(plan: Mapping[str, Any]) -> str:
    told = {name: value for name, value in plan.items() if name not in ("search", "would_fit")}
    text = html.escape(json.dumps(told, indent=1))
    return (
        '<h2>All figures</h2><div class="made"><details><summary>JSON</summary>'
        f"<pre>{text}</pre></details></div>"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kinds: str) -> str:
    """A table of ready HTML; `kinds` has the classes of its columns, between bars."""
    classes = [f' class="{kind}"' if kind else "" for kind in kinds.split("|")]
    titles = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(classes, head, strict=True))
    lines = (
        "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(classes, row, strict=True))
        for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="plain"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'
