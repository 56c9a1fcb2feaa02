"""Loudness after ITU-R BS.1770-4 and true peaks held under a ceiling, on sound that streams.

    l(j) = -0.691 + 10 log10 Σ_c z_cj         z_cj: mean square of channel c, K-weighted, in block j
    L    = -0.691 + 10 log10 mean_j Σ_c z_cj  over blocks with l(j) > -70 and l(j) > Γ

Blocks last 400 ms, one each 100 ms; Γ is L over the blocks above -70, less 10 LU. The K-weighting
is designed for any rate from the analogue prototypes of the Recommendation's filters. Every channel
weighs 1: it is meant for mono and stereo. One channel alone measures 3 LU less than two like it.
"""

import pathlib
from collections.abc import Iterable, Iterator

import numpy as np
import scipy.ndimage
import scipy.signal

from v2a_jax.media.blocks import Spool, with_context

HOPS = 4  # of 100 ms in a block
OFFSET, SILENT_LUFS, GATE_LU = -0.691, -70.0, -10.0
CEILING_DBTP = -1.0
MARGIN_DB = 0.05  # by which a moving gain can lift what lies between two samples
OVERSAMPLING = 4
LOOK_AHEAD_SECONDS = 0.01
REACH = 16  # samples that the interpolation filter needs on either side
PIECE_SECONDS = 2
MOST_GAIN_DB = 30.0  # what is fainter than that is meant to be faint
MOST_PUSH_DB = 6.0  # into the limiter, for the loudness that it takes away
ROUNDS, TOLERANCE_LU = 3, 0.2


class Meter:
    """Integrated loudness of the blocks float[n,C] that are added."""

    def __init__(self, rate: int, channels: int):
        self._filter = k_weighting(rate)
        self._state = np.zeros((len(self._filter), 2, channels))
        self._hop = round(rate / 10)
        self._held_N = np.zeros(0)
        self._energies: list[float] = []

    def add(self, block_NC: np.ndarray) -> None:
        """Consecutive samples."""
        if not len(block_NC):
            return
        heard_NC, self._state = scipy.signal.sosfilt(self._filter, block_NC, 0, self._state)
        power_N = np.concatenate([self._held_N, np.sum(heard_NC**2, axis=1)])
        whole = len(power_N) // self._hop * self._hop
        self._energies += power_N[:whole].reshape(-1, self._hop).mean(axis=1).tolist()
        self._held_N = power_N[whole:]

    def lufs(self) -> float:
        """Loudness so far in LUFS; minus infinity where nothing is above the absolute gate."""
        energies = np.asarray(self._energies)
        if len(energies) < HOPS:
            return -np.inf
        power_J = np.convolve(energies, np.full(HOPS, 1 / HOPS), "valid")
        audible_J = power_J[_lufs(power_J) > SILENT_LUFS]
        if not len(audible_J):
            return -np.inf
        gate = _lufs(audible_J.mean()) + GATE_LU
        return float(_lufs(audible_J[_lufs(audible_J) > gate].mean()))


def _lufs(power: np.ndarray) -> np.ndarray:
    return OFFSET + 10 * np.log10(np.maximum(power, 1e-30))


def k_weighting(rate: int) -> np.ndarray:
    """Second-order sections [2,6]: the shelf of a head, and the high-pass of low frequencies."""
    k, q = np.tan(np.pi * 1681.974450955533 / rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf_b = [high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k]
    shelf_a = [a0, 2 * (k * k - 1), 1 - k / q + k * k]
    k, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    pass_a = np.array([1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    shelf = np.array([*shelf_b, *shelf_a]) / a0
    return np.array([shelf, [1, -2, 1, *pass_a / pass_a[0]]])


def levelled(
    blocks_NC: Iterable[np.ndarray], *, rate: int, channels: int, lufs: float, folder: pathlib.Path
) -> Iterator[np.ndarray]:
    """The sound at `lufs`, under the ceiling; on the way it lies in a nameless file of `folder`.

    One gain for all of it, of MOST_GAIN_DB at most, raised in ROUNDS for what limiting takes away;
    where that is more than MOST_PUSH_DB, it stays quieter than asked for. What is below -70 LUFS,
    or shorter than a block, keeps its level.
    """
    meter = Meter(rate, channels)
    with Spool(folder, channels) as spool:
        for block_NC in blocks_NC:
            meter.add(block_NC)
            spool.write(block_NC)

        def at(gain_db: float) -> Iterator[np.ndarray]:
            gain = np.float32(10 ** (gain_db / 20))
            return limited((gain * block_NC for block_NC in spool.blocks()), rate=rate)

        first_db = _gain_db(lufs, meter.lufs())
        gain_db = first_db
        for _ in range(ROUNDS):
            heard = Meter(rate, channels)
            for block_NC in at(gain_db):
                heard.add(block_NC)
            missing = lufs - heard.lufs()
            if not (first_db < MOST_GAIN_DB and TOLERANCE_LU < missing < np.inf):
                break
            gain_db = min(gain_db + missing, first_db + MOST_PUSH_DB)
        yield from at(gain_db)


def _gain_db(lufs: float, found: float) -> float:
    return min(lufs - found, MOST_GAIN_DB) if np.isfinite(found) else 0.0


def limited(
    blocks_NC: Iterable[np.ndarray], *, rate: int, ceiling_db: float = CEILING_DBTP
) -> Iterator[np.ndarray]:
    """The sound with no true peak above `ceiling_db` dBTP; no delay, one gain for all channels.

        r[n] = min(1, ceiling / p[n])      p: largest magnitude near n, oversampled four times
        g[n] = Σ_k w[k] min_{|i|<=K} r[n + k + i],  |k| <= K,  w a Hann window of sum 1

    Each of the minima holds r[n], so g[n] <= r[n]; K is LOOK_AHEAD_SECONDS.
    """
    ceiling = 10 ** ((ceiling_db - MARGIN_DB) / 20)
    ahead = round(LOOK_AHEAD_SECONDS * rate)
    window = scipy.signal.windows.hann(2 * ahead + 3)[1:-1]
    window /= window.sum()
    context = 2 * ahead + REACH
    for piece_NC in with_context(blocks_NC, PIECE_SECONDS * rate, context):
        core_NC = piece_NC[context:-context]
        required_N = np.minimum(1, ceiling / np.maximum(_peaks(piece_NC), 1e-9))
        if required_N.min() < 1:
            least_N = scipy.ndimage.minimum_filter1d(required_N, 2 * ahead + 1)
            gain_N = scipy.signal.oaconvolve(least_N, window, "same")[context:-context]
            core_NC = core_NC * np.minimum(gain_N, 1)[:, None].astype(np.float32)
        yield core_NC


def _peaks(piece_NC: np.ndarray) -> np.ndarray:
    """The largest magnitude within a sample of each, between samples too: float[N]."""
    between_NC = scipy.signal.resample_poly(piece_NC, OVERSAMPLING, 1)
    each_N = np.abs(between_NC).reshape(len(piece_NC), -1).max(axis=1)
    return scipy.ndimage.maximum_filter1d(each_N, 3)


def true_peak_db(blocks_NC: Iterable[np.ndarray], *, rate: int) -> float:
    """The largest magnitude between and at samples, in dBTP; -180 for silence."""
    pieces = with_context(blocks_NC, PIECE_SECONDS * rate, REACH)
    return 20 * np.log10(max((_peaks(piece_NC).max() for piece_NC in pieces), default=0) + 1e-9)
