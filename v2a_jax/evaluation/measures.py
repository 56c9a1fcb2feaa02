"""What is measured on a set of soundtracks, each metric between its two bounds.

Lower bounds: shuffled (the sound made for another clip of the same class, scored against this
clip), no prompt, or no effect. Upper bounds: the codec's round trip of the true sound, which no
latent model can surpass by much, or the ideal where that is a number. Rows named `_true` score the
true sound itself: what the judge, not the model, gets wrong.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from v2a_jax.evaluation import codec, material
from v2a_jax.evaluation.bootstrap import Statistic, estimate, ratio
from v2a_jax.evaluation.clips import off_screen
from v2a_jax.evaluation.judges import Judges
from v2a_jax.evaluation.onsets import detect_onsets, event_times, match_onsets
from v2a_jax.evaluation.scores import Sampling, Sheet, bootstrap_score, rate_score
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.evaluation.spectral import mono

TOLERANCES_MS = (25, 50, 100)
SDR_CEILING_DB = 60.0  # an exact copy would be infinite
Rows = np.ndarray
Measure = Callable[[Sequence[np.ndarray]], Rows]  # sounds of the chosen clips -> terms [n,K]


def shuffled(positions: Sequence[int], tracks: Soundtracks) -> list[int]:
    """For each position another one, of the same first label wherever that has two clips."""
    order = sorted(positions, key=lambda i: tracks.clips[i].labels[:1])
    partner = dict(zip(order, order[1:] + order[:1], strict=True))
    return [partner[i] for i in positions]


def pick(sounds: Mapping[int, np.ndarray], positions: Sequence[int]) -> list[np.ndarray]:
    """One channel, float32[N], of the sounds at `positions`."""
    return [mono(sounds[i]) for i in positions]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """A statistic of a measure's terms, its unit, and the value of a perfect sound."""

    statistic: Statistic
    unit: str
    ideal: float


def against_shuffled(
    sheet: Sheet,
    figures: Mapping[str, Figure],
    measure: Measure,
    positions: Sequence[int],
    tracks: Soundtracks,
    sampling: Sampling,
) -> None:
    """Adds each figure of generated sound between shuffled and round trip, then of other sound."""
    others = shuffled(positions, tracks)
    ceiling = measure(pick(tracks.round_trip, positions))
    sources = {"": tracks.prompted, "_true": tracks.true, "_untrained": tracks.untrained}
    terms = {
        suffix: (measure(pick(sounds, positions)), measure(pick(sounds, others)))
        for suffix, sounds in sources.items()
        if sounds
    }
    for (name, figure), suffix in itertools.product(figures.items(), terms):
        rows, floor = terms[suffix]
        best = figure.ideal if suffix == "_true" else estimate(ceiling, figure.statistic)
        score = bootstrap_score(
            rows,
            statistic=figure.statistic,
            lower_bound=estimate(floor, figure.statistic),
            upper_bound=best,
            unit=figure.unit,
            sampling=sampling,
        )
        sheet.add(name + suffix, score)


def quotient(term: int) -> Statistic:
    """Ratio of the terms `term` and `term + 1`."""
    return lambda sums: ratio(sums[..., term : term + 2])


def onset_measure(positions: Sequence[int], tracks: Soundtracks) -> Measure:
    """Terms: F1's numerator and denominator at each tolerance, then total error in ms and pairs."""
    times = [event_times(tracks.clips[i].events) for i in positions]

    def measure(sounds: Sequence[np.ndarray]) -> Rows:
        rows = []
        for sound_N, true_E in zip(sounds, times, strict=True):
            detected_D = detect_onsets(sound_N, tracks.sample_rate)
            matches = [match_onsets(detected_D, true_E, ms / 1000) for ms in TOLERANCES_MS]
            errors = 1000.0 * np.abs(matches[-1].errors)
            rows.append([*(t for m in matches for t in m.f1_terms), errors.sum(), len(errors)])
        return np.array(rows, float)

    return measure


