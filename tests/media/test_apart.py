"""What a decoder does to its own process is one line here, and harms nothing else."""

import dataclasses
import os
import pathlib
import signal
import sys
import time

import numpy as np
import pytest

from data_pipelines.annotate.address import KEY
from v2a_jax.errors import UserError
from v2a_jax.media import apart
from v2a_jax.media.apart import Decoder, Helper, Kept
from v2a_jax.media.decode import iter_audio, iter_frames, probe, read_clip
from v2a_jax.media.source import LIMITS
from v2a_jax.watermark.key import KEY_VARIABLE

FAULTY = str(pathlib.Path(__file__).with_name("faulty_worker.py"))
GUARD = 60.0  # seconds; only against hanging
TIGHT = dataclasses.replace(
    LIMITS, max_memory=1 << 30, max_cpu_seconds=1, max_wait_seconds=2 * GUARD
)


def faulty(fault):
    return Helper([sys.executable, "-P", FAULTY, fault])


def children(pid):
    try:
        listed = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has just ended
        return []
    return [int(child) for child in listed]


@pytest.mark.parametrize(
    ("fault", "limits", "said"),
    [
        ("crash", TIGHT, "crashes (SIGSEGV)"),
        ("abort", TIGHT, "crashes (SIGABRT)"),
        ("hang", dataclasses.replace(TIGHT, max_wait_seconds=0.5), "hangs (nothing for 0.5 s)"),
        ("spin", TIGHT, "takes over 1 s of processor time"),
        ("hoard", TIGHT, f"needs over {1 << 30} bytes of memory"),
        ("scribble", TIGHT, "no sense"),
    ],
)
def test_a_fault_is_one_line(tmp_path, fault, limits, said):
    path = tmp_path / "a.mp4"
    begun = time.monotonic()
    with (
        Decoder(path, limits=limits, helper=faulty(fault)) as decoder,
        pytest.raises(UserError) as caught,
    ):
        list(decoder.ask("fault", pieces=3))
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and said in line and "\n" not in line
    assert time.monotonic() - begun < GUARD
    assert not list(tmp_path.iterdir())  # no memory image


def test_what_was_decoded_before_a_crash_is_kept():
    found = []
    with (
        Decoder("a.mp4", limits=TIGHT, helper=faulty("crash")) as decoder,
        pytest.raises(UserError, match="SIGSEGV"),
    ):
        for piece in decoder.ask("fault", pieces=5, shape=[100_000]):
            found.append(piece[0])
    assert found == [0, 1, 2, 3, 4][: len(found)] and len(found) >= 3


def test_one_crash_does_not_end_the_others():
    helper = faulty("crash")
    with (
        Decoder("good.mp4", limits=TIGHT, helper=helper) as good,
        Decoder("bad.mp4", limits=TIGHT, helper=helper) as bad,
    ):
        pieces = good.ask("count", pieces=50, shape=[100_000])
        assert next(pieces)[0] == 0
        with pytest.raises(UserError, match="bad.mp4"):
            list(bad.ask("fault"))
        assert [piece[0] for piece in pieces] == list(range(1, 50))


def test_no_file_is_written_by_a_decoder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        Decoder("a.mp4", limits=TIGHT, helper=faulty("write")) as decoder,
        pytest.raises((UserError, RuntimeError)),
    ):
        list(decoder.ask("fault"))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


@pytest.mark.parametrize("name", [KEY_VARIABLE, KEY])
def test_a_decoder_does_not_know_the_keys(monkeypatch, name):
    monkeypatch.setenv(name, "5a" * 32)
    with (
        Decoder("a.mp4", limits=TIGHT, helper=faulty("betray")) as decoder,
        pytest.raises(RuntimeError, match="known: nothing"),
    ):
        list(decoder.ask("fault"))


def test_more_than_the_limit_is_not_taken():
    few = dataclasses.replace(TIGHT, max_decoded_bytes=1000)
    with Decoder("a.mp4", limits=few, helper=faulty("crash")) as decoder, pytest.raises(UserError):
        list(decoder.ask("count", pieces=1, shape=[251]))


def test_a_decoder_waits_for_its_reader_and_ends_with_it():
    others, helper = children(os.getpid()), faulty("hang")
    with Decoder("a.mp4", limits=TIGHT, helper=helper) as decoder:
        pieces = decoder.ask("count", pieces=10_000, shape=[1 << 20])
        next(pieces)
        time.sleep(0.5)
        (ours,) = [children(child) for child in children(os.getpid()) if child not in others]
        status = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in ours]
        resident = [int(text.split("VmRSS:")[1].split()[0]) for text in status]
        assert max(resident) < 200_000  # kB; all it has to say is 40 GB
    deadline = time.monotonic() + GUARD
    while any(os.path.exists(f"/proc/{pid}") for pid in ours) and time.monotonic() < deadline:
        time.sleep(0.02)
        ours = [pid for pid in ours if os.path.exists(f"/proc/{pid}")]
    assert not ours


def test_memory_is_limited_in_the_real_decoder(make):
    path = make("large.mkv", video="ffv1", audio=None, size=(1920, 1080), seconds=0.2)
    assert probe(path).width == 1920
    small = dataclasses.replace(LIMITS, max_memory=260 << 20)
    with pytest.raises(UserError, match="large.mkv"):
        read_clip(path, fps=25, sample_rate=16000, limits=small)


