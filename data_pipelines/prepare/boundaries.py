"""Where the shots of a clip begin: `shot_changes` on small pictures, in blocks that overlap.

What lies near a block's edge is judged in the block that has its surroundings, so that a film of
any length takes the memory of one block.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from data_pipelines.prepare.config import PrepareConfig
from data_pipelines.prepare.media import Media
from data_pipelines.prepare.windows import part
from data_pipelines.sources import SourceClip
from data_pipelines.sources.tfds_examples import SCHEME
from v2a_jax.media import decode
from v2a_jax.media.shots import shot_changes

SIZE = 64  # pixels: colours of quarters need no more
BLOCK_SECONDS = 30.0
CONTEXT_SECONDS = 5.0  # longer than a fade, and than what surrounds a cut


def shots_of(clip: SourceClip, media: Media, config: PrepareConfig) -> tuple[float, ...]:
    """Seconds of the media, ascending, at which a shot begins; none without video.

    UserError when the video is damaged.
    """
    if config.boundaries != "shots" or not media.has_video:
        return ()
    begin, end = part(clip, media.duration)
    first = round(begin * config.fps)
    pictures = _pictures(clip, media, first / config.fps, end, config)
    found = streamed_changes(
        pictures,
        config.fps,
        block=round(BLOCK_SECONDS * config.fps),
        context=round(CONTEXT_SECONDS * config.fps),
    )
    return tuple(first / config.fps + time for time in found)


def streamed_changes(
    pictures: Iterable[np.ndarray], fps: float, *, block: int, context: int
) -> Iterator[float]:
    """As `shot_changes` of all pictures uint8[H,W,3]; two blocks and contexts are held at most.

    `block` and `context` count pictures. A change belongs to the block in which it lies when
    `context` is taken off on either side.
    """
    pictures = iter(pictures)
    held, first, judged = list(itertools.islice(pictures, block + context)), 0, 0
    while held:
        more = list(itertools.islice(pictures, block))
        until = first + len(held) - (context if more else 0)
        for time in shot_changes(np.stack(held), fps):
            if judged <= first + time * fps < until:
                yield first / fps + time
        kept = max(first, until - context)
        held, first, judged = held[kept - first :] + more if more else [], kept, until


def _pictures(
    clip: SourceClip, media: Media, start: float, end: float, config: PrepareConfig
) -> Iterable[np.ndarray]:
    """Small pictures of a part of the media, one by one."""
    seconds = max(0.0, end - start)
    if clip.media.startswith(SCHEME):  # in memory already
        small = dataclasses.replace(config, size=SIZE)
        return media.read(start, round(seconds * config.fps), small)[0]
    return decode.iter_frames(clip.media, fps=config.fps, size=SIZE, start=start, seconds=seconds)
