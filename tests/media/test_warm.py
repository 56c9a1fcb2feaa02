"""Before it forks, a helper has decoded a clip of its own, and is as it was."""

import gc
import os

import pytest
from av.codec.codec import UnknownCodecError

from v2a_jax.media import warm as warming
from v2a_jax.media.warm import FPS, FRAMES, RATE, warm
from v2a_jax.media.worker import perform


@pytest.fixture(autouse=True)
def unfrozen():
    yield
    gc.unfreeze()


def state():
    return [len(os.listdir(f"/proc/self/{kind}")) for kind in ("fd", "task")]


def test_all_that_a_file_needs_is_decoded_of_a_clip_in_memory():
    paths, found = set(), {}

    def noting(path, limits, *, task, **wanted):
        paths.add(path)
        found[task] = list(perform(path, limits, task=task, **wanted))
        return iter(found[task])

    warm(noting)
    (path,) = paths
    assert path.startswith("/proc/self/fd/")
    assert sum(map(len, found["pictures"])) == FRAMES
    about, *blocks_NC = found["sound"]
    assert about["channels"] == 1
    assert sum(map(len, blocks_NC)) == FRAMES * (RATE // 3) // FPS


def test_it_leaves_no_thread_and_nothing_open():
    before = state()
    warm(perform)
    assert state() == before
    assert gc.get_freeze_count() > 0


def test_without_an_encoder_there_is_nothing_to_decode(monkeypatch):
    def missing():
        raise UnknownCodecError("libx264")

    monkeypatch.setattr(warming, "_clip", missing)
    before, asked = state(), []
    warm(lambda *_, **wanted: asked.append(wanted))
    assert not asked and state() == before
