"""The whole examination of a model on held-out clips: soundtracks, judges, scores with bounds."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.evaluation import measures, steering
from v2a_jax.evaluation.clips import Clip, Failure
from v2a_jax.evaluation.judges import Judges
from v2a_jax.evaluation.scores import Sampling, Score, Sheet, format_table
from v2a_jax.evaluation.soundtracks import Generator, Soundtracks, render


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How a model is examined.

    clips              held-out clips to use, from the first on
    batch              clips generated at once
    seed               of the soundtracks (clip i uses seed + i) and of the bootstrap
    resamples          bootstrap resamples over clips
    confidence         of the intervals, in (0, 1)
    watermark_p_value  below it a sound counts as marked
    """

    clips: int
    batch: int
    seed: int
    resamples: int
    confidence: float
    watermark_p_value: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores by name, why others are missing, the failures, and the sounds that were judged."""

    scores: dict[str, Score]
    skipped: dict[str, str]
    failures: tuple[Failure, ...]
    soundtracks: Soundtracks
    confidence: float

    def table(self) -> str:
        """Plain text: the scores, then what was not measured, then every failure."""
        lines = [format_table(self.scores, self.confidence)]
        lines += [f"not measured: {name} ({reason})" for name, reason in self.skipped.items()]
        lines += [f"failed: {f.clip}, {f.condition}: {f.reason}" for f in self.failures]
        return "\n".join(lines)


def evaluate(
    generator: Generator,
    clips: Sequence[Clip],
    judges: Judges,
    config: EvaluationConfig,
    *,
    detect: Callable[[np.ndarray], float] | None = None,
    untrained: Generator | None = None,
) -> Evaluation:
    """Examines `generator` on the first `config.clips` of `clips`.

    `detect` maps float32[N,C] to a watermark p-value; `untrained`, a model of random weights, adds
    rows `_untrained`. Raises UserError where no clip is usable or rates do not fit together.
    """
    if judges.sample_rate != generator.sample_rate:
        raise UserError(
            f"judges work at {judges.sample_rate} Hz, the model at {generator.sample_rate} Hz"
        )
    chosen = [clips[index] for index in range(min(len(clips), config.clips))]
    tracks = render(generator, chosen, batch=config.batch, seed=config.seed, untrained=untrained)
    sampling = Sampling(resamples=config.resamples, confidence=config.confidence, seed=config.seed)
    sheet = Sheet()
    measures.add_onsets(sheet, tracks, sampling)
    measures.add_material(sheet, tracks, judges, sampling)
    steering.add_prompts(sheet, tracks, judges, sampling)
    steering.add_retention(sheet, tracks, sampling)
    measures.add_codec(sheet, tracks, sampling)
    if detect is not None:
        measures.add_watermark(sheet, tracks, detect, config.watermark_p_value, sampling)
    sheet.add("failures", _failure_score(tracks))
    return Evaluation(
        scores=sheet.scores,
        skipped=sheet.skipped,
        failures=tracks.failures,
        soundtracks=tracks,
        confidence=config.confidence,
    )


def _failure_score(tracks: Soundtracks) -> Score:
    count, attempts = float(len(tracks.failures)), tracks.attempts
    return Score(
        value=count,
        low=count,
        high=count,
        lower_bound=float(attempts),
        upper_bound=0.0,
        n=attempts,
        unit="sounds",
    )
