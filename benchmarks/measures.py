"""What the measures of `v2a evaluate` are worth: true sound of the world, and another clip's.

Prints a markdown table: each figure of each class of scene, on the first clips of the test split.
"""

import argparse

from configs import base
from data_pipelines.world import WorldConfig, WorldSource
from v2a_jax.config import build
from v2a_jax.evaluation import following, speech, sync
from v2a_jax.evaluation.bootstrap import estimate, ratio
from v2a_jax.evaluation.examination import Examination
from v2a_jax.evaluation.judges import JudgeConfig, Judges, train_judges

RATE, SECONDS = 16000, 4.0
LEARNED = ("impact", "bounce", "speech")  # classes whose measures have a judge


def clips_of(scene: str, split: str, count: int) -> list:
    """Small frames suffice: only sound and annotations are measured."""
    config = WorldConfig(
        seed=11,
        split=split,
        clips=count,
        seconds=SECONDS,
        fps=5,
        size=32,
        sample_rate=RATE,
        classes=(scene,),
        offscreen_probability=0.0,
    )
    source = WorldSource(config)
    return [source[index] for index in range(count)]


def questions(judges: Judges) -> dict[str, tuple[Examination, ...]]:
    """What is asked of each class."""
    return {
        "impact": (sync.onsets(), sync.materials(judges.material)),
        "bounce": (sync.onsets(), sync.materials(judges.material)),
        "music": (sync.onsets(), following.notes(), following.tempo()),
        "engine": (following.engine(),),
        "rain": (following.rain(),),
        "scrape": (following.scrape(),),
        "roll": (following.roll(),),
        "silence": (following.silence(),),
        "speech": (speech.words(judges.recogniser), speech.lip_sync(), speech.voice()),
    }


def learned(count: int) -> Judges:
    """Judges of the world's true sound."""
    config = build(JudgeConfig, base.get_config().evaluation.judges)
    train, validation = (
        [clip for scene in LEARNED for clip in clips_of(scene, split, count)]
        for split in ("train", "val")
    )
    return train_judges(train, validation, config)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=40, help="clips of each class")
    parser.add_argument("--train", type=int, default=150, help="clips that the judges learn from")
    options = parser.parse_args()
    print("| class | figure | clips | true | shuffled |\n|---|---|---|---|---|")
    for scene, asked in questions(learned(options.train)).items():
        made = clips_of(scene, "test", options.clips)
        for question in asked:
            clips = [clip for clip in made if question.asks(clip)]
            sounds = [clip.audio for clip in clips]
            true, other = (
                question.rows(heard, clips) for heard in (sounds, sounds[1:] + sounds[:1])
            )
            for name, figure in question.figures.items():
                found = [f"{estimate(figure.of(rows), ratio):.3f}" for rows in (true, other)]
                print(f"| {scene} | {name} | {len(clips)} | {' | '.join(found)} |", flush=True)


if __name__ == "__main__":
    main()
