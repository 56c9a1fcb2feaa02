"""What is measured on a set of soundtracks, each metric between its two bounds.

Lower bounds: shuffled (the sound made for another clip of the same class, scored against this
clip), no prompt, or no effect. Upper bounds: the codec's round trip of the true sound, which no
latent model can surpass by much, or the ideal where that is a number. Rows named `_true` score the
true sound itself: what the judge, not the model, gets wrong.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from v2a_jax.evaluation import codec, material
from v2a_jax.evaluation.bootstrap import Statistic, difference, estimate, ratio
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


def _pick(sounds: Sequence[np.ndarray], positions: Sequence[int]) -> list[np.ndarray]:
    return [mono(sounds[i]) for i in positions]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Figure:
    """A statistic of a measure's terms, its unit, and the value of a perfect sound."""

    statistic: Statistic
    unit: str
    ideal: float


def _against_shuffled(
    sheet: Sheet,
    figures: Mapping[str, _Figure],
    measure: Measure,
    positions: Sequence[int],
    tracks: Soundtracks,
    sampling: Sampling,
) -> None:
    """Scores generated sound between shuffled and round trip; then true and untrained sound."""
    others = shuffled(positions, tracks)
    ceiling = measure(_pick(tracks.round_trip, positions))
    sources = {"": tracks.prompted, "_true": tracks.true, "_untrained": tracks.untrained}
    for suffix, sounds in sources.items():
        if not sounds:
            continue
        terms, floor = measure(_pick(sounds, positions)), measure(_pick(sounds, others))
        for name, figure in figures.items():
            best = figure.ideal if suffix == "_true" else estimate(ceiling, figure.statistic)
            score = bootstrap_score(
                terms,
                statistic=figure.statistic,
                lower_bound=estimate(floor, figure.statistic),
                upper_bound=best,
                unit=figure.unit,
                sampling=sampling,
            )
            sheet.add(name + suffix, score)


def _quotient(term: int) -> Statistic:
    """Ratio of the terms `term` and `term + 1`."""
    return lambda sums: ratio(sums[..., term : term + 2])


def _onset_measure(positions: Sequence[int], tracks: Soundtracks) -> Measure:
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
        if i not in tracks.off_screen and len(event_times(clip.events))
    ]
    if len(positions) < 2:
        sheet.skip("onset_f1", "needs two clips with on-screen events and no off-screen sound")
        return
    figures = {
        f"onset_f1_{ms}ms": _Figure(statistic=_quotient(2 * k), unit="share", ideal=1.0)
        for k, ms in enumerate(TOLERANCES_MS)
    }
    error = _quotient(2 * len(TOLERANCES_MS))
    figures["onset_error"] = _Figure(statistic=error, unit="ms", ideal=0.0)
    measure = _onset_measure(positions, tracks)
    _against_shuffled(sheet, figures, measure, positions, tracks, sampling)


