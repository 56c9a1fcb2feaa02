"""The whole of an audit: examine every clip, judge, and write `audit.json`, `.html`, `clips.jsonl`.

audit.json is one object:

    version      1
    title        what was audited; `against`: titles of the sets it was compared with
    clips        how many could be read; `seconds`: their length in all
    flagged      clips with a finding; `counts`: findings by kind
    findings     objects of clip, kind, detail, value, threshold, other (`finding.Finding`)
    measures     by name: count, quantiles (0, 5, 25, 50, 75, 95, 100 %), histogram (edges, counts)
    estimates    clips that are probably speech or music (`content`)
    texts        caption and transcript: with, without, distinct, repeated, most_common
    licences     clips by licence; `consent`: by basis of consent
    dropped      what a preparation left out, by stage and reason
    thresholds   the config

clips.jsonl has for each clip its name, file digest, measures and texts: other thresholds can be
tried on it without decoding anything again. In memory are a few kB for each clip.
"""

import collections
import contextlib
import dataclasses
import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tqdm

from data_pipelines.audit import content, copies, rights, texts
from data_pipelines.audit.config import AuditConfig
from data_pipelines.audit.examine import Examiner, Note
from data_pipelines.audit.finding import KINDS, Finding
from data_pipelines.audit.page import Picture, page
from data_pipelines.audit.subjects import Collection
from data_pipelines.prepare.run import Runner
from v2a_jax.media.files import atomic_output

VERSION = 1
REPORT, PAGE, CLIPS = "audit.json", "audit.html", "clips.jsonl"
QUANTILES = (0, 5, 25, 50, 75, 95, 100)
BINS = 24


@contextlib.contextmanager
def workplace(out: Path) -> Iterator[Path]:
    """A folder beside `out` for what is noted on the way; gone at the end, whatever happens."""
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=parent) as folder:
        yield Path(folder)


def audit(
    collection: Collection,
    against: Iterable[Collection],
    out: Path,
    config: AuditConfig,
    *,
    folder: Path,
    run: Runner,
    progress: bool,
) -> dict[str, Any]:
    """Audits a collection into the folder `out`; returns the report.

    `run` maps a function over chunks; `folder` is an empty folder to note things in. UserError when
    a ledger or index is damaged, or `out` cannot be written.
    """
    examiners = []
    for number, one in enumerate((collection, *against)):
        place = folder / str(number)
        place.mkdir()
        examiners.append(Examiner(collection=one, folder=place, config=config))
    _examine(examiners, run, progress)
    ours, *others = examiners
    findings, told = _judge(ours, {one.collection.title: one for one in others}, config)
    report = _report(ours, findings, told, config)
    report["against"] = [one.collection.title for one in others]
    shown = _shown(examiners, findings, config.pictures)
    out.mkdir(parents=True, exist_ok=True)
    _write(out, report, shown, ours)
    return report


def _examine(examiners: list[Examiner], run: Runner, progress: bool) -> None:
    sizes = [one.collection.sizes() for one in examiners]
    with tqdm.tqdm(total=sum(map(sum, sizes)), unit="clip", disable=not progress) as bar:
        for examiner, chunks in zip(examiners, sizes, strict=True):
            for chunk in run(examiner, range(len(chunks))):
                bar.update(chunks[chunk])


def _judge(
    ours: Examiner, others: Mapping[str, Examiner], config: AuditConfig
) -> tuple[list[Finding], dict[str, Any]]:
    """All findings, in order of kind, and what was counted on the way."""
    collection, fields = ours.collection, [texts.Texts(name) for name in texts.FIELDS]
    for note, field in itertools.product(_read(ours), fields):
        field.add(note)
    counts, refused = rights.check_rights(
        (note.clip for note in _read(ours)), collection.rights(), config.policy
    )
    found = [
        *(finding for note in ours.notes() for finding in note.findings),
        *collection.faults(note.clip for note in ours.notes()),
        *copies.copies(ours.notes(), {name: one.notes() for name, one in others.items()}, config),
        *refused,
        *(one for note in _read(ours) for field in fields for one in field.findings(note, config)),
    ]
    order = list(KINDS)
    found.sort(key=lambda finding: order.index(finding.kind))
    return found, {**counts, "texts": {field.field: field.summary() for field in fields}}


def _read(examiner: Examiner) -> Iterator[Note]:
    """Notes of the clips that could be read."""
    return (note for note in examiner.notes() if note.fingerprint is not None)


def _report(
    ours: Examiner, findings: list[Finding], told: Mapping[str, Any], config: AuditConfig
) -> dict[str, Any]:
    values: dict[str, list[float]] = collections.defaultdict(list)
    clips = 0
    for note in _read(ours):
        clips += 1
        for name, value in note.measures.items():
            values[name].append(value)
    kinds = collections.Counter(finding.kind for finding in findings)
    return {
        "version": VERSION,
        "title": ours.collection.title,
        "clips": clips,
        "seconds": float(sum(values["seconds"])),
        "flagged": len({finding.clip for finding in findings}),
        "counts": {kind: kinds[kind] for kind in KINDS if kinds[kind]},
        "findings": [vars(finding) for finding in findings],
        "measures": {name: _distribution(some) for name, some in values.items() if some},
        "estimates": {
            "speech": sum(value >= content.SPEECH for value in values["speech"]),
            "music": sum(value >= content.MUSIC for value in values["music"]),
        },
        **told,
        "dropped": dict(ours.collection.dropped()),
        "thresholds": dataclasses.asdict(config),
    }


def _distribution(values: list[float]) -> dict[str, Any]:
    counts, edges = np.histogram(values, BINS)
    return {
        "count": len(values),
        "quantiles": np.percentile(values, QUANTILES).tolist(),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }


def _shown(examiners: list[Examiner], findings: Iterable[Finding], each: int) -> dict[str, Picture]:
    """Pictures, by name, of the first clips of each kind and of what they are copies of."""
    shares: collections.Counter[str] = collections.Counter()
    wanted: dict[str, None] = {}
    for finding in findings:
        shares[finding.kind] += 1
        if shares[finding.kind] <= each:
            wanted |= dict.fromkeys(name for name in (finding.clip, finding.other) if name)
    found: dict[str, Picture] = {}
    for number, examiner in enumerate(examiners):
        title = f"{examiner.collection.title}: " if number else ""
        for note in _read(examiner):
            called = {f"{title}{note.name}", f"{title}{note.clip}"} & wanted.keys() - found.keys()
            subject = examiner.collection.again(note.chunk, note.name) if called else None
            if subject is not None:
                found |= dict.fromkeys(called, Picture.of(subject))
    return found


def _write(
    out: Path, report: dict[str, Any], shown: Mapping[str, Picture], examiner: Examiner
) -> None:
    with atomic_output(out / CLIPS) as file:
        for note in _read(examiner):
            told = {name: value for name, value in note.to_json().items() if name in _TOLD}
            file.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
    with atomic_output(out / PAGE) as file:
        file.write(page(report, shown).encode())
    with atomic_output(out / REPORT) as file:
        file.write(json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n")


_TOLD = ("name", "clip", "asset", "start", "seconds", "captions", "transcript", "measures")
