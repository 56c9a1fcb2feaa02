"""Noise-to-mask ratio: how far a change lies above (+) or below (-) what the sound itself hides.

The FFT ear model of PEAQ's basic version (ITU-R BS.1387-1; equations as in Kabal, "An examination
and interpretation of ITU-R BS.1387", 2002), a full-scale sine being heard at 92 dB SPL:

  frames of 2048 at 48 kHz, Hann, half overlapped -> outer and middle ear -> 109 bands of 1/4 Bark
  -> internal noise -> spreading over bands, level-dependent, power law 0.4 -> smearing over time
  -> mask M, lower by 3 dB, and by 0.25 dB a band above 12 Bark
  NMR = 10 log10 mean of N/M over frames and bands, N the band power of (|X| - |X'|)^2

Left out of the standard: bands above half the sample rate, and frames of digital silence.
"""

import functools

import numpy as np

from marking.ffmpeg import resample

RATE, FRAME = 48000, 2048
HOP = FRAME // 2
LOUDNESS_DB = 92.0  # of a full-scale sine
LOWEST_HZ, HIGHEST_HZ, BANDS = 80.0, 18000.0, 109
BAND_BARK = 0.25
FAINTEST = 1e-12  # band power, far below the internal noise
SILENT_DB = -200.0  # reported for no change at all


def noise_to_mask(plain_NC: np.ndarray, changed_NC: np.ndarray, rate: int) -> float:
    """NMR in dB of a change to float32[N,C]; all channels count alike."""
    ratios = []
    for plain_N, changed_N in zip(plain_NC.T, changed_NC.T, strict=True):
        before_TF, after_TF = _spectrum(plain_N, rate), _spectrum(changed_N, rate)
        heard_T = before_TF.sum(1) > 0
        mask_TB = _mask((before_TF**2) @ _grouping())
        noise_TB = (before_TF - after_TF) ** 2 @ _grouping()
        ratios.append((noise_TB / mask_TB)[heard_T][:, _edges()[1:] <= rate / 2])
    mean = np.concatenate(ratios).mean() if sum(map(len, ratios)) else 0.0
    return max(10 * np.log10(mean), SILENT_DB) if mean > 0 else SILENT_DB


def _spectrum(wave_N: np.ndarray, rate: int) -> np.ndarray:
    """float64[T,F]: magnitudes behind the middle ear."""
    wave_N = resample(wave_N[:, None].astype(np.float64), rate, RATE)[:, 0]
    padded_N = np.pad(wave_N, (HOP, FRAME))
    frames_TW = np.lib.stride_tricks.sliding_window_view(padded_N, FRAME)[::HOP]
    window_W = np.hanning(FRAME + 1)[:-1] * (4 / FRAME)  # a sine of amplitude 1 has magnitude 1
    return np.abs(np.fft.rfft(frames_TW * window_W)) * _ear() * 10 ** (LOUDNESS_DB / 20)


@functools.cache
def _ear() -> np.ndarray:
    """float64[F]: gain of the outer and middle ear."""
    khz = np.maximum(np.arange(FRAME // 2 + 1) * RATE / FRAME, 1.0) / 1000
    db = -2.184 * khz**-0.8 + 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) - 0.001 * khz**3.6
    return 10 ** (db / 20)


@functools.cache
def _edges() -> np.ndarray:
    """float64[B+1] in Hz, evenly spaced in Bark: z = 7 asinh(f / 650)."""
    lowest, highest = (7 * np.arcsinh(hz / 650) for hz in (LOWEST_HZ, HIGHEST_HZ))
    return 650 * np.sinh(np.minimum(lowest + BAND_BARK * np.arange(BANDS + 1), highest) / 7)


@functools.cache
def _centres() -> np.ndarray:
    bark = np.arcsinh(_edges() / 650)
    return 650 * np.sinh((bark[1:] + bark[:-1]) / 2)


@functools.cache
def _grouping() -> np.ndarray:
    """float64[F,B]: the part of each bin that lies in each band."""
    spacing = RATE / FRAME
    bin_F1 = np.arange(FRAME // 2 + 1)[:, None] * spacing
    low, high = _edges()[:-1], _edges()[1:]
    shared = np.minimum(high, bin_F1 + spacing / 2) - np.maximum(low, bin_F1 - spacing / 2)
    return np.clip(shared / spacing, 0, None)


def _mask(power_TB: np.ndarray) -> np.ndarray:
    """float64[T,B]: the power that is just masked."""
    khz = _centres() / 1000
    internal_B = 10 ** (0.1456 * khz**-0.8)
    heard_TB = _smeared(_spread(np.maximum(power_TB, FAINTEST) + internal_B))
    bark_B = BAND_BARK * np.arange(BANDS)
    return heard_TB / 10 ** (np.where(bark_B <= 12, 3.0, 0.25 * bark_B) / 10)


def _spread(power_TB: np.ndarray) -> np.ndarray:
    """Excitation: what each band's power adds to the others."""
    flat_B = _raised(np.ones((1, BANDS)))
    return (_raised(power_TB) / flat_B) ** 2.5


def _raised(power_TB: np.ndarray) -> np.ndarray:
    """float64[T,B]: sum over masking bands of their spread power to the 0.4."""
    level_TB = 10 * np.log10(power_TB)
    falling_TB = 24 + 230 / _centres() - 0.2 * level_TB  # dB per Bark above the masker
    distance_BB = BAND_BARK * (np.arange(BANDS) - np.arange(BANDS)[:, None])  # masker by masked
    total_TB = np.zeros_like(power_TB)
    for masker in range(BANDS):
        distance_B = distance_BB[masker]
        slope_TB = np.where(distance_B > 0, -falling_TB[:, masker, None], 27.0)
        spread_TB = 10 ** (slope_TB * distance_B / 10)
        spread_TB *= power_TB[:, masker, None] / spread_TB.sum(1, keepdims=True)
        total_TB += spread_TB**0.4
    return total_TB


def _smeared(power_TB: np.ndarray) -> np.ndarray:
    """Masking that lasts: each band decays with a time constant of 8 to 30 ms."""
    seconds_B = 0.008 + 100 / _centres() * (0.030 - 0.008)
    keep_B = np.exp(-HOP / RATE / seconds_B)
    smeared_TB, state_B = np.empty_like(power_TB), np.zeros(BANDS)
    for t, power_B in enumerate(power_TB):
        state_B = keep_B * state_B + (1 - keep_B) * power_B
        smeared_TB[t] = np.maximum(state_B, power_B)
    return smeared_TB
