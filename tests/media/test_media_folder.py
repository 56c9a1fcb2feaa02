"""A folder of real media, named by V2A_MEDIA_DIR: every file is read, or refused in one line."""

import csv
import dataclasses
import os
import pathlib
import re

import numpy as np
import pytest

from v2a_jax.errors import UserError
from v2a_jax.media.containers import output_suffix
from v2a_jax.media.decode import open_sound, probe, read_audio, read_clip
from v2a_jax.media.files import packet_digest
from v2a_jax.media.mux import mux, replace_sound
from v2a_jax.media.source import LIMITS, open_source, video_stream

FOLDER = pathlib.Path(os.environ.get("V2A_MEDIA_DIR", "no such folder"))
RATE = 16000
EVENTS = (0.78, 1.59, 2.54, 3.50, 3.80)  # seconds, of each clip of derived/
# No file takes more: memory in bytes, processor time in seconds.
MODEST = dataclasses.replace(LIMITS, max_memory=1 << 30, max_cpu_seconds=60)
with pathlib.Path(__file__).with_name("folder.csv").open(newline="") as _file:
    KNOWN = {row["file"]: row for row in csv.DictReader(_file)}
# What the only files that cannot be shown are told.
REFUSED = {
    name: "no video" if row["refused"].startswith("holds") else row["refused"] or "no video"
    for name, row in KNOWN.items()
    if not row["width"] and not name.startswith("audio/")
}


def files(*folders):
    found = [p for name in folders for p in sorted((FOLDER / name).rglob("*")) if p.is_file()]
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason="V2A_MEDIA_DIR is not set"))]
    return [pytest.param(path, id=path.relative_to(FOLDER).as_posix()) for path in found]


def name_of(path):
    return path.relative_to(FOLDER).as_posix()


def test_the_list_names_every_file():
    folders = ("audio", "derived", "hard", "natural")
    found = {name_of(param.values[0]) for param in files(*folders) if param.values[0]}
    assert not found or {name for name in found if "/fsdd/" not in name} == set(KNOWN)