def add_material(sheet: Sheet, tracks: Soundtracks, judges: Judges, sampling: Sampling) -> None:
    """`material_accuracy`: does each isolated event sound of what it is made of?"""
    if judges.material is None:
        sheet.skip("material_accuracy", "the judges' training clips had fewer than two materials")
        return
    seconds = len(tracks.true[0]) / tracks.sample_rate
    events = {
        i: material.judged_events(clip.events, seconds)
        for i, clip in enumerate(tracks.clips)
        if i not in tracks.off_screen
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

    figures = {"material_accuracy": _Figure(statistic=ratio, unit="share", ideal=1.0)}
    _against_shuffled(sheet, figures, measure, positions, tracks, sampling)


def add_prompts(sheet: Sheet, tracks: Soundtracks, judges: Judges, sampling: Sampling) -> None:
    """`prompt_*` and `negative_*`: do words bring off-screen sounds, and take them away?"""
    if judges.tagger is None:
        sheet.skip("prompt_hit_rate", "the judges' training clips had no class that some lack")
        return
    named = [
        (k, position, name)
        for k, position in enumerate(tracks.off_screen)
        for name in off_screen(tracks.clips[position])
        if name in judges.tagger.names
    ]
    if not named:
        sheet.skip("prompt_hit_rate", "no clip has an off-screen sound that the tagger knows")
        return
    column = {name: k for k, name in enumerate(judges.tagger.names)}

    def heard(sounds: Sequence[np.ndarray], which: Sequence[int]) -> np.ndarray:
        found_BK = judges.tagger.detect([mono(sound) for sound in sounds], tracks.sample_rate)
        picked = zip(which, named, strict=True)
        return np.array([found_BK[i, column[name]] for i, (_, _, name) in picked], float)

    order, positions = [k for k, _, _ in named], [position for _, position, _ in named]
    prompted = heard(tracks.prompted, positions)
    unprompted, negative = heard(tracks.unprompted, order), heard(tracks.negative, order)
    ceiling = heard(tracks.round_trip, positions)
    rest = {"unit": "share", "sampling": sampling}
    floor, top = float(unprompted.mean()), float(ceiling.mean())
    sheet.add("prompt_hit_rate", rate_score(prompted, lower_bound=floor, upper_bound=top, **rest))
    true = heard(tracks.true, positions)
    sheet.add("prompt_hit_rate_true", rate_score(true, lower_bound=floor, upper_bound=1.0, **rest))
    gain = bootstrap_score(
        np.stack([prompted, np.ones_like(prompted), unprompted, np.ones_like(prompted)], axis=1),
        statistic=difference(ratio),
        lower_bound=0.0,
        upper_bound=top - floor,
        **rest,
    )
    sheet.add("prompt_gain", gain)
    # What is detected in clips that lack the class is what remains after a perfect removal.
    false_alarms = _false_alarms(tracks, judges, [name for _, _, name in named])
    _add_negative(sheet, prompted, negative, false_alarms, top, rest)


def _false_alarms(tracks: Soundtracks, judges: Judges, names: Sequence[str]) -> float:
    """Share of round-trip clips without a class in which it is detected, averaged over `names`."""
    sounds = [mono(sound) for sound in tracks.round_trip]
    found_BK = judges.tagger.detect(sounds, tracks.sample_rate)
    rates = []
    for name in names:
        lacking = [name not in clip.labels for clip in tracks.clips]
        column = judges.tagger.names.index(name)
        rates.append(found_BK[lacking, column].mean() if any(lacking) else np.nan)
    return float(np.mean(rates))


def _add_negative(
    sheet: Sheet,
    prompted: np.ndarray,
    negative: np.ndarray,
    false_alarms: float,
    top: float,
    rest: dict,
) -> None:
    without = float(prompted.mean())
    hit = rate_score(negative, lower_bound=without, upper_bound=false_alarms, **rest)
    sheet.add("negative_hit_rate", hit)
    suppression = bootstrap_score(
        np.stack([prompted - negative, prompted], axis=1),
        lower_bound=0.0,
        upper_bound=1.0 - false_alarms / top if top else float("nan"),
        **rest,
    )
    sheet.add("negative_suppression", suppression)


def add_retention(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    """`negative_retention`: onset F1 of what is seen, with over without the negative prompt."""
    kept = [k for k, i in enumerate(tracks.off_screen) if len(event_times(tracks.clips[i].events))]
    if len(kept) < 2:
        sheet.skip("negative_retention", "needs two clips with on-screen events and other sound")
        return
    positions = [tracks.off_screen[k] for k in kept]
    measure = _onset_measure(positions, tracks)
    negative_sounds = _pick(tracks.negative, kept)
    negative = measure(negative_sounds)
    place = {position: k for k, position in enumerate(positions)}
    other = measure([negative_sounds[place[i]] for i in shuffled(positions, tracks)])
    prompted = measure(_pick(tracks.prompted, positions))

    f1 = _quotient(2 * TOLERANCES_MS.index(50))

    def retention(sums: np.ndarray) -> np.ndarray:
        return ratio(np.stack([f1(half) for half in np.split(sums, 2, axis=-1)], axis=-1))

    score = bootstrap_score(
        np.concatenate([negative, prompted], axis=1),
        statistic=retention,
        lower_bound=estimate(np.concatenate([other, prompted], axis=1), retention),
        upper_bound=1.0,
        unit="ratio",
        sampling=sampling,
    )
    sheet.add("negative_retention", score)


def add_codec(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    """`codec_*`: the round trip against the true sound; lower bound: another clip's sound."""
    positions = range(len(tracks.clips))
    true = _pick(tracks.true, positions)
    round_trip, other = (
        _pick(tracks.round_trip, which) for which in (positions, shuffled(positions, tracks))
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
    generated = np.array([detect(sound) < p_value for sound in tracks.prompted], float)
    unmarked = np.array([detect(sound) < p_value for sound in tracks.true], float)
    rest = {"unit": "share", "sampling": sampling}
    found, mistaken = float(generated.mean()), float(unmarked.mean())
    sheet.add(
        "watermark_detected", rate_score(generated, lower_bound=mistaken, upper_bound=1.0, **rest)
    )
    sheet.add(
        "watermark_false_alarm", rate_score(unmarked, lower_bound=found, upper_bound=0.0, **rest)
    )
