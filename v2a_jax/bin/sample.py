"""`v2a sample --bundle=B --video=IN --out=OUT`: soundtracks, marked, joined with the picture.

With a folder or a pattern as --video, --out is a folder, and what is finished in it is left.
"""

import contextlib
import pathlib
import sys

from absl import flags
from tqdm import tqdm

from v2a_jax.bin.main import launch, no_more
from v2a_jax.errors import UserError
from v2a_jax.media.containers import output_suffix
from v2a_jax.media.credentials import load_credentials
from v2a_jax.media.files import shown
from v2a_jax.media.original import CHOICES
from v2a_jax.media.source import LIMITS
from v2a_jax.sampling.batch import FAILED, Order, is_many, matching, run_batch, table
from v2a_jax.sampling.cues import read_cues
from v2a_jax.sampling.delivery import Delivery, check_files
from v2a_jax.sampling.generator import load_generator
from v2a_jax.sampling.long_form import BOUNDARIES
from v2a_jax.sampling.results import results
from v2a_jax.sampling.wish import Wish

BUNDLE = flags.DEFINE_string("bundle", None, "Folder of an exported bundle.")
VIDEO = flags.DEFINE_string("video", None, "The video; or a folder, or a pattern like 'in/*.mp4'.")
OUT = flags.DEFINE_string(
    "out",
    None,
    "The result; its suffix chooses the container, and that of a sound file (.wav, .flac, ..) takes"
    " the sound alone. A folder gets files named like the videos.",
)
PROMPT = flags.DEFINE_string("prompt", None, "A sound to steer towards.")
NEGATIVE = flags.DEFINE_string("negative_prompt", None, "A sound to steer away from.")
TRANSCRIPT = flags.DEFINE_string("transcript", None, "What is said.")
CUES = flags.DEFINE_string("cues", None, "Prompts by time: a .json, .csv or .srt file.")
BOUNDARY = flags.DEFINE_enum("boundaries", "even", BOUNDARIES, "Where windows of long videos end.")
VARIATIONS = flags.DEFINE_integer("variations", 1, "How many soundtracks to make.")
BEST_OF = flags.DEFINE_integer(
    "best_of",
    1,
    "How many candidates for each, of which that is kept which suits the picture best.",
)
SEED = flags.DEFINE_integer("seed", 0, "Seed of the first variation; the others count up.")
STEPS = flags.DEFINE_integer("steps", None, "Solver steps (default: the bundle's).")
SOLVER = flags.DEFINE_string("solver", None, "euler or heun (default: the bundle's).")
VIDEO_SCALE = flags.DEFINE_float("video_scale", None, "Guidance by the video.")
TEXT_SCALE = flags.DEFINE_float("text_scale", None, "Guidance by the prompts.")
TRANSCRIPT_SCALE = flags.DEFINE_float("transcript_scale", None, "Guidance by what is said.")
BEGIN = flags.DEFINE_float("guidance_begin", None, "From when on scales hold: 0 is noise, 1 sound.")
END = flags.DEFINE_float("guidance_end", None, "Until when scales hold.")
RESCALE = flags.DEFINE_float(
    "guidance_rescale", None, "How far guided velocities are taken back to their usual size, 0..1."
)
ORIGINAL = flags.DEFINE_enum(
    "original",
    "replace",
    CHOICES,
    "The video's own sound: left out, added, added with the generated sound held down under it, or"
    " kept as the first of two tracks.",
)
LOUDNESS = flags.DEFINE_float(
    "loudness", None, "LUFS of the result, such as -16, with true peaks under -1 dBTP."
)
STEMS = flags.DEFINE_string("stems", None, "Folder for the generated and the original sound alone.")
STEM_FORMAT = flags.DEFINE_enum("stem_format", "wav", ("wav", "flac"), "What stems are.")
CERTIFICATE = flags.DEFINE_string(
    "certificate", None, "PEM file with the certificates that sign Content Credentials (C2PA)."
)
PRIVATE_KEY = flags.DEFINE_string("private_key", None, "PEM file with the certificate's key.")
KEY_FILE = flags.DEFINE_string("key_file", None, "Watermark key (default: the user's own).")

