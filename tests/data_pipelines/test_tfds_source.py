"""Any TFDS dataset is a source: classes come by name, its annotations are not taken for ours."""

import pathlib

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_pipelines import sources
from data_pipelines.sources import Dropped, Rights

CLASSES = ("dog", "rain", "bell")
LABELS = ([], [1], [2, 0], [0, 1, 2])
ANNOTATIONS = ("[]", "not JSON", '{"meta": 3}', '{"meta": {"licence": "CC0"}, "provenance": "x"}')


class Sounds(tfds.core.GeneratorBasedBuilder):
    """Examples that have a class, and a list of classes."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = pathlib.Path(__file__).parent  # TFDS looks for the package of a builder

    def _info(self):
        kind = tfds.features.ClassLabel(names=CLASSES)
        features = {
            "audio": tfds.features.Tensor(shape=(None,), dtype=np.float32),
            "label": kind,
            "labels": tfds.features.Sequence(kind),
            "annotations": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), disable_shuffling=True
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for index, (labels, told) in enumerate(zip(LABELS, ANNOTATIONS, strict=True)):
            audio = np.zeros(16, np.float32)
            yield index, {"audio": audio, "label": 1, "labels": labels, "annotations": told}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    builder = Sounds(data_dir=folder, file_format="array_record")
    builder.download_and_prepare(download_dir=folder / "downloads")
    found = list(sources.read("tfds:sounds", folder, media=None, split=""))
    assert not [one for one in found if isinstance(one, Dropped)]
    return found


def test_classes_come_by_name_however_many(clips):
    named = [("rain", *(CLASSES[one] for one in labels)) for labels in LABELS]
    assert [clip.labels for clip in clips] == named


def test_annotations_that_are_no_record_of_ours_tell_nothing(clips):
    assert [clip.rights for clip in clips] == [Rights(), Rights(), Rights(), Rights(licence="CC0")]
