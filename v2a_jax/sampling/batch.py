"""Sound for many videos: what is finished is left, a failure is told and does not stop the others.

One video is a batch of one, but that its failure is raised.
"""

import dataclasses
import glob
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from v2a_jax.errors import UserError
from v2a_jax.media.containers import output_suffix
from v2a_jax.media.files import shown
from v2a_jax.media.probe import MediaInfo
from v2a_jax.media.source import LIMITS
from v2a_jax.sampling.delivery import Deliverer, Delivery, check_files
from v2a_jax.sampling.generator import Generator
from v2a_jax.sampling.manifest import is_finished, request, write_manifest
from v2a_jax.sampling.note import Note, quality
from v2a_jax.sampling.results import results
from v2a_jax.sampling.wish import Wish

# Of a folder, the files that are taken for videos; a pattern takes whatever it matches.
VIDEO_SUFFIXES = frozenset(
    f".{kind}"
    for kind in (
        *("3gp", "asf", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg"),
        *("mts", "mxf", "ogv", "ts", "webm", "wmv"),
    )
)
MADE, LEFT, FAILED = "made", "was there", "failed"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One video, its results (one a variation), and what their manifests say of the request."""

    video: pathlib.Path
    outs: tuple[pathlib.Path, ...]
    info: MediaInfo
    asked: tuple[dict[str, Any], ...]

    @property
    def finished(self) -> bool:
        """Whether all results are there, and are what is asked for."""
        return all(is_finished(*each) for each in zip(self.outs, self.asked, strict=True))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a video: MADE, LEFT or FAILED, the reason of the latter, and a warning."""

    video: pathlib.Path
    state: str
    seconds: float = 0.0
    reason: str = ""
    warning: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for each video, and by which bundle it is done."""

    generator: Generator
    wish: Wish
    delivery: Delivery

    def plan(self, video: pathlib.Path, out: pathlib.Path) -> Job:
        """The job of one video; UserError where it cannot be done."""
        outs = results(out, self.wish.variations)
        info = check_files(video, outs, self.delivery)
        asked = request(self.generator, video, self.wish, self.delivery)
        return Job(
            video=video,
            outs=outs,
            info=info,
            asked=tuple({**asked, "seed": self.wish.seed_of(v)} for v in range(len(outs))),
        )

    def make(self, job: Job, advance: Callable[[float], object]) -> str:
        """Writes the results of a job, each followed by its manifest, which says that it is done.

        `advance` is told how many seconds of sound were made since it was last called. Returns what
        there is to warn of, or "".
        """
        deliverer = Deliverer(self.generator, job.video, job.info, self.delivery)
        notes: list[Note] = []
        written = deliverer.deliver(job.outs, self.wish, advance, notes.append)
        for v, ((out, samples), asked) in enumerate(zip(written, job.asked, strict=True)):
            write_manifest(out, asked, samples, notes, v)
        return self._warning(quality(notes))

    def _warning(self, found: float | None) -> str:
        clean = self.generator.bundle.clean
        if found is None or found >= clean.warn_below:
            return ""
        return (
            f"it looks unlike what the model was trained on (quality {found:.3f}, warned below "
            f"{clean.warn_below:g}): its sound may suffer"
        )


def is_many(video: str) -> bool:
    """Whether it names a folder, or is a pattern and not the name of a file."""
    return os.path.isdir(video) or (glob.has_magic(video) and not os.path.exists(video))


def matching(video: str) -> list[pathlib.Path]:
    """The videos of a folder, or the files that match a pattern, by name; UserError for none."""
    if os.path.isdir(video):
        entries = (path for path in pathlib.Path(video).iterdir() if path.name[0] != ".")
        found = [path for path in entries if path.suffix.lower() in VIDEO_SUFFIXES]
    else:
        found = [pathlib.Path(path) for path in glob.glob(video, recursive=True)]
    files = sorted(path for path in found if path.is_file())
    if not files:
        raise UserError(f"{video}: no video is there")
    return files


def run_batch(
    order: Order, videos: Sequence[pathlib.Path], folder: pathlib.Path, progress: Any
) -> Iterator[Outcome]:
    """An outcome for each video; `progress` is a tqdm bar in seconds of sound."""
    jobs, stems = [], [video.stem for video in videos]
    taken = {video.resolve() for video in videos}
    for video in videos:
        name = video.stem if stems.count(video.stem) == 1 else video.name
        try:
            keep = order.delivery.original == "keep"
            suffix = output_suffix(video, limits=LIMITS, keep=keep)
            job = order.plan(video, folder / f"{name}{suffix}")
            outs = {out.resolve() for out in job.outs}
            if not taken.isdisjoint(outs):
                raise UserError(f"{video}: another video, or its result, has its result's name")
        except Exception as error:  # whatever it is, the others are still to be made
            yield _failed(video, error)
        else:
            jobs.append(job)
            taken |= outs
    jobs = [(job, job.finished) for job in jobs]
    progress.reset(total=sum(job.info.duration for job, done in jobs if not done))
    for job, done in jobs:
        progress.set_description(shown(job.video.name))
        state, seconds = LEFT if done else MADE, job.info.duration
        try:
            warning = "" if done else order.make(job, progress.update)
            outcome = Outcome(video=job.video, state=state, seconds=seconds, warning=warning)
        except Exception as error:
            outcome = _failed(job.video, error)
        yield outcome


def _failed(video: pathlib.Path, error: Exception) -> Outcome:
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return Outcome(video=video, state=FAILED, reason=" ".join(f"{kind}{error}".split()))


def table(outcomes: Sequence[Outcome]) -> str:
    """A line for each video, and one for all."""
    width = max(len(shown(outcome.video.name)) for outcome in outcomes)
    lines = [
        f"{shown(each.video.name):<{width}}  {each.state:<9}  "
        + (each.reason if each.state == FAILED else f"{each.seconds:.2f} s")
        for each in outcomes
    ]
    states = [outcome.state for outcome in outcomes]
    counts = ", ".join(f"{states.count(state)} {state}" for state in (MADE, LEFT, FAILED))
    return "\n".join([*lines, f"{len(outcomes)} videos: {counts}"])