EXIT_SOME_FAILED = 1


def run(argv: list[str]) -> int:
    """Makes the soundtracks and says where they are; returns the exit status."""
    no_more(argv)
    if BUNDLE.value is None or VIDEO.value is None or OUT.value is None:
        raise UserError("sample needs --bundle=DIR, --video=FILE and --out=FILE")
    for name, flag in (("prompt", PROMPT), ("negative_prompt", NEGATIVE)):
        if flag.value is not None and not flag.value.strip():
            raise UserError(f"--{name} is empty: leave it out to let the video decide")
    wish, delivery, out = _wish(), _delivery(), pathlib.Path(OUT.value)
    wish.check()
    if is_many(VIDEO.value):
        return _many(wish, delivery, out)
    video = pathlib.Path(VIDEO.value)
    if out.is_dir():
        keep = delivery.original == "keep"
        out = out / f"{video.stem}{output_suffix(video, limits=LIMITS, keep=keep)}"
    check_files(video, results(out, wish.variations), delivery)
    order = _order(wish, delivery)
    job = order.plan(video, out)
    with _bar(job.info.duration) as bar:
        warning = order.make(job, bar.update)
    if warning:
        print(_warned(video, warning), file=sys.stderr)
    print(*map(str, job.outs), sep="\n")
    return 0


def _many(wish: Wish, delivery: Delivery, folder: pathlib.Path) -> int:
    videos, order, outcomes = matching(VIDEO.value), _order(wish, delivery), []
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    if not folder.is_dir():
        raise UserError(f"{folder}: for several videos --out is a folder")
    with _bar(0.0) as bar:
        for outcome in run_batch(order, videos, folder, bar):
            outcomes.append(outcome)
            if outcome.state == FAILED:
                bar.write(f"{shown(outcome.video.name)}: {outcome.reason}", file=sys.stderr)
            if outcome.warning:
                bar.write(_warned(outcome.video, outcome.warning), file=sys.stderr)
    print(table(outcomes))
    return EXIT_SOME_FAILED if any(each.state == FAILED for each in outcomes) else 0


def _warned(video: pathlib.Path, warning: str) -> str:
    return f"v2a: warning: {shown(video.name)}: {warning}"


def _order(wish: Wish, delivery: Delivery) -> Order:
    generator = load_generator(BUNDLE.value, KEY_FILE.value)
    generator.check(wish)
    return Order(generator=generator, wish=wish, delivery=delivery)


def _bar(seconds: float) -> tqdm:
    """A bar of seconds of sound, with rate and time left, where somebody looks."""
    shape = "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s, {rate_fmt}, {remaining} left"
    return tqdm(total=seconds, unit="s", disable=None, leave=False, bar_format=shape)


def _wish() -> Wish:
    return Wish(
        prompt=PROMPT.value or "",
        negative_prompt=NEGATIVE.value or "",
        transcript=TRANSCRIPT.value or "",
        cues=read_cues(CUES.value) if CUES.value else (),
        boundaries=BOUNDARY.value,
        variations=VARIATIONS.value,
        best_of=BEST_OF.value,
        seed=SEED.value,
        steps=STEPS.value,
        solver=SOLVER.value,
        video_scale=VIDEO_SCALE.value,
        text_scale=TEXT_SCALE.value,
        transcript_scale=TRANSCRIPT_SCALE.value,
        guidance_begin=BEGIN.value,
        guidance_end=END.value,
        guidance_rescale=RESCALE.value,
    )


def _delivery() -> Delivery:
    if (CERTIFICATE.value is None) != (PRIVATE_KEY.value is None):
        raise UserError("Content Credentials need both --certificate and --private_key")
    signing = load_credentials(CERTIFICATE.value, PRIVATE_KEY.value) if CERTIFICATE.value else None
    return Delivery(
        original=ORIGINAL.value,
        loudness=LOUDNESS.value,
        stems=pathlib.Path(STEMS.value) if STEMS.value else None,
        stem_suffix=f".{STEM_FORMAT.value}",
        credentials=signing,
    )


if __name__ == "__main__":
    launch(run)
