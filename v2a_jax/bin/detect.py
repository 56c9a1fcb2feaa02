"""`v2a detect FILE..`: is a file's sound marked with our key, with which payload, and where.

Exit status: 0 when every file is marked, 1 when some file is not, 2 when some file or the key
can't be read; the other files are still looked at.
"""

import dataclasses
import json
import sys

from absl import flags

from v2a_jax.bin.main import EXIT_BAD_INPUT, launch
from v2a_jax.errors import UserError
from v2a_jax.media.audio import read_audio
from v2a_jax.media.source import LIMITS
from v2a_jax.watermark import key
from v2a_jax.watermark.detect import Detection, detect

EXIT_NOT_MARKED = 1

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
            wave, sample_rate = read_audio(file, sample_rate=None, limits=LIMITS)
            found = detect(wave, keys, sample_rate=sample_rate)
        except (UserError, OSError) as error:
            text = " ".join(str(error).split())
            sys.stderr.write(f"v2a: error: {text if file in text else f'{file}: {text}'}\n")
            status = EXIT_BAD_INPUT
            continue
        line = json.dumps(_record(file, found)) if JSON.value else _sentence(file, found)
        sys.stdout.write(line + "\n")
        status = max(status, 0 if found.watermarked else EXIT_NOT_MARKED)
    return status


def _record(file: str, found: Detection) -> dict:
    return {"file": file, **dataclasses.asdict(found)}


def _sentence(file: str, found: Detection) -> str:
    if not found.watermarked:
        return f"{file}: no mark found (p = {found.p_value:.2g})"
    spans = ", ".join(f"{one.start:.2f}-{one.end:.2f} s" for one in found.segments)
    mark = f"key {found.key_id}, payload {found.payload}, p = {found.p_value:.2g}"
    return f"{file}: marked ({mark}): {spans}"


if __name__ == "__main__":
    launch(run)
