"""A bundle: the round trip through its neural codec as an attack, and its sampler to be timed."""

import functools
from collections.abc import Callable

import numpy as np

from marking import ours
from marking.attacks import Attack, of
from marking.ffmpeg import fit, resample
from v2a_jax.sampling.bundle import load_bundle
from v2a_jax.sampling.generator import Generator


def neural_codec(folder: str) -> Attack:
    """Through the codec of the bundle in a folder, at the codec's sample rate and back."""
    return of(functools.partial(_round_trip, generator=_generator(folder)))


def sampling(folder: str) -> tuple[Callable[[], object], float, int]:
    """A call that makes one window of sound, its seconds, and its sample rate."""
    generator = _generator(folder)
    size, seconds = generator.bundle.system.video_config.size, generator.seconds
    video = np.zeros((round(seconds * generator.fps), size, size, 3), np.uint8)
    return lambda: generator.generate(video), seconds, generator.sample_rate


@functools.cache
def _generator(folder: str) -> Generator:
    return Generator(load_bundle(folder), ours.throwaway_key("bundle"))


def _round_trip(
    wave: np.ndarray, rate: int, _rng: np.random.Generator, *, generator: Generator
) -> np.ndarray:
    sent_NC = resample(wave, rate, generator.sample_rate)
    if generator.bundle.system.codec_config.channels == 1:
        sent_NC = sent_NC.mean(1, keepdims=True)
    heard_NC = resample(generator.round_trip(sent_NC[None])[0], generator.sample_rate, rate)
    return fit(heard_NC, len(wave))
