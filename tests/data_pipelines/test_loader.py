"""Batches are a function of (seed, step): whatever the threads, the restarts and the hosts."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from data_pipelines.loader import Loader
from data_pipelines.schema import ClipRecord
from data_pipelines.transforms import LoaderConfig
from v2a_jax.errors import UserError

FPS, RATE, SIZE, CLIP_FRAMES, BATCH = 10, 1000, 4, 30, 4
CONFIG = LoaderConfig(
    seconds=1.2,
    fps=FPS,
    sample_rate=RATE,
    size=SIZE,
    channels=1,
    caption_length=6,
    transcript_length=8,
    captions={"full": 0.5, "short": 0.3, "none": 0.2},
    degrade=True,
    max_severity=0.7,
    threads=2,
    prefetch=3,
)


def clip(index, frames=CLIP_FRAMES, **changes):
    """A clip whose pixels and samples count its frames, from 1 on."""
    count = np.arange(1, frames + 1)
    record = ClipRecord(
        video=np.broadcast_to(count[:, None, None, None], (frames, SIZE, SIZE, 3)).astype(np.uint8),
        fps=FPS,
        audio=np.repeat(count, RATE // FPS)[:, None].astype(np.float32),
        sample_rate=RATE,
        caption="a main",
        captions={"full": "a full", "short": "short"},
        negatives=(),
        transcript="hey you",
        words=(),
        labels=(),
        events=(),
        meta={},
        provenance=f"test/{index}",
    )
    return dataclasses.replace(record, **changes)


class Clips:
    """A source of alike clips."""

    def __init__(self, count=11, **changes):
        self.count, self.changes = count, changes

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return clip(index, **self.changes)


def encode(text):
    return [ord(letter) for letter in text]


def load(source=None, config=CONFIG, *, start=0, steps=1, part=0, parts=1, seed=5, **changes):
    """The first batches of a loader."""
    config = dataclasses.replace(config, **changes)
    loader = Loader(
        Clips() if source is None else source,
        config,
        encode=encode,
        batch_size=BATCH,
        seed=seed,
        part=part,
        parts=parts,
    )
    return list(itertools.islice(loader.batches(start), steps))


def text(transcript):
    """What transcript ids say."""
    return (transcript[transcript > 0] - 1).astype(np.uint8).tobytes().decode()


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.fixture(scope="module")
def first_batches():
    return load(steps=6)


def test_shapes_and_types(first_batches):
    batch = first_batches[0]
    assert batch.audio.shape == (BATCH, 1200, 1) and batch.audio.dtype == np.float32
    assert batch.video.shape == batch.degraded.shape == (BATCH, 12, SIZE, SIZE, 3)
    assert batch.video.dtype == batch.degraded.dtype == np.uint8
    assert batch.caption.shape == (BATCH, 6) and batch.transcript.shape == (BATCH, 8)
    assert batch.index.dtype == batch.caption.dtype == np.int32
    assert batch.has_audio.dtype == bool and batch.has_audio.shape == (BATCH,)
    assert load(degrade=False)[0].degraded is None


@pytest.mark.parametrize("threads, prefetch", [(1, 1), (4, 7)])
def test_threads_change_nothing(first_batches, threads, prefetch):
    assert_equal(load(steps=6, threads=threads, prefetch=prefetch), first_batches)


@pytest.mark.parametrize("start", [1, 4])
def test_restart_goes_on_where_it_was(first_batches, start):
    assert_equal(load(start=start, steps=6 - start), first_batches[start:])


@pytest.mark.parametrize("parts", [2, 4])
def test_hosts_share_the_same_batches(first_batches, parts):
    rows = zip(*(load(steps=6, part=part, parts=parts) for part in range(parts)), strict=True)
    joined = [jax.tree.map(lambda *leaves: np.concatenate(leaves), *hosts) for hosts in rows]
    assert_equal(joined, first_batches)


def test_epochs_hold_every_clip_once_in_new_order_and_seeds_differ():
    batches = load(steps=22)
    seen = np.concatenate([batch.index for batch in batches]).reshape(-1, 11)
    assert (np.sort(seen, axis=1) == np.arange(11)).all()
    assert (seen[0] != seen[1]).any()
    assert any(
        (a.index != b.index).any() for a, b in zip(batches, load(steps=22, seed=6), strict=True)
    )


def test_window_is_cut_from_sound_and_picture_together():
    batches = load(steps=20)
    starts = set()
    for batch in batches:
        frames = batch.video[:, :, 0, 0, 0]
        sound = batch.audio[:, :, 0].reshape(BATCH, 12, RATE // FPS)
        np.testing.assert_array_equal(sound, np.broadcast_to(frames[..., None], sound.shape))
        assert (np.diff(frames.astype(int), axis=1) == 1).all()
        starts |= set(frames[:, 0].tolist())
    assert min(starts) == 1 and max(starts) == CLIP_FRAMES - 12 + 1


def test_draws_of_a_clip_change_between_epochs():
    one = Clips(count=1)
    starts = {int(batch.video[k, 0, 0, 0, 0]) for batch in load(one, steps=5) for k in range(BATCH)}
    assert len(starts) > 3


def test_short_clip_is_followed_by_black_silence():
    batch = load(Clips(frames=5))[0]
    assert (batch.video[:, :5] > 0).all() and not batch.video[:, 5:].any()
    assert (batch.audio[:, :500] > 0).all() and not batch.audio[:, 500:].any()


@pytest.mark.parametrize(
    "changes, absent",
    [
        ({"audio": None}, "audio"),
        ({"video": None}, "video"),
        ({"caption": "", "captions": {}}, "caption"),
        ({"transcript": ""}, "transcript"),
    ],
)
def test_missing_modality_is_zeros_with_its_mask_false(first_batches, changes, absent):
    batch = load(Clips(**changes))[0]
    assert not getattr(batch, f"has_{absent}").any() and not getattr(batch, absent).any()
    np.testing.assert_array_equal(batch.index, first_batches[0].index)
    assert absent != "video" or not batch.degraded.any()
    if absent in ("caption", "transcript"):  # other draws do not move
        np.testing.assert_array_equal(batch.video, first_batches[0].video)
        np.testing.assert_array_equal(batch.degraded, first_batches[0].degraded)


def test_captions_come_by_weight():
    batches = load(steps=100, degrade=False)
    rows = ["".join(map(chr, row[row > 0])) for batch in batches for row in batch.caption]
    share = {text: rows.count(text) / len(rows) for text in ("a full", "short", "")}
    for text, weight in zip(share, CONFIG.captions.values(), strict=True):
        assert share[text] == pytest.approx(weight, abs=0.1)
    assert {row for batch in load(captions={"rare": 1.0}) for row in batch.has_caption} == {True}


def test_transcript_follows_the_window():
    words = tuple((f"w{k}", k / 10, (k + 1) / 10) for k in range(CLIP_FRAMES))
    for batch in load(Clips(words=words), steps=5, transcript_length=80):
        for frame, row in zip(batch.video[:, 0, 0, 0, 0], batch.transcript, strict=True):
            said = text(row)
            assert said == " ".join(f"w{k}" for k in range(frame - 1, frame + 11))
    whole = load(Clips(frames=12))[0]
    assert text(whole.transcript[0]) == "hey you" and whole.has_transcript.all()
    assert not load()[0].has_transcript.any()  # a part of the clip, and no word times


def test_channels_are_mixed_down_or_repeated():
    stereo = np.stack([np.ones(3000), np.zeros(3000)], axis=1).astype(np.float32)
    assert (load(Clips(audio=stereo))[0].audio == 0.5).all()
    assert load(channels=2)[0].audio.shape == (BATCH, 1200, 2)


@pytest.mark.parametrize(
    "changes, words",
    [({"fps": 12}, "fps 12, not 10"), ({"sample_rate": 8}, "sample_rate 8, not 1000")],
)
def test_record_that_does_not_suit_the_model_is_named(changes, words):
    with pytest.raises(UserError, match=rf"clip test/\d+ has {words}"):
        load(Clips(**changes))


def test_corrupt_record_is_named():
    class Corrupt(Clips):
        def __getitem__(self, index):
            if index == 7:
                raise UserError("shard 3: damaged clip record")
            return super().__getitem__(index)

        def __repr__(self):
            return "Corrupt()"

    with pytest.raises(UserError, match=r"record 7 of Corrupt\(\) .*shard 3: damaged"):
        load(Corrupt(), steps=3)


def test_empty_source_is_refused():
    with pytest.raises(UserError, match="has no records"):
        load(Clips(count=0))
