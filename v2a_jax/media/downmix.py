"""Sound with fewer channels, or more: ITU-R BS.775 coefficients, without cancellation in mono.

    left = L + 0.71 C + 0.71 Ls     right = R + 0.71 C + 0.71 Rs     mono = (left + right) / 2

scaled so that nothing clips; the channel of low frequencies is left out, as the Recommendation
has it. Where left and right are of opposite phase their sum is silent though either is loud: a
stretch of STRETCH_SECONDS in which mono has less than LOST of the two channels' mean energy is
made of (left - right) / 2 instead, and FADE_SECONDS lead from one to the other.
"""

import math
from collections.abc import Iterator

import av
import numpy as np

STRETCH_SECONDS = 0.5
FADE_SECONDS = 0.02
LOST = 0.25  # 6 dB
CHANNELS = (1, 2)
PLACES = {3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}  # where a file is silent

_HALF = math.sqrt(0.5)
# What a channel gives to (left, right); the low frequencies, and what is not named, give nothing.
SHARES = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_HALF, _HALF),
    "FLC": (1.0, 0.0),
    "FRC": (0.0, 1.0),
    "SL": (_HALF, 0.0),
    "SR": (0.0, _HALF),
    "BL": (_HALF, 0.0),
    "BR": (0.0, _HALF),
    "BC": (0.5, 0.5),
    "WL": (1.0, 0.0),
    "WR": (0.0, 1.0),
    "TFL": (_HALF, 0.0),
    "TFR": (0.0, _HALF),
    "TFC": (0.5, 0.5),
    "TC": (0.5, 0.5),
    "TBL": (0.5, 0.0),
    "TBR": (0.0, 0.5),
    "TBC": (0.5, 0.5),
    "DL": (1.0, 0.0),
    "DR": (0.0, 1.0),
}


def mixed(
    blocks: Iterator[np.ndarray], *, layout: str | None, channels: int, sample_rate: int
) -> Iterator[np.ndarray]:
    """Blocks float32[n,C] with 1 or 2 channels; for mono, of STRETCH_SECONDS each.

    `layout` is FFmpeg's name of where the C channels are heard; None for the usual places.
    """
    sides = (_sides(block_NC, layout) for block_NC in blocks)
    if channels == 2:
        yield from sides
        return
    before = 0.0
    for sides_N2 in _regrouped(sides, stretch(sample_rate)):
        sum_N, difference_N = sides_N2.mean(axis=1), (sides_N2[:, 0] - sides_N2[:, 1]) / 2
        energy = np.square(sides_N2).mean()
        share = float(np.square(sum_N).mean() < LOST * energy)
        fade = np.minimum(np.arange(1, len(sum_N) + 1) / (FADE_SECONDS * sample_rate), 1.0)
        weight_N = (before + (share - before) * fade).astype(np.float32)
        yield (sum_N + weight_N * (difference_N - sum_N))[:, None]
        before = share


def stretch(sample_rate: int) -> int:
    """Samples for which one choice between sum and difference is made."""
    return max(1, round(STRETCH_SECONDS * sample_rate))


def _sides(block_NC: np.ndarray, layout: str | None) -> np.ndarray:
    """float32[n,2]: what is heard from the left and from the right."""
    if block_NC.shape[1] == 1:
        return np.repeat(block_NC, 2, axis=1)
    if block_NC.shape[1] == 2:
        return block_NC
    return block_NC @ matrix(layout, block_NC.shape[1])


def matrix(layout: str | None, channels: int) -> np.ndarray:
    """float32[C,2] from channels to left and right; all alike where their places are unknown."""
    name = layout or PLACES.get(channels)
    places = [channel.name for channel in av.AudioLayout(name).channels] if name else []
    shares_C2 = np.array([SHARES.get(place, (0.0, 0.0)) for place in places]).reshape(-1, 2)
    if len(shares_C2) != channels or not shares_C2.any(axis=0).all():
        shares_C2 = np.ones((channels, 2))
    return (shares_C2 / shares_C2.sum(axis=0).max()).astype(np.float32)


def _regrouped(blocks: Iterator[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """The same samples in blocks of one length, but for the last."""
    held, count = [], 0
    for block_NC in blocks:
        while len(block_NC):
            part_NC, block_NC = block_NC[: length - count], block_NC[length - count :]
            held.append(part_NC)
            count += len(part_NC)
            if count == length:
                yield np.concatenate(held)
                held, count = [], 0
    if held:
        yield np.concatenate(held)
