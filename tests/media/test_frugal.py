"""What makes small files quick to decode changes nothing of what is decoded."""

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from v2a_jax.media import probe, source, video
from v2a_jax.media.apart import Decoder
from v2a_jax.media.decode import iter_frames, read_audio
from v2a_jax.media.picture import geometry, render
from v2a_jax.media.source import LIMITS, frames_from, require_video
from v2a_jax.media.wire import BUFFER
from v2a_jax.media.worker import perform


def noise(width, height, form, seed):
    """A frame of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=form)


@pytest.mark.parametrize("size", [None, 32])
def test_one_scaler_gives_what_a_new_one_would(size):
    shared = VideoReformatter()
    kinds = [(64, 48, "yuv420p"), (64, 48, "yuv420p"), (130, 96, "yuv444p10le"), (64, 48, "gray")]
    for seed, (width, height, form) in enumerate(kinds):
        frame = noise(width, height, form, seed)
        shape = geometry(frame, None, size=size, max_pixels=1 << 30, path="test")
        fresh = render(frame, shape, scaler=VideoReformatter(), path="test")
        np.testing.assert_array_equal(render(frame, shape, scaler=shared, path="test"), fresh)


def test_small_pictures_travel_together_and_arrive_the_same(make):
    path = str(make("a.mp4", size=(96, 96), codec_options={"bf": "2"}))
    info = probe.examine(path, limits=LIMITS)
    part = dict(fps=25, size=None)
    each = list(video.pictures(path, info, part=range(50), limits=LIMITS, **part))
    with Decoder(path, limits=LIMITS) as decoder:
        told = decoder.ask("pictures", info=vars(info), part=[0, 50], **part)
        blocks_FHWC = list(told)
    assert len(blocks_FHWC) < 10
    assert max(block_FHWC.nbytes for block_FHWC in blocks_FHWC) < BUFFER + each[0].nbytes
    np.testing.assert_array_equal(np.concatenate(blocks_FHWC), each)
    np.testing.assert_array_equal(list(iter_frames(path, **part)), each)


def test_examining_opens_a_file_once(make, monkeypatch):
    path, opened, real = str(make("a.mp4")), [], av.open

    def counting(*arguments, **options):
        opened.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(source.av, "open", counting)
    assert probe.examine(path, limits=LIMITS).frames == 50
    assert len(opened) == 1


@pytest.mark.parametrize("rate", [48000, 16000])
def test_mono_is_no_mix_and_other_sound_is(make, rate):
    wanted = dict(sample_rate=rate, start=0.2, seconds=1.5)
    mono = make("mono.mp4")
    own_NC, _ = read_audio(mono, **wanted)
    np.testing.assert_array_equal(read_audio(mono, channels=1, **wanted)[0], own_NC)
    wave_NC = np.stack([np.full(96000, 0.25), np.zeros(96000)], axis=1).astype(np.float32)
    stereo = make("stereo.mkv", audio="pcm_f32le", channels=2, wave=wave_NC)
    middle_NC = read_audio(stereo, channels=1, **wanted)[0][rate // 4 : rate]
    np.testing.assert_allclose(middle_NC, 0.125, atol=1e-4)


def test_a_message_is_a_stretch_of_sound(make):
    path = str(make("a.mp4"))
    part = dict(sample_rate=48000, channels=1, start=0.0, end=2.0, origin=0.0, from_picture=False)
    _, *blocks_NC = perform(path, LIMITS, task="sound", **part)
    assert len(blocks_NC) < 4 and 1.9 * 48000 < sum(map(len, blocks_NC)) <= 2 * 48000


@pytest.mark.parametrize(("size", "threads"), [((64, 48), 1), ((640, 480), 0)])
def test_large_pictures_are_decoded_by_threads(make, size, threads):
    path = str(make("a.mp4", size=size, audio=None, seconds=0.2))
    with frames_from(path, lambda found: require_video(found, path), None, LIMITS) as (stream, _):
        assert stream.thread_count == threads
