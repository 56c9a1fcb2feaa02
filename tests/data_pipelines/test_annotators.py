"""Who tells what of a window, and who comes first."""

import dataclasses
import json
import pickle
import shutil

import pytest

from data_pipelines.annotate.choose import make_annotators
from data_pipelines.annotate.describe import Describer
from data_pipelines.annotate.protocol import Annotation, View, annotations
from data_pipelines.annotate.sidecar import LabelCaption, Sidecar
from data_pipelines.prepare.windows import Window, cut
from data_pipelines.records import RecordSource
from data_pipelines.sources import SourceClip
from v2a_jax.errors import UserError

CLIP = SourceClip(uid="a", dataset="test", media="a.mp4", transcript="hello you", labels=("bell",))
WHOLE = Window(start=0.0, offset=0.0, frames=25, whole=True)


@dataclasses.dataclass(frozen=True)
class Says:
    """An annotator that always says the same."""

    annotation: Annotation

    def annotate(self, view):
        return self.annotation


def view(clip=CLIP, window=WHOLE):
    return View(clip=clip, window=window, video=None, fps=25.0, audio=None, sample_rate=16000)


def says(origin, **fields):
    return Says(Annotation(origin=origin, confidence=0.5, **fields))


def test_the_first_that_tells_a_field_has_it():
    one = says("one", labels=("dog",))
    two = says("two", labels=("cat",), captions={"full": "a cat"}, statements=(("a cat", 0.7),))
    told = annotations(view(), [one, two])
    assert (told["labels"], told["caption"]) == (("dog",), "a cat")
    assert told["told"]["labels"] == {"origin": "one", "confidence": 0.5}
    assert told["told"]["captions"]["statements"] == [["a cat", 0.7]]
    assert annotations(view(), [two, one])["labels"] == ("cat",)


def test_words_are_those_of_the_transcript_that_is_told():
    timed = says("timed", transcript="yellow", words=(("yellow", 0.0, 0.5),))
    assert annotations(view(), [Sidecar(), timed])["words"] == ()
    assert annotations(view(), [timed, Sidecar()])["transcript"] == "yellow"
    assert annotations(view(), [timed])["words"] == (("yellow", 0.0, 0.5),)


def test_a_fault_is_told_and_leaves_its_fields_to_others():
    broken = Says(Annotation(origin="broken", fault="no answer"))
    told = annotations(view(), [broken, LabelCaption()])
    assert told["faults"] == {"broken": "no answer"} and told["caption"] == "bell"


def test_a_transcript_without_times_belongs_to_the_whole_clip_alone(prepare_config):
    config = prepare_config(seconds=2.0, stride=2.0)
    (whole,) = cut(CLIP, 1.9, config)
    assert Sidecar().annotate(view(window=whole)).transcript == "hello you"
    for duration in (2.2, 4.0):
        parts = cut(CLIP, duration, config)
        assert [Sidecar().annotate(view(window=part)).transcript for part in parts] == ["", ""]


def test_names_become_annotators_in_their_order(prepare_config, tmp_path):
    config = prepare_config(annotators=("describe", "labels", "sidecar"))
    made = make_annotators(config, None, tmp_path)
    assert made == (Describer(), LabelCaption(), Sidecar())
    assert pickle.loads(pickle.dumps(made)) == made
    assert make_annotators(prepare_config(annotators=()), None, tmp_path) == ()


def test_described_clips_tell_so(clip_files, prepared, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "b.wav"):
        shutil.copyfile(clip_files[1], tmp_path / "in" / name)
    (tmp_path / "in" / "a.txt").write_text("a hiss")
    prepared(
        tmp_path / "in",
        tmp_path / "out",
        annotators=("sidecar", "describe"),
        seconds=1.2,
        stride=1.2,
    )
    captioned, described = RecordSource(tmp_path / "out")
    assert captioned.caption == "a hiss"
    assert captioned.meta["told"]["captions"] == {"origin": "folder", "confidence": 1.0}
    assert described.captions["short"] == "a sustained bright noise"
    told = described.meta["told"]["captions"]
    assert told["origin"] == "describe" and 0 < told["confidence"] < 1
    assert described.caption == " ".join(text for text, _ in told["statements"])
    made = json.loads((tmp_path / "out" / "dataset.json").read_text())["prepare"]
    assert made["annotators"] == ["sidecar", "describe"]


@pytest.mark.parametrize("given", [("sidecar", "oracle"), ("labels", "labels")])
def test_annotators_that_there_are_not_are_refused(corpus, prepared, tmp_path, given):
    with pytest.raises(UserError, match=rf"annotators has '{given[1]}'; there are sidecar, labels"):
        prepared(corpus("folder"), tmp_path / "out", annotators=given)
    assert not (tmp_path / "out").exists()
