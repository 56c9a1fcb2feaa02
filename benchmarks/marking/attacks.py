"""The attacks by group and name: (float32[N,C], sample rate, generator) -> (float32[M,C], rate)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from marking import changes
from marking.ffmpeg import Codec, filtered, resample, transcode

Attack = Callable[[np.ndarray, int, np.random.Generator], tuple[np.ndarray, int]]

CODECS = {
    "MP3 128": Codec(encoder="libmp3lame", bits=128_000),
    "MP3 64": Codec(encoder="libmp3lame", bits=64_000),
    "MP3 32": Codec(encoder="libmp3lame", bits=32_000),
    "AAC 64": Codec(encoder="aac", bits=64_000),
    "AAC 32": Codec(encoder="aac", bits=32_000),
    "Opus 32": Codec(encoder="libopus", bits=32_000),
    "Opus 16": Codec(encoder="libopus", bits=16_000),
    "G.722": Codec(encoder="g722", bits=64_000, container="nut", rate=16000),
    "AMR 12.2": Codec(encoder="libopencore_amrnb", bits=12_200, container="nut", rate=8000),
    "Codec2 3200": Codec(
        encoder="libcodec2", bits=3200, container="nut", rate=8000, options={"mode": "3200"}
    ),
}
SPEEDS = (0.8, 0.9, 0.95, 0.99, 1.01, 1.05, 1.1, 1.25)
TEMPOS = (0.9, 0.95, 1.05, 1.1)
SEMITONES = (-2, -1, 1, 2)
OCTAVES = (125, 250, 500, 1000, 2000, 4000)  # Hz


def of(change: Callable[..., np.ndarray], **options: Any) -> Attack:
    """A change of `changes.py`, with its options, as an attack that keeps the sample rate."""

    def attack(wave: np.ndarray, rate: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        return change(wave, rate, rng, **options).astype(np.float32), rate

    return attack


def encoded(name: str) -> Attack:
    """Through the codec of this name."""
    return of(lambda wave, rate, _rng: transcode(wave, rate, CODECS[name]))


def through(**filters: str) -> Attack:
    """Through filters of FFmpeg."""
    return of(lambda wave, rate, _rng: filtered(wave, rate, **filters))


def at_rate(to: int) -> Attack:
    """Resampled to another rate, and left there."""
    return lambda wave, rate, _rng: (resample(wave, rate, to), to)


def chain(*steps: Attack) -> Attack:
    """One attack after the other."""

    def attack(wave: np.ndarray, rate: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        for step in steps:
            wave, rate = step(wave, rate, rng)
        return wave, rate

    return attack


def registry() -> dict[str, dict[str, Attack]]:
    """All attacks that this build of FFmpeg can do."""
    return {
        "untouched": {"none": chain()},
        "encoders": _encoders(),
        "noise": _noise(),
        "time": _time(),
        "edits": _edits(),
        "rooms and filters": _filters(),
        "loudness": _loudness(),
        "chains": _chains(),
    }


def missing() -> list[str]:
    """Codecs that this build of FFmpeg lacks."""
    return [name for name, codec in CODECS.items() if not codec.available]


def _encoders() -> dict[str, Attack]:
    return {
        **{name: encoded(name) for name, codec in CODECS.items() if codec.available},
        "Vorbis q0": of(changes.vorbis, quality=0.0),
        "resample 16 kHz": at_rate(16000),
        "resample 8 kHz": at_rate(8000),
        "8 bit": of(changes.rounded, bits=8),
    }


def _noise() -> dict[str, Attack]:
    levels = {"white": (0, (30, 20, 10, 5)), "pink": (1, (20, 10))}
    return {
        f"{colour} noise {snr} dB": of(changes.noisy, snr=snr, exponent=exponent)
        for colour, (exponent, snrs) in levels.items()
        for snr in snrs
    }


def _time() -> dict[str, Attack]:
    return {
        **{f"speed {factor}": of(changes.faster, factor=factor) for factor in SPEEDS},
        **{f"tempo {factor} (WSOLA)": through(atempo=str(factor)) for factor in TEMPOS},
        **{f"tempo {factor} (vocoder)": of(changes.stretched, factor=factor) for factor in TEMPOS},
        **{f"pitch {step:+d}": of(changes.transposed, semitones=step) for step in SEMITONES},
    }


def _edits() -> dict[str, Attack]:
    return {
        **{f"crop {seconds} s": of(changes.cropped, seconds=seconds) for seconds in (3, 2, 1)},
        "20 cuts of 10 ms": of(changes.cut, count=20, seconds=0.01),
        "10 mutes of 50 ms": of(changes.muted, count=10, seconds=0.05),
        "1 % samples zeroed": of(changes.dropping, share=0.01),
        "splices of 1.5 s": of(changes.spliced, count=4, seconds=1.5),
        "2 s pieces reversed": of(changes.backwards, seconds=2.0),
    }


def _filters() -> dict[str, Attack]:
    bands = [f"f={hz}:t=o:w=1:g={6 * (-1) ** k}" for k, hz in enumerate(OCTAVES)]
    return {
        "echo": of(changes.echoing, seconds=0.15, gain=0.5),
        "reverb 0.5 s": of(changes.reverberant, t60=0.5),
        "median 3": of(changes.median, size=3),
        "median 7": of(changes.median, size=7),
        "denoise 12 dB": through(afftdn="nr=12:nf=-40"),
        "EQ ±6 dB": chain(*[through(equalizer=band) for band in bands]),
        "high-pass 500 Hz": of(changes.passed, hz=500, kind="high"),
        "low-pass 4 kHz": of(changes.passed, hz=4000, kind="low"),
        "mono": of(changes.mono),
    }


def _loudness() -> dict[str, Attack]:
    return {
        "compressor": through(acompressor="threshold=0.1:ratio=4:attack=5:release=50"),
        "loudnorm": through(loudnorm="I=-16:TP=-1.5:LRA=11"),
        "gain +6 dB": of(changes.louder, db=6),
        "gain -6 dB": of(changes.louder, db=-6),
        "polarity": of(changes.inverted),
    }


def _chains() -> dict[str, Attack]:
    louder, crop = through(loudnorm="I=-14:TP=-1:LRA=11"), of(changes.cropped, seconds=6)
    speed, noise = of(changes.faster, factor=1.05), of(changes.noisy, snr=20, exponent=0)
    higher, tempo = of(changes.transposed, semitones=1), through(atempo="0.95")
    last = of(changes.cropped, seconds=4)
    return {
        "social chain": chain(at_rate(44100), louder, encoded("AAC 64"), encoded("AAC 64"), crop),
        "hard chain": chain(speed, noise, encoded("Opus 16"), last),
        "tempo, pitch": chain(tempo, higher),
        "tempo, MP3 64": chain(tempo, encoded("MP3 64")),
        "pitch, reverb, noise": chain(higher, of(changes.reverberant, t60=0.5), noise),
        "noise, MP3 64, crop": chain(noise, encoded("MP3 64"), last),
    }
