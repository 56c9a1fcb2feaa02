"""The shares of clips that are to be found after attacks, and whether they are."""

import dataclasses
from collections.abc import Sequence

from marking.attacks import registry
from marking.tables import Verdict, percent, share

LOW_RATE = 16000  # Hz, with targets of its own


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """The least share of clips found after each of some attacks; `low` where it is less at 16 k."""

    row: str
    attacks: tuple[str, ...]
    least: float
    low: float | None = None


def targets() -> tuple[Target, ...]:
    """All targets on shares of clips."""
    return (
        Target(
            row="no attack, MP3 ≥ 64, AAC 64, Opus 32, resampling, gain, EQ, filters, mono, social",
            attacks=(
                *("none", "MP3 128", "MP3 64", "AAC 64", "Opus 32", "resample 16 kHz"),
                *("gain +6 dB", "gain -6 dB", "polarity", "EQ ±6 dB", "high-pass 500 Hz"),
                *("low-pass 4 kHz", "mono", "social chain"),
            ),
            least=1.0,
        ),
        Target(
            row="low-rate encoders",
            attacks=("MP3 32", "AAC 32", "Opus 16", "Vorbis q0"),
            least=0.97,
        ),
        Target(row="noise 20 dB", attacks=_noise(20), least=1.0, low=0.98),
        Target(row="noise 10 dB", attacks=_noise(10), least=0.95, low=0.85),
        Target(row="speed, tempo, pitch", attacks=tuple(registry()["time"]), least=0.99),
        Target(row="crops of 3 and 2 s", attacks=("crop 3 s", "crop 2 s"), least=1.0),
        Target(row="crop of 1 s", attacks=("crop 1 s",), least=0.95, low=0.8),
        Target(row="mixed, 0 dB", attacks=_mixed(0), least=0.98),
        Target(row="mixed, -6 dB", attacks=_mixed(-6), least=0.9),
        Target(row="mixed, -12 dB", attacks=_mixed(-12), least=0.6),
        Target(
            row="cuts, mutes, splices, reversed pieces",
            attacks=(
                *("20 cuts of 10 ms", "10 mutes of 50 ms"),
                *("splices of 1.5 s", "2 s pieces reversed"),
            ),
            least=0.98,
        ),
        Target(row="hard chain", attacks=("hard chain",), least=0.85),
        Target(row="our own neural codec", attacks=("neural codec",), least=0.5),
    )


def judge(rows: Sequence[dict]) -> list[Verdict]:
    """Each target at each rate: met where the attack that is survived least meets it."""
    rates = sorted({row["rate"] for row in rows}, reverse=True)
    found = (_verdict(target, rate, rows) for target in targets() for rate in rates)
    return [verdict for verdict in found if verdict is not None]


def _verdict(target: Target, rate: int, rows: Sequence[dict]) -> Verdict | None:
    hits: dict[str, list[bool]] = {}
    for row in rows:
        if row["rate"] == rate and row["attack"] in target.attacks:
            hits.setdefault(row["attack"], []).append(row["found"])
    if not hits:
        return None
    shares = {attack: sum(found) / len(found) for attack, found in hits.items()}
    worst = min(shares, key=shares.get)
    together = share([one for found in hits.values() for one in found])
    least = target.low if rate <= LOW_RATE and target.low is not None else target.least
    return Verdict(
        row=f"{target.row}, {rate} Hz",
        target=f"≥ {percent(least)} %",
        measured=f"{together} %; worst {worst}: {percent(shares[worst])} %",
        passed=shares[worst] >= least,
    )


def _noise(snr: int) -> tuple[str, ...]:
    return f"white noise {snr} dB", f"pink noise {snr} dB"


def _mixed(level: int) -> tuple[str, ...]:
    return f"music, {level} dB", f"original track, {level} dB"
