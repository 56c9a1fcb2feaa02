"""The whole examination of a model on held-out clips: soundtracks, judges, scores with bounds."""

import dataclasses
import hashlib
import json
import types
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.evaluation import (
    following,
    measures,
    negatives,
    robustness,
    speech,
    steering,
    sync,
    unasked,
    variation,
)
from v2a_jax.evaluation.clips import SUDDEN, Clip, Failure
from v2a_jax.evaluation.examination import examine
from v2a_jax.evaluation.hearing import hear
from v2a_jax.evaluation.judges import Judges
from v2a_jax.evaluation.scores import Answers, Sampling, Score, Sheet, format_table
from v2a_jax.evaluation.soundtracks import Generator, Soundtracks, render
from v2a_jax.evaluation.takes import CONDITIONS, Amounts, Damage

Detector = Callable[[np.ndarray], float]  # float32[N,C] -> p-value of "unmarked"
FLATTERED = (  # figures that silence is good for
    *("negative_hit_rate", "negative_suppression", "negative_seen_suppression"),
    *("false_speech", "still_speech", "silence_kept", "silence_onsets", "engine_octaves"),
)
VERSION = 5  # of what is asked and how: figures of different versions don't compare


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How a model is examined.

    clips              held-out clips to use, from the first on
    variations         of them, those that get a second sound
    negatives          those that get one against what is seen, and those against what they lack
    wordings           those that get one by their short caption, and one by none
    stills             faces that get one as they stand still
    damaged            those that get one for a damaged picture
    batch              clips generated at once
    seed               of the soundtracks (clip i uses seed + i) and of the bootstrap
    resamples          bootstrap resamples over clips
    confidence         of the intervals, in (0, 1)
    watermark_p_value  below it a sound counts as marked
    """

    clips: int
    variations: int
    negatives: int
    wordings: int
    stills: int
    damaged: int
    batch: int
    seed: int
    resamples: int
    confidence: float
    watermark_p_value: float

    @property
    def amounts(self) -> Amounts:
        """How many clips have other sounds."""
        names = (field.name for field in dataclasses.fields(Amounts))
        return Amounts(**{name: getattr(self, name) for name in names})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores by name, why others are missing, the failures, and the sounds that were judged.

    `answers` are what the clips contributed to scores, for comparisons; `protocol` says how all
    was measured: two evaluations with the same `hash` in it asked the same of the same clips.
    """

    scores: dict[str, Score]
    answers: dict[str, Answers]
    skipped: dict[str, str]
    failures: tuple[Failure, ...]
    soundtracks: Soundtracks
    protocol: Mapping[str, object]
    confidence: float

    def table(self) -> str:
        """Plain text: the scores, then what was not measured, then every failure."""
        lines = [format_table(self.scores, self.confidence)]
        lines += [f"protocol {self.protocol['hash']}"]
        lines += [f"not measured: {name} ({reason})" for name, reason in self.skipped.items()]
        lines += [f"failed: {f.clip}, {f.condition}: {f.reason}" for f in self.failures]
        return "\n".join(lines)


def evaluate(
    generator: Generator,
    clips: Sequence[Clip],
    judges: Judges,
    config: EvaluationConfig,
    *,
    detect: Detector | None = None,
    untrained: Generator | None = None,
    training: Iterable[Clip] = (),
    artefacts: Mapping[str, Damage] = types.MappingProxyType({}),
    conditions: Sequence[str] = CONDITIONS,
) -> Evaluation:
    """Examines `generator` on the first `config.clips` of `clips`.

    `detect` maps float32[N,C] to a watermark p-value; `untrained`, a model of random weights, adds
    rows `_untrained`, and `training` clips rows `_nearest`; `artefacts` are what damages pictures;
    `conditions` are those under which sound is made. Raises UserError where no clip is usable or
    rates do not fit together.
    """
    if judges.sample_rate != generator.sample_rate:
        raise UserError(
            f"judges work at {judges.sample_rate} Hz, the model at {generator.sample_rate} Hz"
        )
    chosen = [clips[index] for index in range(min(len(clips), config.clips))]
    tracks = render(
        generator,
        chosen,
        batch=config.batch,
        seed=config.seed,
        amounts=config.amounts,
        artefacts=artefacts,
        untrained=untrained,
        training=training,
        conditions=conditions,
    )
    sheet = _measured(tracks, judges, config, detect)
    return Evaluation(
        scores=sheet.scores,
        answers=sheet.answers,
        skipped=sheet.skipped,
        failures=tracks.failures,
        soundtracks=tracks,
        protocol=describe(config, tracks.clips, judges),
        confidence=config.confidence,
    )


