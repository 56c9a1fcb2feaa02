"""The judges of generated sound, trained within seconds on true audio alone, and their file.

A judge never hears generated sound before it scores it; it is stored as a plain .npz of arrays
(names as text arrays), never as pickled objects.
"""

import dataclasses
import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.evaluation import material, tagger, words
from v2a_jax.evaluation.clips import Clip, off_screen
from v2a_jax.evaluation.disturbance import disturbed
from v2a_jax.evaluation.spectral import mono

LATE_SECONDS = (-0.025, 0.025)
PARTS = {
    "material": material.MaterialClassifier,
    "tagger": tagger.Tagger,
    "recogniser": words.Recogniser,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """Regularisation of the judges, and where the tagger's thresholds lie.

    shrinkage            of the material covariance towards a sphere, in (0, 1]
    penalty              L2 penalty of the tagger's weights
    false_positive_rate  share of validation clips without a class in which it may be detected
    copies               disturbed copies of each clip, added to the clean one
    vocabulary           words that the recogniser may learn
    templates            examples of each of them that it keeps
    seed                 of the disturbances
    """

    shrinkage: float
    penalty: float
    false_positive_rate: float
    copies: int
    vocabulary: tuple[str, ...]
    templates: int
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judges:
    """Trained judges, None where the training clips had nothing to tell apart.

    `sample_rate` is the rate of the audio they were trained on.
    """

    sample_rate: int
    material: material.MaterialClassifier | None
    tagger: tagger.Tagger | None
    recogniser: words.Recogniser | None

    def save(self, path: str | Path) -> None:
        """Writes one .npz; the same judges come back from `load_judges`."""
        np.savez_compressed(path, **self._arrays())

    def digest(self) -> str:
        """SHA-256 of all that they learned."""
        whole = hashlib.sha256()
        for name, array in sorted(self._arrays().items()):
            whole.update(f"{name} {array.dtype.str} {array.shape}".encode())
            whole.update(np.ascontiguousarray(array))
        return whole.hexdigest()

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {"sample_rate": np.asarray(self.sample_rate)}
        for part in PARTS:
            judge = getattr(self, part)
            for field, value in vars(judge).items() if judge is not None else ():
                arrays[f"{part}.{field}"] = np.asarray(value)
        return arrays


def load_judges(path: str | Path) -> Judges:
    """Reads judges written by `Judges.save`; raises UserError for anything else."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        return Judges(
            sample_rate=int(arrays["sample_rate"]),
            **{name: _part(kind, name, arrays) for name, kind in PARTS.items()},
        )
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a file of judges") from error


def _part(kind: type, prefix: str, arrays: dict[str, np.ndarray]) -> object | None:
    if not any(name.startswith(f"{prefix}.") for name in arrays):
        return None
    fields = {f.name: arrays[f"{prefix}.{f.name}"] for f in dataclasses.fields(kind)}
    fields["names"] = tuple(map(str, fields["names"]))
    return kind(**fields)


def train_judges(train: Sequence[Clip], validation: Sequence[Clip], config: JudgeConfig) -> Judges:
    """Trains on the true audio of clips of one sample rate.

    Raises UserError where clips lack audio or mix sample rates.
    """
    clips = [*train, *validation]
    if not train or not validation or any(clip.audio is None for clip in clips):
        raise UserError("judges: training and validation clips must all have audio")
    rates = {clip.sample_rate for clip in clips}
    if len(rates) > 1:
        raise UserError(f"judges: clips mix sample rates {sorted(rates)}")
    return Judges(
        sample_rate=rates.pop(),
        material=_train_material(train, config),
        tagger=_train_tagger(train, validation, config),
        recogniser=_train_recogniser(train, config),
    )


def _versions(clips: Sequence[Clip], config: JudgeConfig) -> list[tuple[Clip, np.ndarray]]:
    """Each clip with its sound, and again with each disturbed copy of it."""
    random = np.random.default_rng(config.seed)
    clean = [(clip, mono(clip.audio)) for clip in clips]
    rest = [(c, disturbed(wave_N, random)) for _ in range(config.copies) for c, wave_N in clean]
    return clean + rest


def _train_material(
    train: Sequence[Clip], config: JudgeConfig
) -> material.MaterialClassifier | None:
    features, names = [], []
    random = np.random.default_rng(config.seed)
    for clip, wave_N in _versions([clip for clip in train if not off_screen(clip)], config):
        events = material.judged_events(clip.events, len(wave_N) / clip.sample_rate)
        names += [event.material for event in events]
        # A sound a little early or late is the onsets' business; its material stays the same.
        times = [event.time + random.uniform(*LATE_SECONDS) for event in events]
        features.append(material.features(wave_N, clip.sample_rate, times))
    if len(set(names)) < 2:
        return None
    return material.train_material(np.concatenate(features), names, shrinkage=config.shrinkage)


def _train_tagger(
    train: Sequence[Clip], validation: Sequence[Clip], config: JudgeConfig
) -> tagger.Tagger | None:
    names = tagger.separable(*([clip.labels for clip in clips] for clips in (train, validation)))
    if not names:
        return None

    def examples(clips: Sequence[Clip]) -> tuple[np.ndarray, np.ndarray]:
        pairs = _versions(clips, config)
        features = [tagger.features(wave_N, clip.sample_rate) for clip, wave_N in pairs]
        return np.stack(features), tagger.targets([clip.labels for clip, _ in pairs], names)

    return tagger.train_tagger(
        names,
        *examples(train),
        *examples(validation),
        penalty=config.penalty,
        false_positive_rate=config.false_positive_rate,
    )


def _train_recogniser(train: Sequence[Clip], config: JudgeConfig) -> words.Recogniser | None:
    """Templates cut from clips of speech alone, the first of each word; pauses from between them.

    None where a word of the vocabulary is never said.
    """
    spoken, pauses = {word: [] for word in config.vocabulary}, []
    for clip in train:
        if clip.labels != ("speech",) or not spoken.keys() & {word for word, _, _ in clip.words}:
            continue
        cepstra_TD = words.features(mono(clip.audio), clip.sample_rate)
        said_T = np.zeros(len(cepstra_TD), bool)
        for word, *span in clip.words:
            first, last = (round(time / words.HOP) for time in span)
            said_T[first:last] = True
            if word in spoken and last - first > 1:
                spoken[word].append(cepstra_TD[first:last])
        pauses.append(cepstra_TD[~said_T])
    if not spoken or not all(spoken.values()):
        return None
    kept = [(word, x) for word, all_x in spoken.items() for x in all_x[: config.templates]]
    pause_1D = np.median(np.concatenate(pauses), axis=0, keepdims=True)
    return words.make_recogniser([*kept, (words.PAUSE, pause_1D)])
