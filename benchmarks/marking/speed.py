"""Section `speed`: seconds on one core, beside a plain spectrogram of the same sound."""

import collections
import dataclasses
import itertools
import resource
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy.signal

from marking import ours
from marking.changes import stretched
from marking.clips import Clip, made
from marking.marked import Settings, mark
from marking.neural import sampling
from marking.tables import Verdict, table

SHORT, LONG = 10.0, 600.0  # seconds of sound
CLIPS = 12
REPEATS = 3  # of which the fastest counts
HOUR = 3600.0
EMBED_LEAST, TYPICAL_MOST, WORST_MOST, HOUR_MOST = 100.0, 0.3, 3.0, 300.0
SAMPLER_MOST = 2.0  # percent of its time
YARDSTICK, SAMPLER, FUSED = "spectrogram", "sampler", "embedding as in the sampler"
MARKED, STRETCHED, PLAIN = (
    f"detection, {how}" for how in ("as it was marked", "stretched", "not marked")
)


def measure(clips: Sequence[Clip], settings: Settings, rate: int) -> list[dict]:
    """A row for each kind of work: processor seconds it took, of each piece of sound."""
    short = dataclasses.replace(settings, seconds=SHORT)
    marked = [mark(short, clip, rate, number) for number, clip in enumerate(clips[:CLIPS])]
    slowed = [stretched(one.wave, rate, None, factor=0.93) for one in marked]
    pairs = list(zip(marked, slowed, strict=True))
    options = dict(sample_rate=rate, depth=settings.depth, offset=0)
    other = ours.throwaway_key("other")
    calls = {
        YARDSTICK: lambda one, _: _spectrogram(one.wave, rate),
        "embedding": lambda one, _: ours.mark(one.plain, one.key, 1, **options),
        MARKED: lambda one, _: ours.detect(one.wave, one.key, sample_rate=rate),
        STRETCHED: lambda one, slow: ours.detect(slow, one.key, sample_rate=rate),
        PLAIN: lambda one, _: ours.detect(one.wave, other, sample_rate=rate),
    }
    rows = _long([one.plain.mean(1, keepdims=True) for one in marked], settings, rate)
    for name, call in calls.items():
        call(*pairs[0])  # compiles
        took = [min(_seconds(call, *pair) for _ in range(REPEATS)) for pair in pairs]
        rows.append({"work": name, "rate": rate, "sound": SHORT, "took": took})
    return rows


def sampler(settings: Settings, bundle: str) -> list[dict]:
    """Two rows: a window of a bundle's sampler, and marking as much sound."""
    sample, seconds, rate = sampling(bundle)
    plain = made("notes", 0).render(seconds, rate)
    embed, rows = ours.embedder(ours.throwaway_key("sampler"), rate, settings.depth), []
    for work, call in ((SAMPLER, sample), (FUSED, lambda: embed(plain))):
        call()  # compiles
        took = [min(_seconds(call) for _ in range(REPEATS))]
        rows.append({"work": work, "rate": rate, "sound": seconds, "took": took})
    return rows


def _long(waves: list[np.ndarray], settings: Settings, rate: int) -> list[dict]:
    """Ten minutes, handed over block by block; memory is what they need more than one minute."""
    key, rows = ours.throwaway_key("long"), []
    options = dict(sample_rate=rate, depth=settings.depth, offset=0)

    def plain(seconds: float) -> Iterator[np.ndarray]:
        return itertools.islice(itertools.cycle(waves), round(seconds / SHORT))

    def marked(seconds: float) -> Iterator[np.ndarray]:
        return ours.mark_blocks(plain(seconds), key, 1, **options)

    calls = {
        "embedding": lambda seconds: collections.deque(marked(seconds), maxlen=0),
        PLAIN: lambda seconds: ours.detect_blocks(plain(seconds), key, sample_rate=rate),
        f"embedding and {MARKED}": lambda seconds: ours.detect_blocks(
            marked(seconds), key, sample_rate=rate
        ),
    }
    for name, call in calls.items():
        call(LONG / 10)
        before = _peak_mb()
        row = {"work": name, "rate": rate, "sound": LONG, "took": [_seconds(call, LONG)]}
        rows.append(row | {"memory": _peak_mb() - before})
    return rows


def report(rows: Sequence[dict]) -> str:
    """Seconds, times faster than real time, and cost in spectrograms, of each kind of work."""
    unit = {row["rate"]: np.median(row["took"]) for row in rows if row["work"] == YARDSTICK}
    lines = []
    for row in rows:
        typical, worst = np.median(row["took"]), max(row["took"])
        cost = typical / row["sound"] * SHORT / unit[row["rate"]] if row["rate"] in unit else None
        lines.append(
            [
                f"{row['work']}, {row['sound']:g} s at {row['rate']} Hz",
                f"{typical:.2f}",
                f"{worst:.2f}",
                f"{row['sound'] / typical:.0f}",
                f"{cost:.1f}" if cost else "–",
                f"{row['memory']:.0f}" if "memory" in row else "–",
            ]
        )
    header = ("work", "median s", "worst s", "x real time", "spectrograms", "more memory, MB")
    return table(header, lines)


def judge(rows: Sequence[dict]) -> list[Verdict]:
    """The targets on time at each rate; an hour is six times ten minutes."""
    found = []
    for rate in sorted({row["rate"] for row in rows if row["sound"] == LONG}, reverse=True):
        took = {(row["work"], row["sound"]): row["took"] for row in rows if row["rate"] == rate}
        faster = float(SHORT / np.median(took["embedding", SHORT]))
        typical = float(np.median(took[MARKED, SHORT]))
        worst = max(max(took[work, SHORT]) for work in (MARKED, STRETCHED, PLAIN))
        hour = HOUR / LONG * max(max(t) for (_, sound), t in took.items() if sound == LONG)
        found += [
            _at_least(f"embedding, {rate} Hz", EMBED_LEAST, faster, "x real time"),
            _at_most(f"detection of 10 s, typical, {rate} Hz", TYPICAL_MOST, typical, "s"),
            _at_most(f"detection of 10 s, worst, {rate} Hz", WORST_MOST, worst, "s"),
            _at_most(f"an hour (6 x 10 minutes), {rate} Hz", HOUR_MOST, hour, "s"),
        ]
    windows = [row for row in rows if row["work"] == SAMPLER]
    for window in windows:
        place = dict(work=FUSED, rate=window["rate"], sound=window["sound"])
        (marking,) = (row for row in rows if place.items() <= row.items())
        part = 100 * marking["took"][0] / window["took"][0]
        found.append(_at_most("embedding, of the sampler's time", SAMPLER_MOST, part, "%"))
    return found


def _at_least(row: str, least: float, value: float, unit: str) -> Verdict:
    measured = f"{value:.3g} {unit}"
    return Verdict(row=row, target=f"≥ {least:g} {unit}", measured=measured, passed=value >= least)


def _at_most(row: str, most: float, value: float, unit: str) -> Verdict:
    measured = f"{value:.3g} {unit}"
    return Verdict(row=row, target=f"≤ {most:g} {unit}", measured=measured, passed=value <= most)


def _seconds(call: Callable[..., object], *arguments: object) -> float:
    start = time.process_time()
    call(*arguments)
    return time.process_time() - start


def _spectrogram(wave_NC: np.ndarray, rate: int) -> None:
    """The yardstick: Hann frames of 20 ms, 5 ms apart."""
    for wave_N in wave_NC.T:
        frame = round(0.02 * rate)
        scipy.signal.spectrogram(wave_N, rate, "hann", frame, frame * 3 // 4)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
