"""Examples of a prepared TFDS dataset, by random access, and the addresses by which clips name one.

Address: tfds://FOLDER#SPLIT#INDEX, FOLDER being the dataset's version folder.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from v2a_jax.errors import UserError

SCHEME = "tfds://"
HEAVY = ("audio", "video")


def address(folder: Path, split: str, index: int) -> str:
    """The address of an example."""
    return f"{SCHEME}{folder}#{split}#{index}"


def parse_address(text: str) -> tuple[Path, str, int]:
    """(folder, split, index) of an address."""
    folder, split, index = text.removeprefix(SCHEME).rsplit("#", 2)
    return Path(folder), split, int(index)


def version_folder(place: Path, name: str) -> Path:
    """The folder of the newest version of dataset `name` (NAME, or NAME/CONFIG) at `place`.

    UserError when there is none.
    """
    found = [path.parent for path in place.glob("dataset_info.json")]
    found += [path.parent for path in sorted((place / name).rglob("dataset_info.json"))]
    if not found:
        raise UserError(f"--input: no TFDS dataset '{name}' prepared in '{place}'")
    return max(found, key=lambda folder: [int(n) for n in folder.name.split(".") if n.isdigit()])


class Examples:
    """One split of a dataset; `seen` and `heard` tell whether its examples have such features."""

    def __init__(self, folder: Path, split: str) -> None:
        """UserError when the dataset cannot be read."""
        builder = _builder(folder)
        self.folder, self.split = folder, split
        self._features = builder.info.features
        self.seen, self.heard = "video" in self._features, "audio" in self._features
        try:
            self._whole = builder.as_data_source(split=split)
            self._light = builder.as_data_source(split=split, decoders=_skipping(self._features))
        except (ValueError, NotImplementedError, OSError) as error:
            raise UserError(f"{folder}: not in ArrayRecord files ({error})") from error

    @staticmethod
    def splits(folder: Path) -> list[str]:
        """Names of the splits."""
        return sorted(_builder(folder).info.splits)

    def __len__(self) -> int:
        return len(self._whole)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """All features of an example."""
        return self._whole[index]

    def annotations(self, index: int) -> dict[str, Any]:
        """The features but audio and video; classes by name."""
        stored = self._light[index]
        example = {name: value for name, value in stored.items() if name not in HEAVY}
        for name, value in example.items():
            to_name = getattr(self._features[name], "int2str", None)
            if to_name is not None:  # of a class, or of a sequence of them
                names = [to_name(int(one)) for one in np.ravel(value)]
                example[name] = names if np.ndim(value) else names[0]
        return example

    @property
    def sample_rate(self) -> int | None:
        """Of the audio, where the feature tells it."""
        return getattr(self._features.get("audio"), "sample_rate", None)


def _builder(folder: Path) -> Any:
    import tensorflow_datasets as tfds  # takes seconds to import

    try:
        return tfds.builder_from_directory(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder}: no TFDS dataset ({error})") from error


def _skipping(features: Any) -> dict[str, Any]:
    """Decoders that leave audio and video as they are stored."""
    import tensorflow_datasets as tfds

    return {name: tfds.decode.SkipDecoding() for name in HEAVY if name in features}


@functools.cache
def opened(folder: Path, split: str) -> Examples:
    """The examples, opened once a process."""
    return Examples(folder, split)
