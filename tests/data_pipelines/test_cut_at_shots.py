"""Windows within shots: none holds a cut, and all footage is in one or among the dropped."""

import json

import numpy as np
import pytest

from data_pipelines.prepare.boundaries import streamed_changes
from data_pipelines.prepare.windows import cut
from data_pipelines.records import RecordSource
from data_pipelines.schema import ClipRecord
from data_pipelines.sources import SourceClip
from data_pipelines.tfds_builder import write_tfds
from data_pipelines.world.playable import write_mp4
from v2a_jax.errors import UserError
from v2a_jax.media.shots import shot_changes

FPS, SHOTS = 25, (40, 60, 4, 36, 20)  # frames of each shot
CLIP = SourceClip(uid="a", dataset="test", media="a.mp4")


def scenes(lengths, size=64, seed=0):
    """Frames of shots, each a trembling pattern of colours of its own; and each frame's shot."""
    rng, pieces = np.random.default_rng(seed), []
    for length in lengths:
        blocks = rng.integers(0, 256, (size // 16 + 1, size // 16 + 1, 3), np.uint8)
        picture = blocks.repeat(16, 0).repeat(16, 1)
        pieces += [picture[k % 2 : k % 2 + size, :size] for k in range(length)]
    return np.stack(pieces), np.repeat(np.arange(len(lengths)), lengths)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A folder with a video of known shots, whose sound says which frame it is."""
    folder = tmp_path_factory.mktemp("film")
    video_FHWC, _ = scenes(SHOTS)
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, (len(video_FHWC) * 640, 1))
    record = ClipRecord(
        video=video_FHWC,
        fps=float(FPS),
        audio=noise.astype(np.float32),
        sample_rate=16000,
        caption="",
        captions={},
        negatives=(),
        transcript="",
        words=(),
        labels=(),
        events=(),
        meta={},
        provenance="test/film",
    )
    write_mp4(record, folder / "film.mp4")
    return folder


def windows(out):
    """(first frame, frames) of each record, in order."""
    return [(round(r.meta["start"] * FPS), len(r.video)) for r in RecordSource(out)]


def test_no_window_holds_a_cut_and_nothing_is_lost(film, prepared, tmp_path):
    out = tmp_path / "out"
    stages = prepared(film, out, boundaries="shots", seconds=1.0, stride=1.0, min_seconds=0.4)
    assert windows(out) == [
        (0, 25),
        (25, 15),
        (40, 25),
        (65, 25),
        (90, 10),
        (104, 25),
        (129, 11),
        (140, 20),
    ]
    dropped = [json.loads(line) for line in (out / "dropped.jsonl").read_text().splitlines()]
    assert [(one["stage"], one["reason"], one["detail"]) for one in dropped] == [
        ("cut", "too short", "0.16 s")
    ]
    assert dropped[0]["where"].endswith("film.mp4@4.000")
    assert stages[3]["in"] == 9 and stages[-1]["out"] == 8
    steps = [shot_changes(record.video, FPS) for record in RecordSource(out)]
    assert not any(steps)


def test_windows_alone_do_hold_cuts(film, prepared, tmp_path):
    prepared(film, tmp_path / "out", seconds=1.0, stride=1.0)
    held = [r for r in RecordSource(tmp_path / "out") if shot_changes(r.video, FPS)]
    assert len(held) >= 2


def test_it_is_the_same_whatever_the_workers_and_of_a_tfds_example(film, prepared, tmp_path):
    changes = dict(boundaries="shots", seconds=1.0, stride=1.0, shard_clips=1)
    prepared(film, tmp_path / "whole", seconds=6.4, stride=6.4)
    write_tfds(tmp_path / "whole", tmp_path / "tfds")
    prepared(tmp_path / "tfds", tmp_path / "second", source="tfds:clips", **changes)
    prepared(film, tmp_path / "first", workers=2, **changes)
    assert windows(tmp_path / "first") == windows(tmp_path / "second")


def test_other_boundaries_are_other_options(film, prepared, tmp_path, monkeypatch):
    from data_pipelines.prepare import shard

    monkeypatch.setattr(shard, "open_media", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prepared(film, tmp_path / "out", boundaries="shots")
    with pytest.raises(UserError, match=r"boundaries=shots, not windows"):
        prepared(film, tmp_path / "out")
    with pytest.raises(UserError, match="boundaries is 'scenes'"):
        prepared(film, tmp_path / "new", boundaries="scenes")


def test_sound_alone_is_cut_as_without_shots(corpus, prepared, tmp_path):
    source = corpus("clotho")
    for name in ("shots", "windows"):
        prepared(source, tmp_path / name, source="clotho", boundaries=name)
    first, second = (list(RecordSource(tmp_path / name)) for name in ("shots", "windows"))
    assert first == second


@pytest.mark.parametrize("block", [40, 75, 1000])
def test_streamed_changes_are_those_of_the_whole(block):
    rng = np.random.default_rng(block)
    video_FHWC, _ = scenes(rng.integers(12, 90, 12), size=32, seed=block)
    fade = np.linspace(0, 1, 20)[:, None, None, None]
    video_FHWC[:20] = video_FHWC[:20] * fade + video_FHWC[200] * (1 - fade)
    streamed = list(streamed_changes(iter(video_FHWC), FPS, block=block, context=50))
    np.testing.assert_allclose(streamed, shot_changes(video_FHWC, FPS), atol=1e-9)
    assert len(streamed) >= 9


def test_few_pictures_are_held_at_once():
    video_FHWC, _ = scenes((500, 300, 700), size=16)
    given = 0

    def pictures():
        nonlocal given
        for picture in video_FHWC:
            given += 1
            yield picture

    found = streamed_changes(pictures(), FPS, block=100, context=50)
    assert next(found) == 20.0 and given <= 500 + 2 * (100 + 50)
    assert list(found) == [32.0]
    assert list(streamed_changes(iter(()), FPS, block=10, context=5)) == []


def test_all_frames_are_in_windows_of_one_shot(prepare_config):
    rng = np.random.default_rng(0)
    for _ in range(50):
        seconds = int(rng.integers(5, 75)) / FPS
        config = prepare_config(seconds=seconds, stride=seconds)
        changes = sorted(rng.uniform(0, 12, rng.integers(0, 8)))
        found = cut(CLIP, 10.0, config, changes)
        edges = {round(time * FPS) for time in changes}
        covered = np.zeros(250, int)
        for window in found:
            first = round(window.start * FPS)
            covered[first : first + window.frames] += 1
            assert not edges & set(range(first + 1, first + window.frames))
            assert window.frames <= config.frames and window.whole == (window.frames == 250)
        assert (covered == 1).all()
