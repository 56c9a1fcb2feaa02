"""The sections of a run: each measures, and says so in rows, Markdown, verdicts and a picture."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from marking import (
    adversary,
    audibility,
    audiowmark,
    bound,
    calibration,
    clicks,
    pieces,
    plots,
    speed,
    survival,
    survival_report,
    targets,
)
from marking.attacks import missing
from marking.clips import Clip
from marking.marked import Settings
from marking.parallel import spread
from marking.survival import Task
from marking.tables import Verdict

MIXES = (
    "The marked sound is so many dB above a melody, above the track of a film (of a clip of the "
    "world where there are no films), or above itself unmarked and in step."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What is measured with: clips, rates, depth, processes."""

    settings: Settings
    clips: Sequence[Clip]
    rates: Sequence[int]
    pairs: int
    jobs: int
    out: Path

    @property
    def tasks(self) -> list[Task]:
        """Every clip at every rate."""
        return survival.tasks(self.clips, self.rates)

    def spread(self, title: str, work: Callable[[Any], list[dict]], tasks: Sequence) -> list[dict]:
        """Rows of all tasks."""
        return spread(work, tasks, jobs=self.jobs, title=title)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """What a section found: rows by name, a text in Markdown, and targets met or not."""

    rows: dict[str, list[dict]]
    text: str
    verdicts: list[Verdict]


def attacks(run: Run) -> Result:
    """Every attack on every clip, at every rate."""
    lacking = ", ".join(missing()) or "nothing"
    return _survival(run, "attacks", f"Left out, for want of an encoder: {lacking}.")


def mixes(run: Run) -> Result:
    """Every clip mixed with music, with a film's track, and with itself unmarked."""
    return _survival(run, "mixes", MIXES)


def _survival(run: Run, section: str, note: str) -> Result:
    work = functools.partial(survival.survive, run.settings, section)
    rows = run.spread(section, work, run.tasks)
    if not rows:
        return Result(rows={}, text="None chosen.", verdicts=[])
    plots.attacks(rows, run.out / f"{section}.png")
    text = f"{note}\n\n{survival_report.report(rows)}"
    return Result(rows={section: rows}, text=text, verdicts=targets.judge(rows))


def bounded(run: Run) -> Result:
    """What the best weights would find under noise, beside ours."""
    rows = run.spread("bound", functools.partial(bound.compare, run.settings), run.tasks)
    return Result(rows={"bound": rows}, text=bound.report(rows), verdicts=[])


def heard(run: Run) -> Result:
    """What the mark changes, and what it adds before clicks."""
    work = functools.partial(audibility.listen, run.settings)
    rows = run.spread("audibility", work, run.tasks)
    click_rows = run.spread("clicks", functools.partial(clicks.clicks, run.settings), run.rates)
    return Result(
        rows={"audibility": rows, "clicks": click_rows},
        text=audibility.report(rows) + "\n\n" + clicks.report(click_rows),
        verdicts=audibility.judge(rows) + clicks.judge(click_rows),
    )


def calibrated(run: Run) -> Result:
    """P-values of keys that marked nothing."""
    work = functools.partial(calibration.pairs, run.settings, run.clips, run.rates)
    rows = run.spread("calibration", work, range(-(-run.pairs // calibration.KEYS)))
    plots.calibration(rows, run.out / "calibration.png")
    return Result(
        rows={"calibration": rows},
        text=calibration.report(rows),
        verdicts=calibration.judge(rows),
    )


def segments(run: Run) -> Result:
    """Marked pieces in a minute that isn't marked."""
    work = functools.partial(pieces.locate, run.settings, run.clips)
    rows = run.spread("segments", work, run.tasks)
    return Result(rows={"segments": rows}, text=pieces.report(rows), verdicts=pieces.judge(rows))


def attempts(run: Run) -> Result:
    """What can be done without the key, at the first of the rates."""
    rate = run.rates[0]
    tasks = [task for task in run.tasks if task.rate == rate]
    averaging = functools.partial(adversary.averaging, run.settings, run.clips, rate)
    blind = functools.partial(adversary.blind, run.settings, run.clips)
    rows = run.spread("averaging", averaging, (True, False))
    rows += run.spread("adversary", blind, tasks)
    return Result(rows={"adversary": rows}, text=adversary.report(rows), verdicts=[])


def beside(run: Run) -> Result:
    """The open watermark `audiowmark`, where it is installed."""
    if not audiowmark.available():
        return Result(rows={}, text="Not installed.", verdicts=[])
    tasks = survival.tasks(run.clips[:: -(-len(run.clips) // audiowmark.CLIPS)], [audiowmark.RATE])
    rows = run.spread("audiowmark", functools.partial(audiowmark.compare, run.settings), tasks)
    return Result(rows={"audiowmark": rows}, text=audiowmark.report(rows), verdicts=[])


def fast(run: Run) -> Result:
    """Processor time, at each rate in a process of its own, one after the other."""
    work = functools.partial(speed.measure, run.clips, run.settings)
    rows = spread(work, run.rates, jobs=1, title="speed")
    if run.settings.bundle:
        sampler = functools.partial(speed.sampler, run.settings)
        rows += spread(sampler, [run.settings.bundle], jobs=1, title="sampler")
    return Result(rows={"speed": rows}, text=speed.report(rows), verdicts=speed.judge(rows))


SECTIONS: dict[str, Callable[[Run], Result]] = {
    "attacks": attacks,
    "mixes": mixes,
    "bound": bounded,
    "audibility": heard,
    "calibration": calibrated,
    "segments": segments,
    "adversary": attempts,
    "audiowmark": beside,
    "speed": fast,
}
