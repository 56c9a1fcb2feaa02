"""A film's soundtrack: memory while it is made, its length, and whether its windows' borders show.

`python benchmarks/film.py --bundle=runs/demo/bundle --out=runs/film [--minutes=120]` makes a film
of the procedural world with a cut every few seconds, runs `v2a sample` on it, and writes
`film.json` and `memory.png`. Borders show when the spectrum changes more there than elsewhere.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import librosa
import matplotlib.pyplot as plt
import numpy as np
import processes
from absl import app, flags

from data_pipelines.world import WorldConfig, WorldSource
from v2a_jax.config import build
from v2a_jax.media.decode import iter_audio, probe
from v2a_jax.sampling.bundle import load_bundle
from v2a_jax.sampling.long_form import cut_windows, plan_windows
from v2a_jax.sampling.sampler import SamplerConfig

SCENES = 150  # different ones, each shown again and again
FPS, SIZE = 25, 64
WORLD = dict(seed=1, split="test", clips=SCENES, seconds=4.0, fps=FPS, size=SIZE)
SOUND = dict(sample_rate=16000, classes=("impact", "bounce"), offscreen_probability=0.0)
HOP, WINDOW = 160, 640
RATE = 16000
BLOCK_SECONDS = 60
DRAWS = 2000

BUNDLE = flags.DEFINE_string("bundle", "runs/demo/bundle", "The bundle that makes the sound.")
OUT = flags.DEFINE_string("out", "runs/film", "Folder for the film and what is measured.")
MINUTES = flags.DEFINE_float("minutes", 120.0, "Length of the film.")
STEPS = flags.DEFINE_integer("steps", None, "Solver steps (default: the bundle's).")


def write_film(path: Path, seconds: float) -> None:
    """A silent video of the world's scenes, one after the other, until it is so long."""
    clips, frames = list(WorldSource(WorldConfig(**WORLD, **SOUND))), round(seconds * FPS)
    with av.open(str(path), "w") as film:
        options = {"preset": "ultrafast", "crf": "16"}
        stream = film.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        for k in range(frames):
            scene, place = divmod(k, len(clips[0].video))
            picture_HWC = clips[scene % SCENES].video[place]
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture_HWC, format="rgb24")))
        film.mux(stream.encode())


def sample(film: Path, out: Path) -> list[tuple[float, int]]:
    """(seconds since the start, bytes) while `v2a sample` puts sound on the film."""
    wanted = [f"--bundle={BUNDLE.value}", f"--video={film}", f"--out={out}"]
    wanted += [f"--steps={STEPS.value}"] if STEPS.value else []
    began, seen = time.monotonic(), []
    process = processes.start("sample", *wanted)
    while process.poll() is None:
        seen.append((time.monotonic() - began, processes.memory(process.pid)))
        time.sleep(1.0)
    if process.returncode:
        sys.exit(f"v2a sample ended with status {process.returncode}")
    return seen


def borders(seconds: float) -> list[float]:
    """When the sound of one window gives way to that of the next."""
    config = build(SamplerConfig, load_bundle(BUNDLE.value).config["sampler"])
    plan = plan_windows(seconds, config.buckets, config.overlap)
    nothing = (np.zeros((1, 1, 3), np.uint8) for _ in range(round(seconds * FPS)))
    return [window.cut for window in cut_windows(nothing, plan, FPS)][:-1]


def flux(path: Path) -> tuple[np.ndarray, int]:
    """(spectral flux of each 10 ms, samples in all) of a file's sound: mean |change| of dB."""
    found, samples, block = [], 0, BLOCK_SECONDS * RATE
    for piece_N in _pieces(path, block):
        samples += len(piece_N)
        magnitude = np.abs(librosa.stft(piece_N, n_fft=WINDOW, hop_length=HOP))
        level_FT = librosa.amplitude_to_db(magnitude, ref=1.0, amin=1e-4, top_db=None)
        change_T = np.abs(np.diff(level_FT, axis=1, prepend=level_FT[:, :1])).mean(0)
        found.append(change_T[: len(piece_N) // HOP])
    return np.concatenate(found), samples


def _pieces(path: Path, size: int) -> Iterator[np.ndarray]:
    held_N = np.zeros(0, np.float32)
    for block_NC in iter_audio(path, sample_rate=RATE, channels=1):
        held_N = np.concatenate([held_N, block_NC[:, 0]])
        while len(held_N) >= size:
            yield held_N[:size]
            held_N = held_N[size:]
    if len(held_N) >= WINDOW:
        yield held_N


def seams(flux_T: np.ndarray, times: list[float]) -> dict[str, float]:
    """Mean flux at the borders and elsewhere, and how many random sets of times have more."""
    # A border is looked at in a window on its either side: its peak counts, as that of any time.
    peak_T = np.lib.stride_tricks.sliding_window_view(np.pad(flux_T, 2, mode="edge"), 5).max(1)
    at = np.array([round(t * RATE / HOP) for t in times])
    rng = np.random.default_rng(0)
    draws = peak_T[rng.integers(0, len(peak_T), (DRAWS, len(at)))].mean(1)
    return {
        "borders": len(at),
        "flux_at_borders": float(peak_T[at].mean()),
        "flux_elsewhere": float(peak_T.mean()),
        "share_of_random_times_with_more": float((draws >= peak_T[at].mean()).mean()),
    }


def draw(seen: list[tuple[float, int]], path: Path) -> None:
    """Memory over time."""
    seconds, used = np.array(seen).T
    figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
    axes.plot(seconds / 60, used / 2**20)
    axes.set(xlabel="minutes of work", ylabel="MiB", ylim=(0, None))
    figure.savefig(path, dpi=120)


def main(argv: list[str]) -> None:
    """Makes, measures, prints."""
    del argv
    folder = Path(OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    film, out = folder / "film.mp4", folder / "sounding.mp4"
    write_film(film, 60 * MINUTES.value)
    seen, duration = sample(film, out), probe(film).duration
    flux_T, samples = flux(out)
    used = np.array([used for _, used in seen]) / 2**20
    late = used[len(used) // 4 :]
    result = {
        "film_seconds": duration,
        "sound_seconds": samples / RATE,
        "work_seconds": seen[-1][0],
        "memory_mib_most": float(used.max()),
        "memory_mib_second_quarter": float(np.median(np.array_split(late, 3)[0])),
        "memory_mib_last_quarter": float(np.median(np.array_split(late, 3)[2])),
        **seams(flux_T, borders(duration)),
        "bytes": os.path.getsize(out),
    }
    draw(seen, folder / "memory.png")
    (folder / "film.json").write_text(json.dumps(result, indent=1) + "\n")
    print("\n".join(f"{name:36}{value:12.4g}" for name, value in result.items()))


if __name__ == "__main__":
    app.run(main)