def add_onsets(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    """`onset_*`: are sounds where the events are? On clips without off-screen sound."""
    positions = [
        i
        for i, clip in enumerate(tracks.clips)
        if not off_screen(clip) and len(event_times(clip.events))
    ]
    if len(positions) < 2:
        sheet.skip("onset_f1", "needs two clips with on-screen events and no off-screen sound")
        return
    figures = {
        f"onset_f1_{ms}ms": Figure(statistic=quotient(2 * k), unit="share", ideal=1.0)
        for k, ms in enumerate(TOLERANCES_MS)
    }
    error = quotient(2 * len(TOLERANCES_MS))
    figures["onset_error"] = Figure(statistic=error, unit="ms", ideal=0.0)
    measure = onset_measure(positions, tracks)
    against_shuffled(sheet, figures, measure, positions, tracks, sampling)


def add_material(sheet: Sheet, tracks: Soundtracks, judges: Judges, sampling: Sampling) -> None:
    """`material_accuracy`: does each isolated event sound of what it is made of?"""
    if judges.material is None:
        sheet.skip("material_accuracy", "the judges' training clips had fewer than two materials")
        return
    seconds = len(tracks.true[0]) / tracks.sample_rate
    events = {
        i: material.judged_events(clip.events, seconds)
        for i, clip in enumerate(tracks.clips)
        if not off_screen(clip)
    }
    positions = [i for i, judged in events.items() if judged]
    if len(positions) < 2:
        sheet.skip(
            "material_accuracy", "needs two clips with an isolated event of a known material"
        )
        return

    def measure(sounds: Sequence[np.ndarray]) -> Rows:
        rows = []
        for i, sound_N in zip(positions, sounds, strict=True):
            times = [event.time for event in events[i]]
            heard = judges.material.classify(material.features(sound_N, tracks.sample_rate, times))
            right = sum(h == e.material for h, e in zip(heard, events[i], strict=True))
            rows.append((right, len(times)))
        return np.array(rows, float)

    figures = {"material_accuracy": Figure(statistic=ratio, unit="share", ideal=1.0)}
    against_shuffled(sheet, figures, measure, positions, tracks, sampling)


def add_codec(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    """`codec_*`: the round trip against the true sound; lower bound: another clip's sound."""
    positions = range(len(tracks.clips))
    if len(positions) < 2:
        sheet.skip("codec", "needs two clips, to compare one with the other")
        return
    true = pick(tracks.true, positions)
    round_trip, other = (
        pick(tracks.round_trip, which) for which in (positions, shuffled(positions, tracks))
    )

    def capped(reference_N: np.ndarray, estimate_N: np.ndarray, _: int) -> float:
        return float(
            np.clip(codec.si_sdr(reference_N, estimate_N), -SDR_CEILING_DB, SDR_CEILING_DB)
        )

    for name, unit, distance, ideal in (
        ("codec_mel_distance", "dB", codec.log_mel_distance, 0.0),
        ("codec_stft_distance", "nats", codec.stft_distance, 0.0),
        ("codec_si_sdr", "dB", capped, SDR_CEILING_DB),
    ):

        def rows(estimates: Sequence[np.ndarray], distance: Callable = distance) -> Rows:
            pairs = zip(true, estimates, strict=True)
            values = np.array([distance(x_N, y_N, tracks.sample_rate) for x_N, y_N in pairs])
            # A silent reference has no SI-SDR: it counts neither way.
            defined = ~np.isnan(values)
            return np.stack([np.where(defined, values, 0.0), defined], axis=1)

        score = bootstrap_score(
            rows(round_trip),
            lower_bound=estimate(rows(other), ratio),
            upper_bound=ideal,
            unit=unit,
            sampling=sampling,
        )
        sheet.add(name, score)


def add_watermark(
    sheet: Sheet,
    tracks: Soundtracks,
    detect: Callable[[np.ndarray], float],
    p_value: float,
    sampling: Sampling,
) -> None:
    """`watermark_*`: how often generated sound is known as such, and true sound mistaken for it.

    `detect` maps float32[N,C] to the p-value of "unmarked".
    """
    generated, unmarked = (
        np.array([detect(sound_NC) < p_value for sound_NC in sounds.values()], float)
        for sounds in (tracks.prompted, tracks.true)
    )
    rest = {"unit": "share", "sampling": sampling}
    found, mistaken = float(generated.mean()), float(unmarked.mean())
    sheet.add(
        "watermark_detected", rate_score(generated, lower_bound=mistaken, upper_bound=1.0, **rest)
    )
    sheet.add(
        "watermark_false_alarm", rate_score(unmarked, lower_bound=found, upper_bound=0.0, **rest)
    )
