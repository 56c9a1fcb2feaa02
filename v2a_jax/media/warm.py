"""What a process that forks decoders does once beforehand, so that not every fork has to.

It decodes a clip of its own making: what libraries look up, import and compute at first use is
there for every fork, and shared by all. No foreign file is touched.
"""

import contextlib
import gc
import io
import os
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.codec.codec import UnknownCodecError

from v2a_jax.media.source import LIMITS, MediaLimits
from v2a_jax.media.wire import Message

FPS, FRAMES, SIDE, RATE = 25, 8, 64, 48000


def warm(perform: Callable[..., Iterator[Message]]) -> None:
    """Decodes a clip with `worker.perform`, and spares what is there from forks' collections."""
    # Without these encoders everything decodes all the same.
    with contextlib.suppress(UnknownCodecError):
        held = os.memfd_create("clip")
        try:
            os.write(held, _clip())
            _decode(f"/proc/self/fd/{held}", perform, LIMITS)
        finally:
            os.close(held)
    gc.collect()
    gc.freeze()


def _decode(path: str, perform: Callable[..., Iterator[Message]], limits: MediaLimits) -> None:
    (info,) = perform(path, limits, task="probe")
    shape = dict(fps=FPS, size=SIDE // 2, part=[0, FRAMES])
    for _ in perform(path, limits, task="pictures", info=info, **shape):
        pass
    part = dict(start=0.0, end=FRAMES / FPS, origin=info["start"], from_picture=False)
    for _ in perform(path, limits, task="sound", sample_rate=RATE // 3, channels=1, **part):
        pass


def _clip() -> bytes:
    """An MP4 file with H.264 and AAC, as most files are."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        picture = container.add_stream("libx264", rate=FPS)
        picture.width = picture.height = SIDE
        picture.pix_fmt, picture.thread_count = "yuv420p", 1
        track = container.add_stream("aac", rate=RATE, layout="stereo")
        for k in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((SIDE, SIDE, 3), 20 * k, np.uint8))
            container.mux(picture.encode(frame))
        wave_CN = np.zeros((2, FRAMES * RATE // FPS), np.float32)
        sound = av.AudioFrame.from_ndarray(wave_CN, format="fltp", layout="stereo")
        sound.sample_rate, sound.time_base = RATE, Fraction(1, RATE)
        container.mux([*picture.encode(None), *track.encode(sound), *track.encode(None)])
    return file.getvalue()
