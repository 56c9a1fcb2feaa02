import json

import av
import numpy as np
import pytest

from v2a_jax.errors import UserError
from v2a_jax.media.credentials import load_credentials
from v2a_jax.media.decode import probe, read_audio
from v2a_jax.media.files import packet_digest
from v2a_jax.media.loudness import Meter, true_peak_db
from v2a_jax.media.source import LIMITS
from v2a_jax.sampling.batch import Order
from v2a_jax.sampling.delivery import Delivery
from v2a_jax.sampling.wish import Wish
from v2a_jax.watermark.detect import detect

SECONDS = 12.0


@pytest.fixture
def deliver(generator, tmp_path):
    """deliver(video, name, wish fields, **delivery) -> the result's path."""
    folder = tmp_path / "out"
    folder.mkdir()

    def run(video, name="a.mkv", wish=None, **delivery):
        order = Order(generator=generator, wish=Wish(**wish or {}), delivery=Delivery(**delivery))
        job = order.plan(video, folder / name)
        order.make(job, lambda seconds: None)
        assert job.finished
        return job.outs[0]

    run.folder = folder
    return run


def heard(path):
    audio, rate = read_audio(path, sample_rate=None)
    return audio, rate


@pytest.mark.parametrize("original", ["replace", "mix", "duck"])
@pytest.mark.parametrize("loudness", [None, -16.0])
@pytest.mark.parametrize("channels", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_whatever_leaves_carries_the_mark_and_lasts_as_long_as_the_video(
    deliver, film, generator, original, loudness, channels
):
    video = film("in.mp4", SECONDS, channels=channels)
    audio, rate = heard(deliver(video, original=original, loudness=loudness))
    assert len(audio) == round(probe(video).duration * rate)
    assert (rate, audio.shape[1]) == ((16000, 1) if original == "replace" else (48000, channels))
    found = detect(audio, generator.key, sample_rate=rate)
    assert found.p_value <= 1e-6 and found.payload == generator.payload
    covered = sum(segment.end - segment.start for segment in found.segments)
    assert covered > 0.8 * SECONDS
    if loudness is not None:
        meter = Meter(rate, audio.shape[1])
        meter.add(audio)
        assert abs(meter.lufs() - loudness) < 0.3
    if loudness is not None or original != "replace":
        assert true_peak_db([audio], rate=rate) <= -1.0


def test_a_loud_original_that_drowns_the_generated_sound_still_carries_the_mark(
    deliver, film, generator
):
    video = film("in.mp4", SECONDS, channels=2, level_db=-12)
    audio, rate = heard(deliver(video, original="duck"))
    found = detect(audio, generator.key, sample_rate=rate)
    assert found.p_value <= 1e-6 and found.payload == generator.payload


def test_kept_original_is_the_first_track_and_the_second_is_marked(deliver, film, generator):
    video = film("in.mp4", 8.0, channels=2)
    out = deliver(video, "a.mp4", original="keep")
    with av.open(str(out)) as container:
        assert [s.channels for s in container.streams.audio] == [2, 1]
        frames = [frame.to_ndarray() for frame in container.decode(audio=1)]
    generated = np.concatenate(frames, axis=1).T
    assert detect(generated, generator.key, sample_rate=16000).p_value <= 1e-6
    np.testing.assert_allclose(heard(out)[0], heard(video)[0], atol=1e-6)


@pytest.mark.parametrize("original", ["mix", "duck", "keep"])
def test_a_silent_video_gets_the_generated_sound_alone(deliver, film, original):
    video = film("in.mp4", 1.5)
    alone = heard(deliver(video, "a.mkv"))[0]
    np.testing.assert_array_equal(heard(deliver(video, "b.mkv", original=original))[0], alone)


def test_the_last_seed_is_followed_by_the_first(deliver, film, generator):
    video = film("in.mp4", 2.0, channels=1)
    wish = dict(seed=2**32 - 1, variations=2, prompt="a siren wails")
    first = deliver(video, "a.mkv", wish, original="mix")
    told = [json.loads(first.with_name(f"a-{v}.json").read_text())["seed"] for v in (0, 1)]
    assert told == [2**32 - 1, 0]
    alone = deliver(video, "b.mkv", wish | dict(seed=0, variations=1), original="mix")
    np.testing.assert_allclose(heard(alone)[0], heard(first.with_name("a-1.mkv"))[0], atol=1e-3)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_stems_are_both_sounds_as_they_are(deliver, film, generator, tmp_path, suffix):
    video, stems = film("in.mp4", 2.0, channels=2, audio="aac"), tmp_path / "stems"
    stems.mkdir()
    deliver(video, "a.mkv", original="mix", loudness=-30.0, stems=stems, stem_suffix=suffix)
    assert sorted(p.name for p in stems.iterdir()) == [
        f"a-generated{suffix}",
        f"a-original{suffix}",
    ]
    made, rate = heard(stems / f"a-generated{suffix}")
    assert rate == generator.sample_rate
    np.testing.assert_allclose(made, generator.generate(video)[0], atol=2e-7)
    original, rate = heard(stems / f"a-original{suffix}")
    assert rate == 48000 and len(original) == 2 * rate
    np.testing.assert_allclose(original, heard(video)[0][: 2 * rate], atol=2e-7)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_sound_alone_is_the_sound_of_the_film(deliver, film, generator, name):
    video = film("in.mp4", 2.5, channels=1)
    expected = generator.generate(video, seed=3)[0]
    audio, rate = heard(deliver(video, name, dict(seed=3)))
    assert rate == generator.sample_rate
    np.testing.assert_allclose(audio, expected, atol=2e-7)
    assert not av.open(str(deliver.folder / name)).streams.video


@pytest.mark.slow
def test_nothing_but_the_results_is_left_and_a_failure_leaves_nothing(
    deliver, film, generator, monkeypatch
):
    video = film("in.mp4", 1.0, channels=1)
    deliver(video, "a.mp4", dict(variations=2), original="mix", loudness=-20.0)
    names = ["a-0.json", "a-0.mp4", "a-1.json", "a-1.mp4"]
    assert sorted(p.name for p in deliver.folder.iterdir()) == names

    def fail(*_, **__):
        raise UserError("broken off")

    monkeypatch.setattr("v2a_jax.sampling.delivery.replace_sound", fail)
    with pytest.raises(UserError, match="broken off"):
        deliver(video, "b.mp4", loudness=-20.0)
    assert sorted(p.name for p in deliver.folder.iterdir()) == names


def test_a_signed_result_says_that_its_sound_was_generated(deliver, film, tmp_path):
    c2pa = pytest.importorskip("c2pa")
    pytest.importorskip("cryptography")
    from certificates import write_chain

    signing, stems = load_credentials(*write_chain(tmp_path)), tmp_path / "stems"
    stems.mkdir()
    video = film("in.mp4", 1.0, channels=1)
    out = deliver(video, "a.mp4", original="mix", credentials=signing, stems=stems)
    for path in (out, stems / "a-generated.wav"):
        with c2pa.Reader(str(path)) as reader:
            assert reader.get_validation_state() == "Valid"
            assert "trainedAlgorithmicMedia" in reader.json()
    assert packet_digest(out, limits=LIMITS) == packet_digest(video, limits=LIMITS)
    assert json.loads(out.with_suffix(".json").read_text())["certificate_sha256"]
    assert sorted(p.name for p in deliver.folder.iterdir()) == ["a.json", "a.mp4"]
    with pytest.raises(UserError, match="cannot hold Content Credentials"):
        deliver(video, "a.mkv", credentials=signing)


REFUSED = [
    ("a.mp4", dict(loudness=3.0), "loudness=3 is not between"),
    ("a.mp4", dict(loudness=float("nan")), "loudness=nan"),
    ("a.webm", dict(), "webm cannot hold"),
    ("a.avi", dict(), "unknown kind"),
    ("no/a.mp4", dict(), "there is no folder"),
]


@pytest.mark.parametrize("name, delivery, message", REFUSED)
def test_what_cannot_be_delivered_is_told_before_anything_is_made(
    generator, film, tmp_path, name, delivery, message
):
    order = Order(generator=generator, wish=Wish(), delivery=Delivery(**delivery))
    with pytest.raises(UserError, match=message):
        order.plan(film("in.mp4", 0.5), tmp_path / name)