def _measured(
    tracks: Soundtracks, judges: Judges, config: EvaluationConfig, detect: Detector | None
) -> Sheet:
    """All figures of the soundtracks."""
    sampling = Sampling(resamples=config.resamples, confidence=config.confidence, seed=config.seed)
    sheet = Sheet()
    _examine_all(sheet, tracks, judges, sampling)
    _add_heard(sheet, tracks, judges, sampling)
    steering.add_wording_onsets(sheet, tracks, sampling)
    negatives.add_timing(sheet, tracks, sampling)
    variation.add_variations(sheet, tracks, sampling)
    robustness.add_kept(sheet, "damaged_onset_kept", tracks, tracks.damaged, sampling)
    measures.add_codec(sheet, tracks, sampling)
    if detect is not None:
        measures.add_watermark(sheet, tracks, detect, config.watermark_p_value, sampling)
    measures.add_failures(sheet, tracks)
    for name in FLATTERED if tracks.of_model else ():
        sheet.withdraw(name, "failed sounds count as silence, which would flatter it")
    return sheet


def _add_heard(sheet: Sheet, tracks: Soundtracks, judges: Judges, sampling: Sampling) -> None:
    """All that the tagger says."""
    if judges.tagger is None:
        sheet.skip("prompt_hit_rate", "the judges' training clips had no class that some lack")
        return
    hearing = hear(tracks, judges.tagger)
    steering.add_prompts(sheet, tracks, hearing, sampling)
    steering.add_wordings(sheet, tracks, hearing, sampling)
    negatives.add_negatives(sheet, tracks, hearing, sampling)
    unasked.add_unasked(sheet, hearing, sampling)


def describe(config: EvaluationConfig, clips: Sequence[Clip], judges: Judges) -> dict[str, object]:
    """Version, settings and digests of clips and judges, with the SHA-256 of all of these."""
    heard = hashlib.sha256()
    for clip in clips:
        heard.update(json.dumps(_told(clip), sort_keys=True, default=float).encode())
        heard.update(np.ascontiguousarray(clip.audio))
        heard.update(np.ascontiguousarray(clip.video))
    whole = {
        "version": VERSION,
        "config": dataclasses.asdict(config),
        "clips": {"count": len(clips), "sha256": heard.hexdigest()},
        "judges": judges.digest(),
    }
    text = json.dumps(whole, sort_keys=True).encode()
    return {"hash": hashlib.sha256(text).hexdigest()} | whole


def _told(clip: Clip) -> dict[str, object]:
    """All that is known of a clip beside picture and sound: what it is asked by."""
    names = (field.name for field in dataclasses.fields(clip))
    told = {name: getattr(clip, name) for name in names if name not in ("video", "audio")}
    return told | {"events": [dataclasses.asdict(event) for event in clip.events]}


def _examine_all(sheet: Sheet, tracks: Soundtracks, judges: Judges, sampling: Sampling) -> None:
    """Puts every question for which there is a judge."""
    questions = [sync.onsets(), *map(sync.onsets_of, SUDDEN)]
    questions += [*following.examinations(), speech.lip_sync(), speech.voice()]
    if judges.material is None:
        sheet.skip("material_accuracy", "the judges' training clips had fewer than two materials")
    else:
        questions += [sync.materials(judges.material), sync.conflict(judges.material)]
    if judges.recogniser is None:
        sheet.skip("word_error_rate", "the judges' training clips lack words of the vocabulary")
    else:
        questions.append(speech.words(judges.recogniser))
    for question in questions:
        examine(sheet, question, tracks, sampling)
