"""`v2a prepare`: from media files to records to train from.

v2a prepare --source=folder --input=videos --out=data/train
v2a prepare --source=vggsound --input=vggsound.csv --media=clips --split=train --out=data/vgg
v2a prepare --source=folder --input=films --out=data/films --boundaries=shots --annotators=describe

The annotator `endpoint` asks a model at --endpoint; the key to it is in V2A_ENDPOINT_KEY.

Killed, it goes on when it is called again. With --engine=beam, Apache Beam runs the shards, here or
on a cluster that shares the folders; what follows `--` are Beam's own flags.
"""

import functools
import os
import pathlib

from absl import flags

from configs.base import ENDPOINT, PREPARE
from data_pipelines import sources
from data_pipelines.annotate.chat import Service
from data_pipelines.pool import run_pool
from data_pipelines.prepare.config import ANNOTATORS, BOUNDARIES, PrepareConfig
from data_pipelines.prepare.retention import as_text
from data_pipelines.prepare.run import DROPPED, UNTOLD, Corpus, Runner, prepare
from data_pipelines.provenance.ledger import ledger_path
from data_pipelines.provenance.policy import POLICIES
from data_pipelines.sources.clip import BASES
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
_BOUNDARIES = flags.DEFINE_enum(
    "boundaries", PREPARE["boundaries"], BOUNDARIES, "windows over all, or within shots alone"
)
_FPS = flags.DEFINE_integer("fps", PREPARE["fps"], "frames a second")
_SIZE = flags.DEFINE_integer("size", PREPARE["size"], "width and height in pixels")
_SAMPLE_RATE = flags.DEFINE_integer("sample_rate", PREPARE["sample_rate"], "of the audio, in Hz")
_CHANNELS = flags.DEFINE_integer("channels", PREPARE["channels"], "of the audio: 1 or 2")
_REQUIRE = flags.DEFINE_list("require", list(PREPARE["require"]), "what a clip must have")
_FILTERS = flags.DEFINE_list("filters", list(PREPARE["filters"]), "what is dropped: silent, still")
_ANNOTATORS = flags.DEFINE_list(
    "annotators", list(PREPARE["annotators"]), f"in order of rank, of: {', '.join(ANNOTATORS)}"
)
_ENDPOINT = flags.DEFINE_string("endpoint", "", "OpenAI-compatible base address: https://host/v1")
_MODEL = flags.DEFINE_string("endpoint_model", "", "model that --endpoint is asked for")
_RATE = flags.DEFINE_float(
    "endpoint_rate", ENDPOINT["requests_a_minute"], "requests a minute, of all workers together"
)
_TIMEOUT = flags.DEFINE_float("endpoint_timeout", ENDPOINT["timeout"], "seconds for one answer")
_INSECURE = flags.DEFINE_bool("endpoint_insecure", False, "allow http to another machine")
_CACHE = flags.DEFINE_string("endpoint_cache", None, "folder where answers are kept for other runs")
_POLICY = flags.DEFINE_enum("policy", PREPARE["policy"], POLICIES, "what provenance must allow")
_LEDGER = flags.DEFINE_string("ledger", None, "ledger whose withdrawn assets are left out")
_LICENCE = flags.DEFINE_string("licence", None, "of clips that have no evidence of one")
_EVIDENCE = flags.DEFINE_string("licence_evidence", None, "where --licence is written down")
_CONSENT = flags.DEFINE_enum(
    "consent", "licence", (*BASES, "none"), "basis of consent, with --licence"
)
_SHARD_CLIPS = flags.DEFINE_integer("shard_clips", PREPARE["shard_clips"], "clips in one shard")
_WORKERS = flags.DEFINE_integer("workers", os.cpu_count(), "processes that decode")
_MOST_WORKERS = 10**6  # of Beam: only its own flags tell how many shards are made at once
_ENGINE = flags.DEFINE_enum("engine", "pool", ("pool", "beam"), "what runs the shards")


def run(argv: list[str]) -> None:
    """Prepares the corpus the flags describe, and shows what was kept."""
    if _SOURCE.value is None or _INPUT.value is None or _OUT.value is None:
        raise UserError("prepare needs --source=NAME, --input=PATH and --out=DIR")
    runner = _runner(argv)
    out = pathlib.Path(_OUT.value)
    stages = prepare(_corpus(), out, _config(), run=runner, progress=True, service=_service())
    print(as_text(stages))
    print(f"records: {out} (what was dropped: {out / DROPPED})")
    if (out / UNTOLD).stat().st_size:
        print(f"windows of which an annotator told nothing: {out / UNTOLD}")


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
    idle = [one.name for one in (_EVIDENCE, _CONSENT) if one.present]
    if _LICENCE.value is None and idle:
        raise UserError(f"prepare: --{idle[0]} needs --licence=NAME")
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
        boundaries=_BOUNDARIES.value,
        fps=_FPS.value,
        size=_SIZE.value,
        sample_rate=_SAMPLE_RATE.value,
        channels=_CHANNELS.value,
        require=tuple(_REQUIRE.value),
        filters=tuple(_FILTERS.value),
        silence_db=PREPARE["silence_db"],
        stillness=PREPARE["stillness"],
        annotators=tuple(_ANNOTATORS.value),
        endpoint=_ENDPOINT.value,
        endpoint_model=_MODEL.value,
        policy=_POLICY.value,
        shard_clips=_SHARD_CLIPS.value,
    )


def _service() -> Service:
    known = _ENGINE.value == "pool" or _WORKERS.present
    return Service(
        requests_a_minute=_RATE.value,
        workers=_WORKERS.value if known else _MOST_WORKERS,
        timeout=_TIMEOUT.value,
        attempts=ENDPOINT["attempts"],
        backoff=ENDPOINT["backoff"],
        insecure=_INSECURE.value,
        cache=pathlib.Path(_CACHE.value).absolute() if _CACHE.value else None,
    )


if __name__ == "__main__":
    launch(run)
