"""`v2a watermark FILE --out=OUT`: marks the sound of an audio or video file.

Video packets are copied. The suffix of OUT chooses the kind of file, and that of a sound file takes
the sound alone; length, timing and channels are kept.
"""

import dataclasses

from absl import flags

from configs.base import get_config
from v2a_jax.bin.main import launch, no_more
from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.media.decode import open_sound
from v2a_jax.media.files import file_sha256, shown
from v2a_jax.media.mux import replace_sound
from v2a_jax.media.source import LIMITS
from v2a_jax.watermark.key import load_or_create
from v2a_jax.watermark.mask import DepthConfig
from v2a_jax.watermark.payload import PAYLOAD_BITS, of_digest
from v2a_jax.watermark.stream import mark_blocks

OUT = flags.DEFINE_string("out", None, "The result; its suffix chooses the kind of file.")
PAYLOAD = flags.DEFINE_integer(
    "payload",
    None,
    "The number to carry (default: the first bits of the file's SHA-256).",
    lower_bound=0,
    upper_bound=(1 << PAYLOAD_BITS) - 1,
)
KEY_FILE = flags.DEFINE_string("key_file", None, "Watermark key (default: the user's own).")


def run(argv: list[str]) -> None:
    """Writes the marked file and says what it carries."""
    if len(argv) < 2 or OUT.value is None:
        raise UserError("watermark needs FILE and --out=OUT")
    no_more(argv[1:])
    file, out = argv[1], OUT.value
    depth = build(DepthConfig, get_config().watermark)
    with open_sound(file, limits=LIMITS) as sound:
        key = load_or_create(KEY_FILE.value)
        payload = of_digest(file_sha256(file)) if PAYLOAD.value is None else PAYLOAD.value
        blocks = mark_blocks(sound.blocks, key, payload, sample_rate=sound.rate, depth=depth)
        replace_sound(file, dataclasses.replace(sound, blocks=blocks), out)
    print(f"{shown(out)}: key {key.key_id}, payload {payload}")


if __name__ == "__main__":
    launch(run)
