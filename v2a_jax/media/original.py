"""What becomes of the sound that a video already has, beside the generated one.

    replace  the generated sound alone
    mix      original + generated
    duck     original + 10^(g/20) generated, g held down where the original is loud
    keep     the original is copied as the first track; the generated sound is the second one

The sidechain of `duck`, in frames k of 10 ms with the original's mean square P[k]:

    E[k] = max(P[k], ρ E[k-1])              ρ = exp(-10 ms / RELEASE_SECONDS)
    g[k] = -min(DEPTH_DB, SLOPE max(0, 10 log10 E[k] - THRESHOLD_DB))

Within frame k the gain in dB runs straight from min(g[k-1], g[k]) to min(g[k], g[k+1]): it is down
when a sound begins, and comes up slowly after it.
"""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from v2a_jax.media.blocks import sized

CHOICES = ("replace", "mix", "duck", "keep")
FRAME_SECONDS = 0.01
RELEASE_SECONDS = 0.15
THRESHOLD_DB, SLOPE, DEPTH_DB = -50.0, 0.6, 18.0


def combined(
    generated_NC: Iterable[np.ndarray],
    original_NC: Iterable[np.ndarray],
    *,
    duck: bool,
    rate: int,
) -> Iterator[np.ndarray]:
    """The sum of two sounds of one length and rate, which may exceed full scale: float32[n,C].

    A single channel is heard in every channel of the other sound.
    """
    if duck:
        yield from sized(_ducked(generated_NC, original_NC, rate), rate)
        return
    pairs = zip(sized(generated_NC, rate), sized(original_NC, rate), strict=True)
    for made_NC, known_NC in pairs:
        yield made_NC + known_NC


def _ducked(
    generated_NC: Iterable[np.ndarray], original_NC: Iterable[np.ndarray], rate: int
) -> Iterator[np.ndarray]:
    """Frame by frame."""
    frame = round(FRAME_SECONDS * rate)
    original_NC, side_NC = itertools.tee(sized(original_NC, frame))
    frames = zip(sized(generated_NC, frame), original_NC, ducking(side_NC, rate=rate), strict=True)
    for made_NC, known_NC, (first_db, last_db) in frames:
        gain_N = 10 ** (np.linspace(first_db, last_db, len(made_NC), endpoint=False) / 20)
        yield known_NC + made_NC * gain_N[:, None].astype(np.float32)


def ducking(frames_NC: Iterable[np.ndarray], *, rate: int) -> Iterator[tuple[float, float]]:
    """For each frame of the original, the gain in dB at its beginning and at its end."""
    gains = itertools.chain([0.0], _gains(frames_NC, rate), [0.0])
    for (before, now), (_, after) in itertools.pairwise(itertools.pairwise(gains)):
        yield min(before, now), min(now, after)


def _gains(frames_NC: Iterable[np.ndarray], rate: int) -> Iterator[float]:
    energy = 0.0
    for frame_NC in frames_NC:
        kept = np.exp(-len(frame_NC) / rate / RELEASE_SECONDS)
        energy = max(float(np.mean(np.square(frame_NC))), kept * energy)
        over_db = 10 * np.log10(max(energy, 1e-12)) - THRESHOLD_DB
        yield -min(DEPTH_DB, SLOPE * max(0.0, over_db))