def test_one_process_serves_all_files_and_is_started_again(make):
    path = make("a.mp4")
    assert probe(path).frames == 50
    before = children(os.getpid())
    assert probe(path).frames == 50
    assert children(os.getpid()) == before
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    apart._helper(os.getpid())
    time.sleep(0.2)
    assert probe(path).frames == 50


def test_names_are_those_of_the_caller(make, monkeypatch):
    path = make("a b\tc.mp4")
    monkeypatch.chdir(path.parent)
    assert probe("a b\tc.mp4").frames == 50
    with pytest.raises(UserError, match="^none.mp4: no such file"):
        probe("none.mp4")
    raw = os.fsencode(path.parent) + b"/\xff.mp4"
    os.rename(path, raw)
    assert probe(raw).frames == probe(os.fsdecode(raw)).frames == 50


def test_a_stream_that_is_left_early_leaves_nothing_open(make):
    path = make("a.mp4")
    for frames in (iter_frames(path, fps=25, size=32), iter_audio(path, sample_rate=16000)):
        next(frames)
        before = len(os.listdir("/proc/self/fd"))
        frames.close()
        assert len(os.listdir("/proc/self/fd")) < before


@pytest.mark.filterwarnings("error")
def test_damage_does_not_reach_the_memory_of_the_next_file(make):
    path, broken = make("a.mp4"), make("b.mkv")
    broken.write_bytes(broken.read_bytes()[:3000] + bytes(2000))
    whole = read_clip(path, fps=25, sample_rate=16000)
    one = dataclasses.replace(LIMITS, max_frames=1)
    for _ in range(3):
        with pytest.raises(UserError):
            read_clip(broken, fps=25, sample_rate=16000, limits=one)
        again = read_clip(path, fps=25, sample_rate=16000)
        np.testing.assert_array_equal(whole.frames, again.frames)


@pytest.mark.parametrize(
    "sent",
    [
        [np.zeros((1, 8, 8, 3), np.uint8)],
        [np.zeros((9, 8, 8, 3), np.uint8)],
        [np.zeros((4, 8, 9, 3), np.uint8)],
        [np.zeros((4, 8, 8, 3), np.float32)],
        [{"picture": 1}],
    ],
    ids=["too few", "too many", "another size", "another type", "no picture"],
)
def test_pictures_that_were_not_asked_for_are_refused(make, monkeypatch, sent):
    path = make("a.mp4")
    info = probe(path)
    monkeypatch.setattr(Decoder, "ask", lambda *_, **__: iter(sent))
    with pytest.raises(UserError, match="its decoder"):
        read_clip(path, fps=10, sample_rate=8000, size=8, seconds=0.4, info=info)


def decoders():
    """The forks of all helpers of this process."""
    return {pid for child in children(os.getpid()) for pid in children(child)}


def test_a_kept_decoder_goes_on_to_the_next_file(make):
    paths = [make(f"{name}.mp4", seconds=length) for name, length in (("a", 1.0), ("b", 0.6))]
    alone = [read_clip(path, fps=25, sample_rate=16000) for path in paths]
    others = decoders()
    with Kept() as kept:
        used = set()
        for path, clip in zip(paths * 2, alone * 2, strict=True):
            found = read_clip(path, fps=25, sample_rate=16000, kept=kept)
            np.testing.assert_array_equal(found.frames, clip.frames)
            np.testing.assert_array_equal(found.audio, clip.audio)
            used |= decoders() - others
        assert len(used) == 1
    deadline = time.monotonic() + GUARD
    while used & decoders() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not used & decoders()


@pytest.mark.parametrize("fault", ["crash", "betray", "hoard"])
def test_what_was_at_fault_is_not_kept(fault):
    helper = faulty(fault)
    with Kept() as kept:
        with (
            Decoder("a.mp4", limits=TIGHT, helper=helper, kept=kept) as decoder,
            pytest.raises((UserError, RuntimeError)),
        ):
            list(decoder.ask("fault"))
        assert kept.take() is None
        with Decoder("b.mp4", limits=TIGHT, helper=helper, kept=kept) as decoder:
            assert len(list(decoder.ask("count", pieces=3))) == 3
        link, lifeline = kept.take()
        kept.give(link, lifeline)
        with Decoder("c.mp4", limits=TIGHT, helper=helper, kept=kept) as decoder:
            next(decoder.ask("count", pieces=3))
        assert kept.take() is None  # what it was about to say would be heard of the next file


def test_every_file_has_processor_time_of_its_own():
    helper = faulty("work")
    with Kept() as kept:
        for _ in range(3):
            with Decoder("a.mp4", limits=TIGHT, helper=helper, kept=kept) as decoder:
                assert list(decoder.ask("fault")) == []
            link, lifeline = kept.take()
            kept.give(link, lifeline)


def test_a_kept_decoder_that_is_gone_is_told(make):
    path = make("a.mp4")
    others = decoders()
    with Kept() as kept:
        read_clip(path, fps=25, sample_rate=16000, kept=kept)
        for pid in decoders() - others:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        with pytest.raises(UserError, match="a.mp4"):
            read_clip(path, fps=25, sample_rate=16000, kept=kept)
        assert len(read_clip(path, fps=25, sample_rate=16000, kept=kept).frames) == 50
