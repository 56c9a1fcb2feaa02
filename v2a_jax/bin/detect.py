"""`v2a detect FILE..`: is a file's sound marked with our key, with which payload, and where.

Of a file with several tracks of sound the one that is marked most surely is told of.

Exit status: 0 when every file is marked, 1 when some file is not, 2 when some file or the key
can't be read; the other files are still looked at.
"""

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from absl import flags
from tqdm import tqdm

from v2a_jax.bin.main import EXIT_BAD_INPUT, launch
from v2a_jax.errors import UserError
from v2a_jax.media.decode import audio_rate, audio_tracks, iter_audio
from v2a_jax.media.files import shown
from v2a_jax.media.source import LIMITS
from v2a_jax.watermark import key
from v2a_jax.watermark.detect import NOTHING, Detection, Segment, detect_blocks, strongest

EXIT_NOT_MARKED = 1
PATIENCE = 5.0  # seconds before a progress bar is shown

JSON = flags.DEFINE_bool("json", False, "Print one JSON object a line.")
KEY_FILE = flags.DEFINE_multi_string(
    "key_file",
    None,
    "File with the watermark key; repeat it to look for several keys. Without it the key is that "
    f"of ${key.FILE_VARIABLE}, ${key.KEY_VARIABLE} or ~/.config/v2a/watermark.key.",
)


def run(argv: list[str]) -> int:
    """Prints a line for each file; returns the exit status."""
    files = argv[1:]
    if not files:
        raise UserError("detect: name at least one audio or video file")
    keys = [key.load(path) for path in KEY_FILE.value or [None]]
    status = 0
    for file in files:
        try:
            track, found = _heard(file, keys)
        except (UserError, OSError) as error:
            text = str(error) if file in str(error) else f"{file}: {error}"
            sys.stderr.write(f"v2a: error: {' '.join(text.split())}\n")
            status = EXIT_BAD_INPUT
            continue
        record = {"file": file, **({"track": track} if track else {}), **dataclasses.asdict(found)}
        sys.stdout.write(
            (json.dumps(record) if JSON.value else _sentence(file, track, found)) + "\n"
        )
        status = max(status, 0 if found.watermarked else EXIT_NOT_MARKED)
    return status


def _heard(file: str, keys: Sequence[key.Key]) -> tuple[int, Detection]:
    """The track that is marked most surely, from 1 on (0: it is the only one), and its mark.

    UserError when no track is marked and some cannot be read.
    """
    tracks, found, unreadable = audio_tracks(file, limits=LIMITS), [], None
    for track in range(max(tracks, 1)):
        try:
            rate = audio_rate(file, limits=LIMITS, track=track)
            found.append(detect_blocks(_blocks(file, rate, track), keys, sample_rate=rate))
        except UserError as error:
            unreadable = error
            found.append(NOTHING)
    place, best = strongest(found)
    if unreadable is not None and not best.watermarked:
        raise unreadable
    return place + 1 if tracks > 1 else 0, best


def _blocks(file: str, rate: int, track: int) -> Iterator[np.ndarray]:
    """The file's audio as it streams, with a bar on a terminal that has been waiting."""
    shape = "{desc}: {n:.0f} s of sound heard in {elapsed}"
    with tqdm(desc=file, delay=PATIENCE, disable=None, leave=False, bar_format=shape) as bar:
        for block_NC in iter_audio(file, sample_rate=rate, limits=LIMITS, track=track):
            yield block_NC
            bar.update(len(block_NC) / rate)


def _sentence(file: str, track: int, found: Detection) -> str:
    if not found.watermarked:
        return f"{shown(file)}: no mark found (p = {found.p_value:.2g})"
    mark = f"key {found.key_id}, payload {found.payload}, p = {found.p_value:.2g}"
    where = f"track {track} marked" if track else "marked"
    return f"{shown(file)}: {where} ({mark}): " + ", ".join(
        _span(one, found) for one in found.segments
    )


def _span(segment: Segment, found: Detection) -> str:
    """A segment in words; what is as in the whole file, or as it was marked, is left out."""
    told = [f"p = {segment.p_value:.2g}"]
    if (segment.key_id, segment.payload) != (found.key_id, found.payload):
        told += [f"key {segment.key_id}", f"payload {segment.payload}"]
    for name, factor in (("tempo", segment.tempo), ("pitch", segment.pitch)):
        if round(factor, 3) != 1:
            told.append(f"{name} x {factor:.3f}")
    return f"{segment.start:.2f}-{segment.end:.2f} s ({', '.join(told)})"


if __name__ == "__main__":
    launch(run)
