"""Section `calibration`: p-values of keys that marked nothing, in sound of every sort."""

from collections.abc import Sequence

import numpy as np

from marking import ours
from marking.attacks import registry
from marking.clips import MADE, Clip, made
from marking.marked import Settings
from marking.tables import Verdict, table

SORTS = ("world", "real", "noise", "music", "silence", "other keys", "attacked")
STRETCHED = "of all, tempo and pitch searched too"
KEYS = 50  # a segment
KEY_RING = 4  # sets of so many keys, taken in turn
LEVELS = (1e-2, 1e-3, 1e-4, 1e-6)
TARGET = 1e-3  # the level whose share of p-values must not be larger
SHORTEST, LONGEST = 1, 4  # seconds
STRETCHED_EVERY = 10  # segments: changes of tempo and pitch are searched in one, for they take long
SPARE_SECONDS = 8.0  # of sound, out of which a segment is cut


def pairs(
    settings: Settings, clips: Sequence[Clip], rates: Sequence[int], number: int
) -> list[dict]:
    """One row: the p-values of KEYS keys in segment `number`."""
    rng = np.random.default_rng([number, 5])
    sort, rate = SORTS[number % len(SORTS)], rates[number // len(SORTS) % len(rates)]
    wave, rate = _sound(settings, clips, sort, number, rate)
    samples = min(round(int(rng.integers(SHORTEST, LONGEST + 1)) * rate), len(wave))
    start = rng.integers(len(wave) - samples + 1)
    names = [f"calibration {number % KEY_RING} {k}" for k in range(KEYS)]
    stretched = number % STRETCHED_EVERY == 0
    heard = wave[start : start + samples]
    log10_p = ours.log10_p_values(heard, names, rate, stretched=stretched)
    facts = {"sort": sort, "rate": rate, "seconds": samples / rate, "stretched": stretched}
    return [facts | {"log10_p": log10_p}]


def _sound(
    settings: Settings, clips: Sequence[Clip], sort: str, number: int, rate: int
) -> tuple[np.ndarray, int]:
    if sort == "silence":
        return np.zeros((round(SPARE_SECONDS * rate), 1), np.float32), rate
    rng = np.random.default_rng([number, 6])
    own = {"world": "world", "noise": "noise", "music": "notes"}
    real = [clip for clip in clips if clip.kind not in MADE] or clips
    chosen = clips if sort in ("other keys", "attacked") else real
    clip = made(own[sort], 3000 + number) if sort in own else chosen[rng.integers(len(chosen))]
    wave = clip.render(SPARE_SECONDS, rate)
    if sort == "other keys" or (sort == "attacked" and number % 2):
        key, options = ours.throwaway_key("another", number), dict(sample_rate=rate)
        wave = ours.mark(wave, key, number % (1 << 16), depth=settings.depth, **options)
    if sort == "attacked":
        attacks = [attack for group in registry().values() for attack in group.values()]
        return attacks[rng.integers(len(attacks))](wave, rate, rng)
    return wave, rate


def shares(rows: Sequence[dict]) -> dict[str, list[float]]:
    """Number of pairs, and the share of p-values at or below each level, by sort and in all."""
    found = {}
    for sort in (*SORTS, STRETCHED, "all"):
        part = [
            row["log10_p"]
            for row in rows
            if sort in (row["sort"], "all") or (sort == STRETCHED and row["stretched"])
        ]
        log10_p = np.concatenate(part) if part else np.zeros(0)
        if len(log10_p):
            at_most = [float(np.mean(log10_p <= np.log10(level))) for level in LEVELS]
            found[sort] = [len(log10_p), *at_most]
    return found


def report(rows: Sequence[dict]) -> str:
    """The table of shares."""
    lines = ([sort, *line] for sort, line in shares(rows).items())
    return table(["unmarked sound", "pairs", *(f"p ≤ {level:g}" for level in LEVELS)], lines)


def judge(rows: Sequence[dict]) -> list[Verdict]:
    """No more p-values below a level than the level says, and none that would be a claim."""
    count, *at_most = shares(rows)["all"]
    below = dict(zip(LEVELS, at_most, strict=True))
    return [
        Verdict(
            row=f"false positives at p ≤ {TARGET:g}, {count} pairs",
            target=f"≤ {TARGET:g}",
            measured=f"{below[TARGET]:.2g}",
            passed=below[TARGET] <= TARGET,
        ),
        Verdict(
            row=f"false positives at p ≤ {ours.CLAIM:g}, {count} pairs",
            target="0",
            measured=str(round(below[ours.CLAIM] * count)),
            passed=below[ours.CLAIM] == 0,
        ),
    ]