@pytest.mark.parametrize("path", files("derived", "hard", "natural"))
def test_every_video_is_a_clip_or_is_refused(path, capfd):
    known = KNOWN[name_of(path)]
    try:
        clip = read_clip(path, fps=25, sample_rate=RATE, size=48, limits=MODEST)
    except UserError as error:
        assert REFUSED[name_of(path)] in str(error)
        assert "\n" not in str(error)
    else:
        assert name_of(path) not in REFUSED
        assert [str(clip.info.width), str(clip.info.height)] == [known["width"], known["height"]]
        assert f"{clip.info.duration:.3f}" == known["seconds"]
        assert clip.frames.shape == (max(1, round(clip.info.duration * 25)), 48, 48, 3)
        assert (clip.audio is None) == (known["channels"] == "")
        if clip.audio is not None:
            assert clip.audio.shape == (len(clip.frames) * RATE // 25, int(known["channels"]))
            assert np.isfinite(clip.audio).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", files("derived", "hard", "natural"))
def test_a_part_of_every_video_is_that_slice_of_the_whole(path):
    known = KNOWN[name_of(path)]
    if name_of(path) in REFUSED or float(known["seconds"]) > 100:
        return
    read = {"fps": 25, "sample_rate": RATE, "size": 32}
    whole = read_clip(path, **read)
    start, seconds = 0.7 * whole.info.duration, 0.2 * whole.info.duration
    part = read_clip(path, **read, start=start, seconds=seconds, info=whole.info)
    first = round(start * 25)
    np.testing.assert_array_equal(part.frames, whole.frames[first : round((start + seconds) * 25)])
    if whole.audio is None:
        assert part.audio is None
    else:
        assert part.audio.shape == (len(part.frames) * RATE // 25, whole.audio.shape[1])


@pytest.mark.parametrize("path", files("audio", "derived", "hard"))
def test_every_sound_is_read_or_is_refused(path):
    known = KNOWN.get(name_of(path))
    if known and known["width"]:
        return
    if known and known["refused"]:
        with pytest.raises(UserError, match=re.escape(known["refused"])):
            read_audio(path, sample_rate=None, limits=MODEST)
        return
    audio, rate = read_audio(path, sample_rate=None, limits=MODEST)
    assert len(audio) > 0.05 * rate
    assert np.abs(audio).max() < 1.5
    if known:
        assert (f"{len(audio) / rate:.3f}", str(audio.shape[1])) == (
            known["seconds"],
            known["channels"],
        )
    mono, _ = read_audio(path, sample_rate=RATE, channels=1, limits=MODEST)
    assert mono.shape == (pytest.approx(len(audio) * RATE / rate, abs=1), 1)


def rises(audio, rate):
    """When the sound first rises near each event, in seconds; NaN where it does not."""
    window = rate // 1000
    power = np.convolve((audio**2).max(axis=1), np.ones(window) / window)[window - 1 :]
    found = []
    for event in EVENTS:
        begin, end = round((event - 0.03) * rate), round((event + 0.03) * rate)
        near = np.sqrt(power[begin:end])
        quiet = near[: rate * 15 // 1000].max()
        over = np.flatnonzero(near > max(2 * quiet, 0.3 * near.max(), 0.01))
        found.append((begin + over[0]) / rate if len(over) else np.nan)
    return np.asarray(found)


@pytest.mark.parametrize("path", files("derived"))
def test_the_events_of_derived_clips_survive(path):
    if name_of(path) in REFUSED:
        return
    clip = read_clip(path, fps=25, sample_rate=RATE, size=48)
    if clip.audio is None:
        return
    truth = rises(read_clip(FOLDER / "derived/ffv1_flac.mkv", fps=25, sample_rate=RATE).audio, RATE)
    np.testing.assert_allclose(truth, EVENTS, atol=0.0055)  # given to a hundredth of a second
    found = rises(clip.audio, RATE)
    if path.name == "audio_ends_at_2s.mp4":
        assert np.isnan(found[2:]).all()
        found, truth = found[:2], truth[:2]
    np.testing.assert_allclose(found, truth, atol=0.005)


@pytest.mark.parametrize("path", files("derived"))
def test_the_pictures_of_derived_clips_are_where_they_were(path):
    if name_of(path) in REFUSED or KNOWN[name_of(path)]["seconds"] == "0.040":
        return
    read = {"fps": 25, "sample_rate": RATE, "size": 96}
    truth = read_clip(FOLDER / "derived/ffv1_flac.mkv", **read).frames.astype(int)
    found = read_clip(path, **read).frames
    turned = range(4) if "rotated" in path.name else range(1)
    shown = min(
        (np.rot90(found, k, axes=(1, 2)) for k in turned), key=lambda one: _error(one, truth)
    )
    errors = [_error(shown[2:-2], truth[2 + shift : 98 + shift]) for shift in (-2, -1, 0, 1, 2)]
    assert abs(np.argmin(errors) - 2) <= (2 if path.name == "fps6.mp4" else 0)


def _error(shown, truth):
    return np.abs(shown - truth).mean()


@pytest.mark.parametrize("path", files("derived", "hard", "natural"))
def test_every_clip_gets_a_soundtrack_without_a_change_of_its_picture(path, tmp_path):
    if name_of(path) in REFUSED:
        with pytest.raises(UserError):
            mux(path, np.zeros((RATE, 1)), RATE, tmp_path / "out.mp4")
        return
    result = tmp_path / f"out{output_suffix(path, limits=LIMITS)}"
    before = probe(path, limits=LIMITS)
    click = np.zeros((round(before.duration * RATE), 1), np.float32)
    middle = len(click) // 2
    burst = 0.5 * np.sin(np.arange(800) * 2 * np.pi / 16)
    click[middle : middle + 800, 0] = burst[: len(click) - middle]
    mux(path, click, RATE, result)
    assert packet_digest(result, limits=LIMITS) == packet_digest(path, limits=LIMITS)
    after = probe(result, limits=LIMITS)
    assert abs(after.start - before.start) < 0.001
    sound, _ = read_audio(result, sample_rate=RATE, limits=LIMITS)
    assert abs(len(sound) - len(click)) <= 1024 * RATE / 16000
    onset = np.flatnonzero(np.abs(sound[:, 0]) > 0.15)[0]
    assert abs(onset - middle) / RATE < 0.005


SILENT = {  # what files are told that have no sound to be written again
    "derived/random_bytes.mp4": "not a media file",
    "derived/truncated_no_moov.mp4": "not a media file",
    "derived/zero_bytes.mp4": "0 bytes",
}


@pytest.mark.parametrize("path", files("audio", "derived", "hard", "natural"))
def test_every_sound_is_written_again_where_it_was(path, tmp_path):
    try:
        with open_sound(path, limits=LIMITS) as sound, open_source(path, LIMITS) as source:
            shown = video_stream(source) is not None
            suffix = output_suffix(path, limits=LIMITS) if shown else ".flac"
            result = tmp_path / f"out{suffix}"
            replace_sound(path, sound, result)
    except UserError as error:
        assert SILENT.get(name_of(path), "holds no audio") in str(error)
        return
    assert name_of(path) not in SILENT
    if shown:
        assert packet_digest(result, limits=LIMITS) == packet_digest(path, limits=LIMITS)
        assert abs(probe(result, limits=LIMITS).start - probe(path, limits=LIMITS).start) < 0.001
    old, new = (read_audio(one, sample_rate=RATE, limits=LIMITS)[0] for one in (path, result))
    assert new.shape[1] == old.shape[1]
    assert abs(len(new) - len(old)) <= 1024 * RATE / 16000
    both = min(len(old), len(new))
    # Nothing but the noise of an encoder is between them, and the milliseconds of edit lists.
    shifts = range(-RATE // 800, RATE // 800 + 1)
    alike = [np.vdot(np.roll(new[:both], shift, axis=0), old[:both]) for shift in shifts]
    assert max(alike) >= 0.9 * np.vdot(old[:both], old[:both])
