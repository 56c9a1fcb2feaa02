"""From a video to files: marked blocks, beside the original sound, levelled and encoded.

    windows → marked blocks → a nameless file on disk → (+ original) → (loudness, limiter) → encoder

Nothing is whole in memory. The generated sound carries the mark; an original that is added to it is
marked too, by the same pattern at the same time, so that their sum carries the mark as a whole.
"""

import contextlib
import dataclasses
import pathlib
import secrets
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.media.audio import Sound
from v2a_jax.media.blocks import Spool, exactly
from v2a_jax.media.containers import container_for, is_sound_file
from v2a_jax.media.credentials import Credentials, check_suffix, sign
from v2a_jax.media.decode import iter_audio, probe
from v2a_jax.media.loudness import levelled, limited
from v2a_jax.media.mux import replace_sound
from v2a_jax.media.original import combined
from v2a_jax.media.probe import MediaInfo
from v2a_jax.media.soundtrack import at_rate
from v2a_jax.media.source import LIMITS, audio_stream, open_source, require_video
from v2a_jax.sampling.generator import Generator
from v2a_jax.sampling.note import Note
from v2a_jax.sampling.results import check_results
from v2a_jax.sampling.wish import Wish
from v2a_jax.watermark.stream import mark_blocks

LOUDNESS_RANGE = (-70.0, 0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delivery:
    """How soundtracks leave.

    original     what becomes of the video's own sound: one of `media.original.CHOICES`
    loudness     LUFS to bring the result to; None leaves its level
    stems        folder for the generated and the original sound on their own; None for no such
    stem_suffix  the kind of file they are
    credentials  to sign with what holds generated sound; None for no signature
    """

    original: str = "replace"
    loudness: float | None = None
    stems: pathlib.Path | None = None
    stem_suffix: str = ".wav"
    credentials: Credentials | None = None


def check_files(video: pathlib.Path, outs: Sequence[pathlib.Path], delivery: Delivery) -> MediaInfo:
    """What the video holds; UserError for what is wrong, before any work is done."""
    info, out = probe(video, limits=LIMITS), outs[0]
    if not is_sound_file(out):
        with open_source(video, LIMITS) as source:
            kept = audio_stream(source) if delivery.original == "keep" else None
            container_for(out, require_video(source, video), kept)
    for folder in filter(None, (out.parent, delivery.stems)):
        if not folder.is_dir():
            raise UserError(f"cannot write {out}: there is no folder {folder}")
    check_results(video, outs)
    low, high = LOUDNESS_RANGE
    if delivery.loudness is not None and not low <= delivery.loudness <= high:
        raise UserError(f"loudness={delivery.loudness:g} is not between {low:g} and {high:g} LUFS")
    if delivery.credentials is not None:
        check_suffix(out)
    return info


class Deliverer:
    """Writes the soundtracks of one video."""

    def __init__(
        self, generator: Generator, video: pathlib.Path, info: MediaInfo, delivery: Delivery
    ):
        self._generator, self._video, self._info = generator, video, info
        self._delivery = delivery

    def deliver(
        self,
        outs: Sequence[pathlib.Path],
        wish: Wish,
        advance: Callable[[float], object],
        note: Callable[[Note], object] | None = None,
    ) -> Iterator[tuple[pathlib.Path, int]]:
        """Writes a file for each variation: gives each, when it is there, and its samples.

        `advance` is told how many seconds of sound were made since it was last called, and `note`
        of each window.
        """
        made, channels = self._generator, self._generator.bundle.system.codec_config.channels
        with contextlib.ExitStack() as opened:
            spools = [opened.enter_context(Spool(outs[0].parent, channels)) for _ in outs]
            for block_VNC in made.stream(self._video, wish, info=self._info, note=note):
                for spool, block_NC in zip(spools, block_VNC, strict=True):
                    spool.write(block_NC)
                advance(block_VNC.shape[1] / made.sample_rate)
            for v, (out, spool) in enumerate(zip(outs, spools, strict=True)):
                sound = self._programme(spool, wish.seed_of(v), out.parent)
                self._write(sound, out)
                if self._delivery.stems:
                    self._write_stems(spool, out)
                yield out, spool.samples

    def _programme(self, made: Spool, seed: int, folder: pathlib.Path) -> Sound:
        """What is heard: the generated sound, with the original where that is wanted, levelled."""
        info, delivery, rate = self._info, self._delivery, self._generator.sample_rate
        channels, blocks = made.channels, made.blocks()
        added = delivery.original in ("mix", "duck") and info.has_audio
        if added:
            rate, channels = max(rate, info.audio_rate), max(channels, min(info.audio_channels, 2))
            samples = round(info.duration * rate)
            blocks = at_rate(blocks, self._generator.sample_rate, rate, made.channels)
            blocks = combined(
                exactly(blocks, samples, made.channels),
                self._marked_original(rate, samples, seed),
                duck=delivery.original == "duck",
                rate=rate,
            )
        if delivery.loudness is not None:
            target = delivery.loudness
            blocks = levelled(blocks, rate=rate, channels=channels, lufs=target, folder=folder)
        elif added:
            blocks = limited(blocks, rate=rate)
        return _sound(blocks, rate, channels, info.start)

    def _marked_original(self, rate: int, samples: int, seed: int) -> Iterator[np.ndarray]:
        """The video's own sound, marked as the generated sound of this seed is."""
        made, channels = self._generator, min(self._info.audio_channels, 2)
        blocks = iter_audio(self._video, sample_rate=rate, channels=channels, limits=LIMITS)
        return mark_blocks(
            exactly(blocks, samples, channels),
            made.key,
            made.payload,
            sample_rate=rate,
            depth=made.depth,
            offset=made.mark_offset(seed),
        )

    def _write(self, sound: Sound, out: pathlib.Path) -> None:
        """The file, signed where that is wanted: an unsigned one is never seen under its name."""
        keep, signing = self._delivery.original == "keep", self._delivery.credentials
        if signing is None:
            replace_sound(self._video, sound, out, keep=keep, info=self._info)
            return
        draft = out.with_name(f".{secrets.token_hex(4)}.{out.name}")
        try:
            replace_sound(self._video, sound, draft, keep=keep, info=self._info)
            sign(draft, out, signing)
        finally:
            draft.unlink(missing_ok=True)

    def _write_stems(self, made: Spool, out: pathlib.Path) -> None:
        """The generated sound at the level it was made at, and the original as it is, unmarked."""
        folder, suffix = self._delivery.stems, self._delivery.stem_suffix
        rate, info = self._generator.sample_rate, self._info
        sound = _sound(made.blocks(), rate, made.channels, 0.0)
        self._write(sound, folder / f"{out.stem}-generated{suffix}")
        if info.has_audio:
            blocks = iter_audio(self._video, sample_rate=info.audio_rate, limits=LIMITS)
            samples = round(info.duration * info.audio_rate)
            blocks = exactly(blocks, samples, info.audio_channels)
            sound = _sound(blocks, info.audio_rate, info.audio_channels, 0.0)
            replace_sound(self._video, sound, folder / f"{out.stem}-original{suffix}", info=info)


def _sound(blocks: Iterator[np.ndarray], rate: int, channels: int, start: float) -> Sound:
    return Sound(blocks=blocks, rate=rate, channels=channels, layout=None, start=start)
