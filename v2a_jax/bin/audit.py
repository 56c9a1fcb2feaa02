"""`v2a audit`: what is wrong with training data, before anyone trains on them.

v2a audit --data=data/train --against=data/test --out=audits/train
v2a audit --source=folder --input=videos --out=audits/videos

Writes audit.html, audit.json and clips.jsonl into --out. Exit status 0: nothing was found, 1: there
are findings, 2: bad input.
"""

import functools
import os
import pathlib

from absl import flags

from configs.base import AUDIT, PREPARE
from data_pipelines import sources
from data_pipelines.audit.config import AuditConfig, validate
from data_pipelines.audit.dataset import Dataset
from data_pipelines.audit.run import PAGE, audit, workplace
from data_pipelines.audit.subjects import Collection
from data_pipelines.audit.unprepared import Unprepared
from data_pipelines.pool import run_pool
from data_pipelines.prepare.config import PrepareConfig
from data_pipelines.prepare.run import Corpus
from data_pipelines.provenance.policy import POLICIES
from data_pipelines.records import RecordSource
from v2a_jax.bin.main import launch, no_more
from v2a_jax.errors import UserError

_DATA = flags.DEFINE_string("data", None, "folder of records")
_AGAINST = flags.DEFINE_multi_string("against", [], "records that share no clip; repeatable")
_SOURCE = flags.DEFINE_string("source", None, f"one of: {', '.join(sources.names())}; tfds:NAME")
_INPUT = flags.DEFINE_string("input", None, "folder, or file of annotations")
_MEDIA = flags.DEFINE_string("media", None, "folder of the media, where it is another")
_SPLIT = flags.DEFINE_string("split", "", "only clips of this split; given to those without one")
_REQUIRE = flags.DEFINE_list("require", list(PREPARE["require"]), "what media must have")
_OUT = flags.DEFINE_string("out", None, "folder for the report")
_POLICY = flags.DEFINE_enum("policy", AUDIT["policy"], POLICIES, "what provenance must allow")
_PICTURES = flags.DEFINE_integer("pictures", AUDIT["pictures"], "shown of each kind of finding")
_WORKERS = flags.DEFINE_integer("workers", os.cpu_count(), "processes that examine")


def run(argv: list[str]) -> int:
    """Audits what the flags name; 1 when something was found."""
    no_more(argv)
    if _OUT.value is None or (_DATA.value is None) == (_SOURCE.value is None):
        raise UserError("audit needs --out=DIR, and --data=DIR or --source=NAME --input=PATH")
    if _SOURCE.value is not None and _INPUT.value is None:
        raise UserError("audit: --source needs --input=PATH")
    idle = [one.name for one in (_INPUT, _MEDIA, _SPLIT, _REQUIRE) if one.present]
    if _SOURCE.value is None and idle:
        raise UserError(f"audit: --{idle[0]} is of --source; records are read as they are")
    if _WORKERS.value < 1:
        raise UserError("audit: --workers is at least 1")
    config = AuditConfig(**{**AUDIT, "policy": _POLICY.value, "pictures": _PICTURES.value})
    validate(config)
    out = pathlib.Path(_OUT.value)
    with workplace(out) as folder:
        report = audit(
            _collection(folder, config),
            [_dataset(place, config) for place in dict.fromkeys(_AGAINST.value)],
            out,
            config,
            folder=folder,
            run=functools.partial(run_pool, workers=_WORKERS.value),
            progress=True,
        )
    for kind, count in report["counts"].items():
        print(f"{kind:12} {count:9,}")
    print(f"{len(report['findings']):,} findings in {report['clips']:,} clips: {out / PAGE}")
    return int(bool(report["findings"]))


def _collection(folder: pathlib.Path, config: AuditConfig) -> Collection:
    if _DATA.value is not None:
        return _dataset(_DATA.value, config)
    corpus = Corpus(
        source=_SOURCE.value,
        path=pathlib.Path(_INPUT.value),
        media=pathlib.Path(_MEDIA.value) if _MEDIA.value else None,
        split=_SPLIT.value,
    )
    asked = {"stride": PREPARE["seconds"], "require": tuple(_REQUIRE.value)}
    form = PrepareConfig(**{**PREPARE, **asked}, endpoint="", endpoint_model="")
    return Unprepared.plan(corpus, folder, form, chunk_clips=config.chunk_clips)


def _dataset(place: str, config: AuditConfig) -> Dataset:
    return Dataset(source=RecordSource(place), chunk_clips=config.chunk_clips)


if __name__ == "__main__":
    launch(run)
