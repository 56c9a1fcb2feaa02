"""Section `audibility`: what the mark changes, clip by clip."""

from collections.abc import Sequence

import numpy as np

from marking.clips import FRAME_SECONDS, heard_frames
from marking.ffmpeg import resample
from marking.marked import Settings, mark
from marking.nmr import noise_to_mask
from marking.survival import Task
from marking.tables import Verdict, table

try:
    import pesq
except ImportError:
    pesq = None

PESQ_RATE = 16000
SNR_LIMITS = (-10.0, 60.0)  # dB, of a frame's ratio
NMR_MEDIAN, NMR_WORST, PESQ_MEDIAN = -15.0, -8.0, 4.55


def listen(settings: Settings, task: Task) -> list[dict]:
    """One row: SNR, noise-to-mask ratio and PESQ-WB of a marked clip."""
    marked = mark(settings, task.clip, task.rate, task.number)
    return [
        {
            "clip": task.clip.name,
            "kind": task.clip.kind,
            "rate": task.rate,
            "snr": segmental_snr(marked.plain, marked.wave, task.rate),
            "nmr": noise_to_mask(marked.plain, marked.wave, task.rate),
            "pesq": _pesq(marked.plain, marked.wave, task.rate),
        }
    ]


def segmental_snr(plain_NC: np.ndarray, changed_NC: np.ndarray, rate: int) -> float:
    """Mean over the 10 ms that sound of their signal-to-change ratio in dB, within limits."""
    frame = round(FRAME_SECONDS * rate)
    frames = len(plain_NC) // frame

    def power_F(wave_NC: np.ndarray) -> np.ndarray:
        cut = wave_NC[: frames * frame].astype(np.float64)
        return np.square(cut).reshape(frames, -1).mean(1)

    with np.errstate(divide="ignore", invalid="ignore"):
        ratio_F = 10 * np.log10(power_F(plain_NC) / power_F(changed_NC - plain_NC))
    return float(np.clip(ratio_F[heard_frames(plain_NC, rate)], *SNR_LIMITS).mean())


def _pesq(plain_NC: np.ndarray, changed_NC: np.ndarray, rate: int) -> float | None:
    """PESQ-WB of the first channel; None without the package, or where it hears no speech."""
    if pesq is None:
        return None
    waves = [resample(wave[:, :1], rate, PESQ_RATE)[:, 0] for wave in (plain_NC, changed_NC)]
    try:
        return float(pesq.pesq(PESQ_RATE, *waves, "wb"))
    except pesq.NoUtterancesError:
        return None


def report(rows: Sequence[dict]) -> str:
    """Medians and worst clips by kind and rate; small is better for NMR, large for the rest."""
    lines = []
    for rate in _rates(rows):
        kinds = dict.fromkeys(row["kind"] for row in rows)
        for kind in (*kinds, "all"):
            part = [row for row in rows if row["rate"] == rate and kind in (row["kind"], "all")]
            nmr, snr, opinion = (_values(part, name) for name in ("nmr", "snr", "pesq"))
            worst = max(part, key=lambda row: row["nmr"])
            lines.append(
                [
                    f"{kind}, {rate} Hz",
                    f"{np.median(snr):.1f}",
                    f"{np.median(nmr):.1f}",
                    f"{worst['nmr']:.1f} ({worst['clip']})",
                    f"{np.median(opinion):.2f} / {min(opinion):.2f}" if opinion else "–",
                ]
            )
    header = ("clips", "SNR, dB", "NMR, dB", "worst NMR (clip)", "PESQ-WB median / worst")
    return table(header, lines)


def judge(rows: Sequence[dict]) -> list[Verdict]:
    """The targets on NMR and PESQ at each rate."""
    found = []
    for rate in _rates(rows):
        part = [row for row in rows if row["rate"] == rate]
        nmr, opinion = _values(part, "nmr"), _values(part, "pesq")
        bounds = ("median", np.median(nmr), NMR_MEDIAN), ("worst clip", max(nmr), NMR_WORST)
        for name, value, most in bounds:
            found.append(
                Verdict(
                    row=f"noise-to-mask ratio, {name}, {rate} Hz",
                    target=f"≤ {most:g} dB",
                    measured=f"{value:.1f} dB",
                    passed=bool(value <= most),
                )
            )
        if opinion:
            found.append(
                Verdict(
                    row=f"PESQ-WB, median, {rate} Hz",
                    target=f"≥ {PESQ_MEDIAN}",
                    measured=f"{np.median(opinion):.2f}, worst {min(opinion):.2f}",
                    passed=bool(np.median(opinion) >= PESQ_MEDIAN),
                )
            )
    return found


def _rates(rows: Sequence[dict]) -> list[int]:
    return sorted({row["rate"] for row in rows}, reverse=True)


def _values(rows: Sequence[dict], name: str) -> list[float]:
    return [row[name] for row in rows if row[name] is not None]
