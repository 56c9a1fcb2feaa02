"""`v2a prepare`: from media files to records to train from.

v2a prepare --source=folder --input=videos --out=data/train
v2a prepare --source=vggsound --input=vggsound.csv --media=clips --split=train --out=data/vgg

Killed, it goes on when it is called again. With --engine=beam, Apache Beam runs the shards, here or
on a cluster that shares the folders; what follows `--` are Beam's own flags.
"""

import functools
import os
import pathlib

from absl import flags

from configs.base import PREPARE
from data_pipelines import sources
from data_pipelines.prepare.config import PrepareConfig
from data_pipelines.prepare.pool import run_pool
from data_pipelines.prepare.retention import as_text
from data_pipelines.prepare.run import DROPPED, Corpus, Runner, prepare
from data_pipelines.provenance.ledger import ledger_path
from data_pipelines.provenance.policy import POLICIES
from v2a_jax.bin.main import launch, no_more
from v2a_jax.errors import UserError

_SOURCE = flags.DEFINE_string("source", None, f"one of: {', '.join(sources.names())}; tfds:NAME")
_INPUT = flags.DEFINE_string("input", None, "folder, or file of annotations")
_MEDIA = flags.DEFINE_string("media", None, "folder of the media, where it is another")
_OUT = flags.DEFINE_string("out", None, "new folder for the records")
_SPLIT = flags.DEFINE_string("split", "", "only clips of this split; given to those without one")
_SECONDS = flags.DEFINE_float("seconds", PREPARE["seconds"], "length of a window")
_STRIDE = flags.DEFINE_float("stride", None, "between windows' beginnings (default: --seconds)")
_MIN_SECONDS = flags.DEFINE_float("min_seconds", PREPARE["min_seconds"], "shorter ones are dropped")
_FPS = flags.DEFINE_integer("fps", PREPARE["fps"], "frames a second")
_SIZE = flags.DEFINE_integer("size", PREPARE["size"], "width and height in pixels")
_SAMPLE_RATE = flags.DEFINE_integer("sample_rate", PREPARE["sample_rate"], "of the audio, in Hz")
_CHANNELS = flags.DEFINE_integer("channels", PREPARE["channels"], "of the audio: 1 or 2")
_REQUIRE = flags.DEFINE_list("require", list(PREPARE["require"]), "what a clip must have")
_FILTERS = flags.DEFINE_list("filters", list(PREPARE["filters"]), "what is dropped: silent, still")
_POLICY = flags.DEFINE_enum("policy", PREPARE["policy"], POLICIES, "what provenance must allow")
_LEDGER = flags.DEFINE_string("ledger", None, "ledger whose withdrawn assets are left out")
_LICENCE = flags.DEFINE_string("licence", None, "of clips that have no evidence of one")
_EVIDENCE = flags.DEFINE_string("licence_evidence", None, "where --licence is written down")
_CONSENT = flags.DEFINE_string("consent", "licence", "basis of consent, with --licence")
_SHARD_CLIPS = flags.DEFINE_integer("shard_clips", PREPARE["shard_clips"], "clips in one shard")
_WORKERS = flags.DEFINE_integer("workers", os.cpu_count(), "processes that decode")
_ENGINE = flags.DEFINE_enum("engine", "pool", ("pool", "beam"), "what runs the shards")


def run(argv: list[str]) -> None:
    """Prepares the corpus the flags describe, and shows what was kept."""
    if _SOURCE.value is None or _INPUT.value is None or _OUT.value is None:
        raise UserError("prepare needs --source=NAME, --input=PATH and --out=DIR")
    runner = _runner(argv)
    stages = prepare(_corpus(), pathlib.Path(_OUT.value), _config(), run=runner, progress=True)
    print(as_text(stages))
    print(f"records: {_OUT.value} (what was dropped: {pathlib.Path(_OUT.value, DROPPED)})")


def _runner(argv: list[str]) -> Runner:
    if _ENGINE.value == "beam":
        from data_pipelines.prepare.beam import run_beam  # an extra, which takes seconds to import

        return functools.partial(run_beam, flags=argv[1:])
    no_more(argv)
    if _WORKERS.value < 1:
        raise UserError("prepare: --workers is at least 1")
    return functools.partial(run_pool, workers=_WORKERS.value)


def _corpus() -> Corpus:
    rights = None
    if _LICENCE.value is not None:
        if not _EVIDENCE.value:
            raise UserError("prepare: --licence needs --licence_evidence=ADDRESS")
        rights = sources.Rights(
            licence=_LICENCE.value, evidence=_EVIDENCE.value, consent=_CONSENT.value
        )
    return Corpus(
        source=_SOURCE.value,
        path=pathlib.Path(_INPUT.value),
        media=pathlib.Path(_MEDIA.value) if _MEDIA.value else None,
        split=_SPLIT.value,
        rights=rights,
        ledger=ledger_path(_LEDGER.value) if _LEDGER.value else None,
    )


def _config() -> PrepareConfig:
    return PrepareConfig(
        seconds=_SECONDS.value,
        stride=_SECONDS.value if _STRIDE.value is None else _STRIDE.value,
        min_seconds=_MIN_SECONDS.value,
        fps=_FPS.value,
        size=_SIZE.value,
        sample_rate=_SAMPLE_RATE.value,
        channels=_CHANNELS.value,
        require=tuple(_REQUIRE.value),
        filters=tuple(_FILTERS.value),
        silence_db=PREPARE["silence_db"],
        stillness=PREPARE["stillness"],
        policy=_POLICY.value,
        shard_clips=_SHARD_CLIPS.value,
    )


if __name__ == "__main__":
    launch(run)
