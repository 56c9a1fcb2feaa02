"""Small clips as files, corpora made of them, and a preparation of them."""

import functools

import numpy as np
import pytest
import scipy.io.wavfile
from corpora import CORPORA

from data_pipelines.pool import run_pool
from data_pipelines.prepare.config import PrepareConfig
from data_pipelines.prepare.run import Corpus, prepare
from data_pipelines.world import WorldConfig, WorldSource
from data_pipelines.world.playable import write_mp4

SECONDS = 1.2


@pytest.fixture(scope="session")
def clip_files(tmp_path_factory):
    """Paths of an MP4 in which something moves and sounds, and of a WAV of noise; each 1.2 s."""
    folder = tmp_path_factory.mktemp("clips")
    config = WorldConfig(
        seed=3,
        split="train",
        clips=1,
        seconds=SECONDS,
        fps=25,
        size=32,
        sample_rate=16000,
        classes=("bounce",),
        offscreen_probability=1.0,
    )
    write_mp4(WorldSource(config)[0], folder / "clip.mp4")
    noise_N = np.random.default_rng(0).uniform(-9000, 9000, round(SECONDS * 16000))
    scipy.io.wavfile.write(folder / "clip.wav", 16000, noise_N.astype(np.int16))
    return folder / "clip.mp4", folder / "clip.wav"


@pytest.fixture
def corpus(tmp_path, clip_files):
    """corpus(name) makes the mini corpus of that source: the path to read."""
    return lambda name: CORPORA[name](tmp_path / name, *clip_files)


@pytest.fixture
def prepare_config():
    def make(**changes):
        values = {
            "seconds": 0.64,
            "stride": 0.64,
            "min_seconds": 0.2,
            "boundaries": "windows",
            "fps": 25,
            "size": 32,
            "sample_rate": 16000,
            "channels": 1,
            "require": ("audio",),
            "filters": (),
            "silence_db": -80.0,
            "stillness": 2,
            "annotators": ("sidecar", "labels"),
            "endpoint": "",
            "endpoint_model": "",
            "policy": "any",
            "shard_clips": 2,
        }
        return PrepareConfig(**(values | changes))

    return make


@pytest.fixture
def prepared(prepare_config):
    """prepared(path, out, source=.., workers=.., **config): the stages of the retention table."""

    def make(path, out, source="folder", workers=1, service=None, **given):
        about = {name: given.pop(name, None) for name in ("media", "ledger", "rights")}
        corpus, config = Corpus(source=source, path=path, **about), prepare_config(**given)
        run = functools.partial(run_pool, workers=workers)
        return prepare(corpus, out, config, run=run, progress=False, service=service)

    return make
