"""Three things that are measured on soundtracks without asking a clip: codec, watermark, failures.

Lower bounds: another clip's sound, or sound of the other kind; upper bounds: the ideal.
"""

from collections.abc import Callable, Sequence

import numpy as np

from v2a_jax.evaluation import codec
from v2a_jax.evaluation.bootstrap import estimate, ratio
from v2a_jax.evaluation.examination import Rows, shuffled
from v2a_jax.evaluation.scores import Sampling, Score, Sheet, clip_score, trials
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.evaluation.spectral import mono

SDR_CEILING_DB = 60.0  # an exact copy would be infinite


def add_codec(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    """`codec_*`: the round trip against the true sound; lower bound: another clip's sound."""
    positions = range(len(tracks.clips))
    if len(positions) < 2:
        sheet.skip("codec", "needs two clips, to compare one with the other")
        return
    true = [mono(sound) for sound in tracks.true.values()]
    round_trip, other = (
        [mono(tracks.round_trip[i]) for i in which]
        for which in (positions, shuffled(positions, tracks))
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

        score = clip_score(
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
        trials(np.array([detect(sound_NC) < p_value for sound_NC in sounds.values()], float))
        for sounds in (tracks.prompted, tracks.true)
    )
    rest = {"unit": "share", "sampling": sampling}
    found, mistaken = estimate(generated, ratio), estimate(unmarked, ratio)
    sheet.add(
        "watermark_detected", clip_score(generated, lower_bound=mistaken, upper_bound=1.0, **rest)
    )
    sheet.add(
        "watermark_false_alarm", clip_score(unmarked, lower_bound=found, upper_bound=0.0, **rest)
    )


def add_failures(sheet: Sheet, tracks: Soundtracks) -> None:
    """`failures`: sounds of the model that came out unusable, between all of them and none."""
    count, attempts = float(len(tracks.of_model)), tracks.attempts
    sheet.add(
        "failures",
        Score(
            value=count,
            low=count,
            high=count,
            lower_bound=float(attempts),
            upper_bound=0.0,
            n=attempts,
            unit="sounds",
        ),
    )
