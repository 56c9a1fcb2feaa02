"""Section `adversary`: what someone can do who knows all but the key.

Averaging: the signs of the cells are guessed from outputs of one key and payload whose start on the
pattern is known, or is not: each is then laid where it fits best on what was guessed so far. The
guess then takes marks away, by marking with the opposite signs, and forges them. Without a guess:
random signs, another key's mark over it, and the difference that a mark made added to other sound.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from marking import ours
from marking.clips import Clip
from marking.marked import Marked, Settings, mark
from marking.nmr import noise_to_mask
from marking.ours import PERIOD, Guess
from marking.survival import Task
from marking.tables import percent, share, table

PAYLOAD = 0x5A5A
OUTPUTS = (1, 2, 4, 8, 16, 32, 64, 128)  # of one key, that the adversary has
VICTIMS = 24  # clips on which a guess is tried
UNSEEN = 1_000_000  # numbers of their marks, which the guess isn't made from
STRONGER_DB = (0, 6, 12)


def averaging(settings: Settings, clips: Sequence[Clip], rate: int, known: bool) -> list[dict]:
    """Rows of taking marks away and of forging them, with guesses from ever more sound.

    `known`: whether the adversary knows where on the pattern each clip of that sound starts.
    """
    key, rows = ours.throwaway_key("adversary"), []
    truth_KR = ours.true_signs(key, PAYLOAD)
    for outputs, guess_KR in zip(OUTPUTS, _guesses(settings, clips, rate, known), strict=True):
        right = _agreement(guess_KR, truth_KR[:, : guess_KR.shape[1]])
        name = f"averaging {outputs} outputs, starts {'known' if known else 'not known'}"
        for number, clip in enumerate(clips[-VICTIMS:]):
            victim = mark(settings, clip, rate, UNSEEN + number, key=key, payload=PAYLOAD)
            start = _best(guess_KR, _on_pattern(victim.wave, rate))
            for what, wave, signs_KR in (
                ("removal", victim.wave, -guess_KR),
                ("forging", victim.plain, guess_KR),
            ):
                options = dict(sample_rate=rate, depth=settings.depth, offset=start)
                changed = ours.mark(wave, Guess(signs_KR), 0, **options)
                rows.append(_row(f"{name}: {what}", victim, changed, rate) | {"right": right})
    return rows


def blind(settings: Settings, clips: Sequence[Clip], task: Task) -> list[dict]:
    """Rows of what can be done to one marked clip without a guess."""
    victim = mark(settings, task.clip, task.rate, task.number)
    rng = np.random.default_rng([task.number, 9])
    rows = []
    for stronger in STRONGER_DB:
        depth = dataclasses.replace(
            settings.depth,
            strength_db=settings.depth.strength_db + stronger,
            max_db=settings.depth.max_db * 10 ** (stronger / 20),
        )
        signs = Guess(rng.choice([-1.0, 1.0], ours.true_signs(victim.key, 0).shape))
        changed = ours.mark(victim.wave, signs, 0, sample_rate=task.rate, depth=depth)
        rows.append(_row(f"random signs, {stronger:+d} dB", victim, changed, task.rate))
    other = ours.throwaway_key("another", task.number)
    twice = ours.mark(victim.wave, other, 1, sample_rate=task.rate, depth=settings.depth)
    rows.append(_row("another key's mark over it: the first", victim, twice, task.rate))
    second = dataclasses.replace(victim, key=other, payload=1)
    rows.append(_row("another key's mark over it: the second", second, twice, task.rate))
    host = clips[(task.number + 7) % len(clips)].render(settings.seconds, task.rate)
    copied = host.mean(1, keepdims=True) + (victim.wave - victim.plain).mean(1, keepdims=True)
    forged = dataclasses.replace(victim, plain=host.mean(1, keepdims=True))
    rows.append(_row("forging by a copied difference", forged, copied, task.rate))
    return rows


def report(rows: Sequence[dict]) -> str:
    """Shares found and audibility, by what was done."""
    lines = []
    for name in dict.fromkeys(row["attack"] for row in rows):
        part = [row for row in rows if row["attack"] == name]
        right = f"{percent(part[0]['right'])}" if "right" in part[0] else "–"
        lines.append(
            [
                name,
                share([row["found"] for row in part]),
                percent(float(np.mean([row["payload"] for row in part]))),
                f"{np.median([row['nmr'] for row in part]):.1f}",
                right,
            ]
        )
    header = ("done", "found, %", "payload right, %", "median NMR, dB", "signs guessed right, %")
    return table(header, lines)


def _guesses(
    settings: Settings, clips: Sequence[Clip], rate: int, known: bool
) -> Iterator[np.ndarray]:
    """float64[K,R] after each of OUTPUTS: the sum of what marked clips say of the signs."""
    key, total_KR = ours.throwaway_key("adversary"), np.zeros(())
    for number in range(OUTPUTS[-1]):
        clip = clips[number % len(clips)]
        marked = mark(settings, clip, rate, number, key=key, payload=PAYLOAD)
        heard_KR = _on_pattern(marked.wave, rate)
        start = marked.start if known else _best(total_KR, heard_KR)
        total_KR = total_KR + np.roll(heard_KR, start, axis=0)
        if number + 1 in OUTPUTS:
            yield total_KR


def _on_pattern(wave_NC: np.ndarray, rate: int) -> np.ndarray:
    """float64[K,R]: what the wave says of the signs, if it starts at the pattern's first cell."""
    heard_TR = ours.heard(wave_NC, rate)
    return np.pad(heard_TR, ((0, PERIOD - len(heard_TR)), (0, 0))).astype(np.float64)


def _best(total_KR: np.ndarray, heard_KR: np.ndarray) -> int:
    """The shift of `heard_KR` that fits best on the sum so far."""
    if total_KR.ndim == 0:
        return 0
    product_FR = np.fft.rfft(total_KR, axis=0) * np.fft.rfft(heard_KR, axis=0).conj()
    return int(np.fft.irfft(product_FR.sum(1), n=PERIOD).argmax())


def _agreement(guess_KR: np.ndarray, truth_KR: np.ndarray) -> float:
    """Share of signs that are right, the guess being laid where that is largest."""
    signs_KR = np.where(guess_KR < 0, -1.0, 1.0)
    product_FR = np.fft.rfft(truth_KR, axis=0) * np.fft.rfft(signs_KR, axis=0).conj()
    same = np.fft.irfft(product_FR.sum(1), n=PERIOD).max() / signs_KR.size
    return float(1 + same) / 2


def _row(name: str, victim: Marked, changed: np.ndarray, rate: int) -> dict:
    found = ours.outcome(ours.detect(changed, victim.key, sample_rate=rate), victim.payload)
    return {
        "attack": name,
        "found": found.found,
        "payload": found.bit_errors == 0,
        "nmr": noise_to_mask(victim.plain, changed, rate),
    }
