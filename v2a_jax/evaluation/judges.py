"""The judges of generated sound, trained within seconds on true audio alone, and their file.

A judge never hears generated sound before it scores it; it is stored as a plain .npz of arrays
(names as text arrays), never as pickled objects.
"""

import dataclasses
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.evaluation import material, tagger
from v2a_jax.evaluation.clips import Clip, off_screen
from v2a_jax.evaluation.spectral import mono


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """Regularisation of the judges, and where the tagger's thresholds lie.

    shrinkage            of the material covariance towards a sphere, in (0, 1]
    penalty              L2 penalty of the tagger's weights
    false_positive_rate  share of validation clips without a class in which it may be detected
    """

    shrinkage: float
    penalty: float
    false_positive_rate: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judges:
    """Trained judges, None where the training clips had nothing to tell apart.

    `sample_rate` is the rate of the audio they were trained on.
    """

    sample_rate: int
    material: material.MaterialClassifier | None
    tagger: tagger.Tagger | None

    def save(self, path: str | Path) -> None:
        """Writes one .npz; the same judges come back from `load_judges`."""
        arrays = {"sample_rate": np.asarray(self.sample_rate)}
        for part in ("material", "tagger"):
            judge = getattr(self, part)
            for field, value in vars(judge).items() if judge is not None else ():
                arrays[f"{part}.{field}"] = np.asarray(value)
        np.savez_compressed(path, **arrays)


def load_judges(path: str | Path) -> Judges:
    """Reads judges written by `Judges.save`; raises UserError for anything else."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        return Judges(
            sample_rate=int(arrays["sample_rate"]),
            material=_part(material.MaterialClassifier, "material", arrays),
            tagger=_part(tagger.Tagger, "tagger", arrays),
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
    )


def _train_material(
    train: Sequence[Clip], config: JudgeConfig
) -> material.MaterialClassifier | None:
    heard = list(material.labelled(clip for clip in train if not off_screen(clip)))
    if len({name for _, name in heard}) < 2:
        return None
    features_ED, names = zip(*heard, strict=True)
    return material.train_material(np.stack(features_ED), names, shrinkage=config.shrinkage)


def _train_tagger(
    train: Sequence[Clip], validation: Sequence[Clip], config: JudgeConfig
) -> tagger.Tagger | None:
    label_sets = [[clip.labels for clip in clips] for clips in (train, validation)]
    names = tagger.separable(*label_sets)
    if not names:
        return None
    (train_BD, train_BK), (validation_BD, validation_BK) = (
        (
            np.stack([tagger.features(mono(clip.audio), clip.sample_rate) for clip in clips]),
            tagger.targets(labels, names),
        )
        for clips, labels in zip((train, validation), label_sets, strict=True)
    )
    return tagger.train_tagger(
        names,
        train_BD,
        train_BK,
        validation_BD,
        validation_BK,
        penalty=config.penalty,
        false_positive_rate=config.false_positive_rate,
    )
