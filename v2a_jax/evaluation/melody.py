"""Whether notes are the right ones and keep the tempo.

A note is judged by YIN on what follows its true time. The picture tells which bar is struck but
not the key of the bars, so that a melody is right in any key. The tempo is judged by the
autocorrelation of the onset novelty: the shortest lag of 50 to 200 beats a minute that is about as
good as any is a beat.
"""

from collections.abc import Sequence

import numpy as np
from scipy.signal import find_peaks

from v2a_jax.evaluation import onsets, pitch
from v2a_jax.types import Event

NOTE_SECONDS = (0.02, 0.22)  # of a note that is judged, from its beginning on
FEWEST_NOTES = 4  # of a melody: where all may be moved alike, few are right by chance
LOWEST, HIGHEST = 80.0, 1800.0  # Hz
SLOWEST, FASTEST = 50.0, 200.0  # beats a minute
NEAR_TEMPO = 0.04
AS_GOOD = 0.75  # of the highest peak


def note_terms(wave_N: np.ndarray, sample_rate: int, notes: Sequence[Event]) -> tuple[float, float]:
    """Most notes that are within 50 cents of their pitch in one key, and all of them."""
    errors_E = np.sort([_error(wave_N, sample_rate, note) for note in notes])  # NaN last
    # With each note the higher ones that the same key brings near; NaN is near to nothing.
    near_EE = np.triu(errors_E <= errors_E[:, None] + 2 * pitch.NEAR_CENTS)
    return float(near_EE.sum(axis=1).max()), float(len(notes))


def _error(wave_N: np.ndarray, sample_rate: int, note: Event) -> float:
    """Cents above the true pitch; NaN where nothing is heard."""
    first, last = (round((note.time + age) * sample_rate) for age in NOTE_SECONDS)
    part_N = wave_N[first:last]
    if len(part_N) < 2 * round(pitch.WINDOW * sample_rate):
        return float("nan")
    _, heard_T = pitch.track(part_N, sample_rate, low=LOWEST, high=HIGHEST)
    if not np.isfinite(heard_T).any():
        return float("nan")
    return float(pitch.cents(np.nanmedian(heard_T), note.f1))


def judged_notes(events: Sequence[Event], seconds: float) -> list[Event]:
    """Notes with a known pitch that are long enough to have one, and end within the clip."""
    ends = NOTE_SECONDS[1]
    return [
        event
        for event in events
        if event.kind == "music" and event.f1 and event.time + ends <= min(seconds, event.end + 0.1)
    ]


def tempo(wave_N: np.ndarray, sample_rate: int) -> float:
    """Beats a minute; NaN where nothing changes or the sound is shorter than two slow beats."""
    novelty_T = onsets.novelty(wave_N, sample_rate)
    slow, fast = (round(60.0 / rate / onsets.HOP) for rate in (SLOWEST, FASTEST))
    if len(novelty_T) < 2 * slow or not novelty_T.any():
        return float("nan")
    centred_T = novelty_T - novelty_T.mean()
    power_F = np.abs(np.fft.rfft(centred_T, 2 * len(centred_T))) ** 2
    shared_L = np.arange(len(centred_T), 0, -1)
    likeness_L = np.fft.irfft(power_F)[: len(centred_T)] / shared_L
    lag = fast + _first_of_the_best(likeness_L[fast : slow + 1])
    # A parabola through the peak and its neighbours: finer than the 5 ms of a frame.
    left, top, right = likeness_L[lag - 1 : lag + 2]
    bend = left - 2 * top + right
    lag += 0.5 * (left - right) / bend if bend < 0 else 0.0
    return 60.0 / (lag * onsets.HOP)


def _first_of_the_best(likeness_L: np.ndarray) -> int:
    """Two beats are as alike as one: the first peak that comes near the highest is taken."""
    peaks, _ = find_peaks(likeness_L, height=AS_GOOD * likeness_L.max())
    return int(peaks[0]) if len(peaks) else int(np.argmax(likeness_L))


def keeps_tempo(heard: float, true: float) -> bool:
    """Whether a tempo is within 4 % of the true one."""
    return bool(abs(heard / true - 1.0) <= NEAR_TEMPO)
