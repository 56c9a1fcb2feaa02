"""What damage to the picture costs the sound, and whether the estimate of its quality foretells it.

The same clips with the same seeds, under each kind of damage and at each severity. The score is the
mean over figures of synchrony of (value - shuffled) / (round trip - shuffled), bounds being those
of clean pictures; `kept` is its share of the clean score. Prints a markdown table, then the rank
correlations of what is lost with the distance that the quality is made of, as one kind of damage
grows and over all of them: beyond all clean clips the quality itself is 0, whatever the damage.
"""

import argparse
import functools

import numpy as np
from scipy.stats import spearmanr
from worlds import clips_of

from configs import base
from data_pipelines.world.degrade import KINDS, degrade
from v2a_jax.config import build
from v2a_jax.evaluation import sweep
from v2a_jax.evaluation.judges import Judges
from v2a_jax.evaluation.protocol import EvaluationConfig, evaluate
from v2a_jax.evaluation.scores import Score
from v2a_jax.sampling.generator import load_generator
from v2a_jax.sampling.quality import statistics

FIGURES = (
    *("onset_f1_50ms", "engine_pitch", "rain_correlation"),
    *("scrape_correlation", "roll_correlation", "lip_correlation"),
)
CLASSES = ("impact", "bounce", "music", "engine", "rain", "scrape", "roll", "speech")


def scores(turned: sweep.Turned) -> dict[str, Score]:
    """The figures of one kind and severity of damage."""
    judges = Judges(
        sample_rate=turned.generator.sample_rate, material=None, tagger=None, recogniser=None
    )
    settings = {**base.get_config().evaluation.protocol, "clips": len(turned.clips), "resamples": 2}
    protocol = build(EvaluationConfig, settings)
    done = evaluate(turned.generator, turned.clips, judges, protocol, conditions=("prompted",))
    return {name: done.scores[name] for name in FIGURES if name in done.scores}


def reached(found: dict[str, Score], clean: dict[str, Score]) -> float:
    """How far the figures come from what is shuffled to what the codec can hold."""
    return float(np.mean([score.place(found[name].value) for name, score in clean.items()]))


def distances(turned: sweep.Turned) -> np.ndarray:
    """How far each clip's picture lies from clean ones: float[N]."""
    found = np.stack([statistics(clip.video) for clip in turned.clips])
    return turned.generator.bundle.clean.distance(found)


def warned(turned: sweep.Turned) -> float:
    """The share of the clips whose picture is warned of."""
    clean = turned.generator.bundle.clean
    return float(np.mean([clean.quality(clip.video) < clean.warn_below for clip in turned.clips]))


def rank(cells: list[tuple[float, float]]) -> float:
    """Spearman's correlation of distance and loss."""
    return float(spearmanr(*np.transpose(cells)).statistic)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", required=True, help="a bundle that knows these classes")
    parser.add_argument("--clips", type=int, default=48, help="held-out clips")
    parser.add_argument("--severities", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of damage")
    parser.add_argument("--steps", type=int, help="of the solver (default: the bundle's)")
    options = parser.parse_args()
    generator = load_generator(options.bundle)
    if options.steps is not None:
        generator = generator.with_settings(steps=options.steps)
    clips = clips_of(generator.bundle.config, CLASSES, options.clips)
    untouched = sweep.Turned(value=0.0, generator=generator, clips=clips)
    clean = scores(untouched)
    best = reached(clean, clean)
    print(f"clean: score {best:.2f} of {', '.join(clean)}; warned of {warned(untouched):.0%}\n")
    print(f"| damage | {' | '.join(f'kept, warned at {s:g}' for s in options.severities)} |")
    print(f"|---|{'---|' * len(options.severities)}", flush=True)
    cells: dict[str, list[tuple[float, float]]] = {}
    for kind in options.kinds:
        damages = {kind: functools.partial(degrade, kind=kind)}
        row = []
        for turned in sweep.turn(kind, options.severities, generator, clips, damages):
            kept = reached(scores(turned), clean) / best
            far = float(np.median(distances(turned)))
            cells.setdefault(kind, []).append((far, 1 - kept))
            row.append(f"{kept:.2f}, {warned(turned):.0%}")
        print(f"| {kind} | {' | '.join(row)} |", flush=True)
    every = [cell for row in cells.values() for cell in row]
    print(f"\nrank correlation of distance and loss, {len(every)} damages: {rank(every):.2f}")
    if len(options.severities) > 1:
        within = np.mean([rank(row) for row in cells.values()])
        print(f"as one kind grows, mean over {len(cells)} kinds: {within:.2f}")


if __name__ == "__main__":
    main()
