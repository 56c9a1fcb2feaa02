"""`audit.html`: one page, for whoever decides whether to train on the data.

Nothing is fetched: pictures are data URIs, and the page's content security policy forbids all else.
Every text that comes from outside is escaped.
"""

import dataclasses
import html
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from data_pipelines.audit.finding import KINDS, RULES
from data_pipelines.audit.histogram import histogram
from data_pipelines.audit.subjects import Subject
from v2a_jax.evaluation.charts import figure
from v2a_jax.evaluation.examples import evenly
from v2a_jax.evaluation.pictures import STRIP_FRAMES, data_uri, spectrogram_png, strip_jpeg
from v2a_jax.evaluation.report_style import document

THUMBNAIL = 72
LISTED = 200  # findings of a kind in the page; all are in the JSON
PAIRED = ("leak", "duplicate")
MEASURES = {
    "level_db": "Level, dB of full scale",
    "silent": "Share of the sound that is silent",
    "clipped": "Share of samples that are clipped",
    "bandwidth": "Highest frequency, of half the sample rate",
    "still": "Share of frames that are still",
    "black": "Share of frames that are black",
    "offset": "Sound after picture, seconds, where it can be told",
    "speech": "Speech, an estimate",
    "music": "Music and other held tones, an estimate",
    "seconds": "Length, seconds",
}
MORE_STYLE = """
a { color: var(--accent); } .clean { color: #2e7d4f; } .faulty { color: var(--accent); }
table.plain { width: 100%; border-collapse: collapse; font-size: .92rem; }
table.plain th, table.plain td { text-align: left; padding: .4rem .8rem .4rem 0;
  border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
table.plain td.number, table.plain th.number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: .8rem;
  margin: .8rem 0; }
.cards.pairs { grid-template-columns: minmax(0, 1fr); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: .8rem; min-width: 0; }
.card .name { display: block; font-weight: 600; font-size: .88rem; overflow-wrap: anywhere; }
.card .said { display: block; font-size: .85rem; margin-bottom: .5rem; }
.card img { display: block; width: 100%; border-radius: .3rem; margin-top: .35rem; }
.card img.heard { height: 3.6rem; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: .8rem; }
.curve rect { fill: var(--interval); } .curve rect.faulty { fill: var(--accent); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 2rem; }
details.list summary { cursor: pointer; color: var(--soft); margin: .4rem 0; }
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """What is shown of a clip: its film strip and spectrogram, as encoded images; b'' for none."""

    strip: bytes
    spectrogram: bytes

    @classmethod
    def of(cls, subject: Subject) -> "Picture":
        """The pictures of a clip."""
        strip = heard = b""
        if subject.video is not None and len(subject.video):
            strip = strip_jpeg(
                np.stack([_thumbnail(k) for k in evenly(subject.video, STRIP_FRAMES)])
            )
        if subject.audio is not None and len(subject.audio):
            heard = spectrogram_png(np.nan_to_num(subject.audio), subject.sample_rate)
        return cls(strip=strip, spectrogram=heard)

    def html(self) -> str:
        """Both images."""
        seen = data_uri(self.strip, "image/jpeg")
        heard = data_uri(self.spectrogram, "image/png")
        return (f'<img class="seen" src="{seen}" alt="frames">' if self.strip else "") + (
            f'<img class="heard" src="{heard}" alt="spectrogram">' if self.spectrogram else ""
        )


def _thumbnail(frame_HWC: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(np.ascontiguousarray(frame_HWC))
    width = max(1, round(picture.width * THUMBNAIL / picture.height))
    return np.asarray(picture.resize((min(width, 4 * THUMBNAIL), THUMBNAIL)))


def page(report: Mapping[str, Any], shown: Mapping[str, Picture]) -> str:
    """The page of a report (see `run`), with pictures of clips by name."""
    by_kind = {
        kind: list(some)
        for kind, some in itertools.groupby(report["findings"], key=lambda one: one["kind"])
    }
    title = f"Audit of {report['title']}"
    body = [
        _summary(title, report),
        _kinds(report),
        *(_kind(kind, found, shown) for kind, found in by_kind.items()),
        _histograms(report),
        _tables(report),
        _thresholds(report),
    ]
    return document(title, "".join(body), media=["img-src"], style=MORE_STYLE)


def _summary(title: str, report: Mapping[str, Any]) -> str:
    count, flagged = len(report["findings"]), report["flagged"]
    verdict = (
        f'<b class="faulty">{count:,}</b><small>of {flagged:,} clips</small>'
        if count
        else '<b class="clean">none</b><small>nothing was found</small>'
    )
    others = ", ".join(report["against"])
    against = f" Compared with {html.escape(others)}." if others else ""
    tiles = [
        f"<li><small>Findings</small>{verdict}</li>",
        _tile("Clips", f"{report['clips']:,}", "that could be read"),
        _tile("Length", _hours(report["seconds"]), "in all"),
        _tile("Speech", _share(report, "speech"), "of clips, an estimate"),
        _tile("Music", _share(report, "music"), "or other held tones, an estimate"),
    ]
    return (
        f"<h1>{html.escape(title)}</h1><p>What is wrong with these clips, before anyone trains on "
        f'them.{against}</p><ul class="tiles">{"".join(tiles)}</ul>'
    )


def _tile(name: str, value: str, meaning: str) -> str:
    return f"<li><small>{name}</small><b>{value}</b><small>{meaning}</small></li>"


def _hours(seconds: float) -> str:
    return f"{figure(seconds / 3600)} h" if seconds >= 3600 else f"{figure(seconds / 60)} min"


def _share(report: Mapping[str, Any], name: str) -> str:
    return f"{report['estimates'][name] / max(1, report['clips']):.0%}"


def _kinds(report: Mapping[str, Any]) -> str:
    """Every kind that there is: what was looked for and not found is told too."""
    rows = []
    for kind, meaning in KINDS.items():
        count = report["counts"].get(kind, 0)
        name = f'<a href="#{kind}">{kind}</a>' if count else kind
        rows.append((name, meaning, f"<b>{count:,}</b>" if count else "0"))
    head = ("Looked for", "Meaning", "Findings")
    return f"<h2>Findings</h2>{_table(head, rows, numbers=1)}"


def _kind(kind: str, found: list[dict[str, Any]], shown: Mapping[str, Picture]) -> str:
    pictured = [one for one in found if one["clip"] in shown]
    paired = kind in PAIRED
    cards = "".join(_card(one, shown) for one in _first(pictured, shown))
    rows = [
        tuple(html.escape(one[name]) for name in ("clip", "detail", "other"))[: 3 if paired else 2]
        for one in found[:LISTED]
    ]
    more = f" (the first {LISTED}; all are in audit.json)" if len(found) > LISTED else ""
    listed = _table(("Clip", "What", "Copy")[: 3 if paired else 2], rows, numbers=0)
    return (
        f'<section id="{kind}"><h2>{kind.capitalize()}: {len(found):,}</h2>'
        f'<p class="soft">{KINDS[kind].capitalize()}.</p>'
        f'<div class="cards{" pairs" if paired else ""}">{cards}</div>'
        f'<details class="list"><summary>All {len(found):,}{more}</summary>{listed}</details>'
        "</section>"
    )


def _first(pictured: list[dict[str, Any]], shown: Mapping[str, Picture]) -> list[dict[str, Any]]:
    """One finding a clip, and those that are pairs whole."""
    whole = (one for one in pictured if not one["other"] or one["other"] in shown)
    return list({one["clip"]: one for one in whole}.values())


def _card(one: Mapping[str, Any], shown: Mapping[str, Picture]) -> str:
    sides = [
        f'<div><span class="name">{html.escape(name)}</span>{shown[name].html()}</div>'
        for name in (one["clip"], one["other"])
        if name
    ]
    said = f'<span class="said soft">{html.escape(one["detail"])}</span>'
    layout = "sides" if len(sides) > 1 else ""
    return f'<article class="card">{said}<div class="{layout}">{"".join(sides)}</div></article>'


def _histograms(report: Mapping[str, Any]) -> str:
    bounds = {rule.measure: (rule.threshold, rule.up_to) for rule in RULES}
    charts = []
    for name, title in MEASURES.items():
        if name in report["measures"]:
            field, up_to = bounds.get(name, ("", False))
            limit = report["thresholds"].get(field)
            charts.append(histogram(title, report["measures"][name], limit, up_to=up_to))
    return (
        '<h2>Measures</h2><p class="soft">Clips by value; darker bars lie beyond the threshold.</p>'
        f'<div class="curves">{"".join(charts)}</div>'
    )


def _tables(report: Mapping[str, Any]) -> str:
    counted = {
        "Licences": report["licences"],
        "Consent": report["consent"],
        "Left out by the preparation": report["dropped"],
    }
    parts = [_counts(name, counts) for name, counts in counted.items() if counts]
    for field, told in report["texts"].items():
        numbers = {name: told[name] for name in ("with", "without", "distinct", "repeated")}
        common = {f"“{row['text'][:60]}”": row["clips"] for row in told["most_common"]}
        parts.append(_counts(f"Clips by {field}", numbers | common))
    return f'<div class="columns">{"".join(parts)}</div>'


def _counts(title: str, counts: Mapping[str, int]) -> str:
    rows = [(html.escape(name), f"{count:,}") for name, count in counts.items()]
    return f"<div><h2>{title}</h2>{_table(('', 'Clips'), rows, numbers=1)}</div>"


def _thresholds(report: Mapping[str, Any]) -> str:
    told = html.escape(json.dumps(report["thresholds"], indent=1))
    return (
        '<h2>How it was judged</h2><div class="made"><details><summary>Thresholds</summary>'
        f"<pre>{told}</pre></details></div>"
    )


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]], *, numbers: int) -> str:
    """A table of ready HTML; the last `numbers` columns are numbers."""
    head = list(head)
    kinds = [""] * (len(head) - numbers) + [' class="number"'] * numbers
    titles = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(kinds, head, strict=True))
    lines = (
        "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True))
        for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="plain"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'
