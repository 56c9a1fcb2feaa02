"""A second sound beside the one that a video has, which is copied."""

import av
import numpy as np
import pytest

from v2a_jax.errors import UserError
from v2a_jax.media.audio import Sound
from v2a_jax.media.decode import probe, read_clip
from v2a_jax.media.mux import replace_sound

RATE = 16000


def tracks(path):
    """For each audio stream: codec, packets' bytes, samples float[N], time of the first one."""
    found = []
    with av.open(str(path)) as container:
        for index, stream in enumerate(container.streams.audio):
            container.seek(0)
            data = [bytes(p) for p in container.demux(stream) if p.size]
            frames = list(av.open(str(path)).decode(audio=index))
            wave = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
            found.append((stream.codec_context.codec.canonical_name, data, wave, frames[0].time))
    return found


def add(source, out, measure, **options):
    wave = measure.bursts(2.0, RATE, shift=0.1)
    sound = Sound(blocks=[wave], rate=RATE, channels=1, layout=None, start=probe(source).start)
    replace_sound(source, sound, out, keep=True, **options)


@pytest.mark.parametrize(
    "name, audio, out", [("a.mp4", "aac", "b.mp4"), ("a.mkv", "aac", "b.mp4"),
                         ("a.mp4", "aac", "b.mkv"), ("a.mkv", "flac", "b.mkv"),
                         ("a.mov", "aac", "b.mov"), ("a.mkv", "libopus", "b.mkv")]
)  # fmt: skip
def test_the_first_track_is_the_copied_original_and_the_second_is_new(
    make, measure, tmp_path, name, audio, out
):
    source = make(name, audio=audio, channels=2)
    add(source, tmp_path / out, measure)
    (before,) = tracks(source)
    first, second = tracks(tmp_path / out)
    assert first[:2] == before[:2]
    # Matroska does not say that the first 1024 samples of AAC are not to be heard.
    np.testing.assert_array_equal(first[2][-len(before[2]) :], before[2])
    starts = measure.heard(second[2][:, None], 48000 if second[0] == "opus" else RATE)
    origin = probe(tmp_path / out).start
    np.testing.assert_allclose(starts + second[3] - origin, np.add(measure.times, 0.1), atol=0.005)
    clip = read_clip(tmp_path / out, fps=25, sample_rate=48000)
    np.testing.assert_allclose(measure.heard(clip.audio, 48000), measure.times, atol=0.005)


def test_a_late_original_stays_late(make, measure, tmp_path):
    source = make("a.mkv", video_start=0.5, audio_start=0.7)
    add(source, tmp_path / "b.mkv", measure)
    first, second = tracks(tmp_path / "b.mkv")
    assert abs(first[3] - tracks(source)[0][3]) < 0.002
    assert abs(second[3] - probe(source).start) < 0.002


def test_a_silent_video_gets_one_track(make, measure, tmp_path):
    add(make("a.mp4", audio=None), tmp_path / "b.mp4", measure)
    assert len(tracks(tmp_path / "b.mp4")) == 1


def test_a_container_that_cannot_hold_the_original_is_refused(make, measure, tmp_path):
    source = make("a.mkv", video="libvpx-vp9", audio="aac")
    with pytest.raises(UserError, match="webm cannot hold this vp9 video with its aac sound"):
        add(source, tmp_path / "b.webm", measure)
    assert not (tmp_path / "b.webm").exists()
