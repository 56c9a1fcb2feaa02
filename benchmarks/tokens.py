"""What a video tokenizer's sync tokens tell of what happens, and what damage to the picture costs.

A linear map from the sync token of each frame to a curve of the world (ridge regression on clean
clips of the training split) is asked for the curve of other clips, clean and damaged. Prints a
markdown table of correlations: what is linear in a token need not be learned by what reads it.
"""

import argparse
import json
import pathlib
from collections.abc import Callable

import jax
import numpy as np
from ml_collections import ConfigDict
from worlds import clips_of

from data_pipelines.schema import ClipRecord
from data_pipelines.world.degrade import KINDS, degrade
from v2a_jax.models.system import System
from v2a_jax.training.earlier import load_parts

RIDGE = 30.0
CLEAN = "none"
CURVES = {  # of a class: what it should tell; None is where its events begin
    "speech": "aperture",
    "engine": "f0",
    "rain": "density",
    "scrape": "speed",
    "roll": "speed",
    "impact": None,
    "bounce": None,
    "music": None,
}
Tokens = Callable[[np.ndarray], np.ndarray]


def truth(record: ClipRecord, curve: str | None) -> np.ndarray:
    """The curve at each frame, or 1 in the frames in which an event begins: float[F]."""
    frames = len(record.video)
    if curve is not None:
        hz, values = record.curves[curve]
        return np.interp(np.arange(frames) / record.fps, np.arange(len(values)) / hz, values)
    begun = np.zeros(frames)
    places = [round(event.time * record.fps) for event in record.events]
    begun[[place for place in places if place < frames]] = 1.0
    return begun


def fitted(x_ND: np.ndarray, y_N: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The linear map from x to y."""
    mean, scale = x_ND.mean(axis=0), x_ND.std(axis=0) + 1e-6
    a_ND = (x_ND - mean) / scale
    normal = a_ND.T @ a_ND + RIDGE * np.eye(a_ND.shape[1])
    weights = np.linalg.solve(normal, a_ND.T @ (y_N - y_N.mean()))
    return lambda x: (x - mean) / scale @ weights + y_N.mean()


def tokenizer(workdir: pathlib.Path) -> tuple[ConfigDict, Tokens]:
    """The config of a run, and its tokenizer: uint8[F,H,W,3] -> float[F,D]."""
    config = ConfigDict(json.loads((workdir / "perception" / "config.json").read_text()))
    system = System.from_config(config.to_dict())
    weights = load_parts(workdir, ("video",), system, config.ema.sigma_rel[0])["video"]
    see = jax.jit(lambda video: system.video.apply(weights, video[None])[0][0])
    return config, lambda video: np.asarray(see(video), np.float64)


def correlations(
    config: ConfigDict, tokens: Tokens, scene: str, options: argparse.Namespace
) -> dict[str, float]:
    """Of what is told with what is true, by the kind of damage."""
    curve = CURVES[scene]
    train = [
        (tokens(clip.video), truth(clip, curve))
        for clip in clips_of(config, (scene,), options.train, split="train")
    ]
    predict = fitted(*map(np.concatenate, zip(*train, strict=True)))
    clips = clips_of(config, (scene,), options.clips)
    true = np.concatenate([truth(clip, curve) for clip in clips])

    def told(kind: str) -> np.ndarray:
        videos = (damaged(clip.video, kind, options.severity, k) for k, clip in enumerate(clips))
        return np.concatenate([predict(tokens(video)) for video in videos])

    return {kind: float(np.corrcoef(told(kind), true)[0, 1]) for kind in (CLEAN, *KINDS)}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=pathlib.Path, required=True, help="folder of a run")
    parser.add_argument("--train", type=int, default=80, help="clips of each class to fit")
    parser.add_argument("--clips", type=int, default=20, help="other clips of each class")
    parser.add_argument("--severity", type=float, default=0.5, help="of the damage")
    options = parser.parse_args()
    config, tokens = tokenizer(options.workdir)
    found = {scene: correlations(config, tokens, scene, options) for scene in CURVES}
    heads = [f"{scene}: {curve or 'onsets'}" for scene, curve in CURVES.items()]
    print(f"| damage | {' | '.join(heads)} | mean |\n|---|{'---|' * (len(heads) + 1)}")
    for kind in (CLEAN, *KINDS):
        row = [found[scene][kind] for scene in CURVES]
        cells = [f"{value:.2f}" for value in (*row, float(np.mean(row)))]
        print(f"| {kind} | {' | '.join(cells)} |")


def damaged(video: np.ndarray, kind: str, severity: float, seed: int) -> np.ndarray:
    """The video with one kind of damage, or as it is."""
    rng = np.random.default_rng(seed)
    return video if kind == CLEAN else degrade(video, kind, severity, rng)


if __name__ == "__main__":
    main()
