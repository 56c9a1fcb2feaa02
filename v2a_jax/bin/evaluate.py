"""`v2a evaluate --bundle=B --data=DIR --out=DIR`: scores between their bounds, and a report."""

import functools
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from absl import flags
from ml_collections import ConfigDict

from configs import base
from data_pipelines.open import WORLD, open_source
from data_pipelines.provenance.allowed import allowed
from data_pipelines.records import RecordSource
from data_pipelines.world.degrade import KINDS, degrade
from v2a_jax.bin.main import launch, no_more
from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.evaluation import sweep
from v2a_jax.evaluation.charts import Curves, read_curves
from v2a_jax.evaluation.comparison import ANSWERS, PROTOCOL, write_answers
from v2a_jax.evaluation.examples import choose_examples
from v2a_jax.evaluation.judges import JudgeConfig, Judges, train_judges
from v2a_jax.evaluation.pictures import write_overview
from v2a_jax.evaluation.protocol import Evaluation, EvaluationConfig, evaluate
from v2a_jax.evaluation.report import write_report
from v2a_jax.evaluation.scores import markdown_table, write_scores
from v2a_jax.models.functional import once
from v2a_jax.sampling.bundle import PARTS
from v2a_jax.sampling.generator import Generator, load_generator
from v2a_jax.sampling.wish import Wish
from v2a_jax.watermark.detect import detect

BUNDLE = flags.DEFINE_string("bundle", None, "Folder of an exported bundle.")
DATA = flags.DEFINE_string("data", None, "Folder of held-out records.")
OUT = flags.DEFINE_string("out", None, "Folder for scores.json and report.html.")
CLIPS = flags.DEFINE_integer("clips", None, "Held-out clips to use (default: the bundle's).")
TRAIN_DATA = flags.DEFINE_string(
    "train_data", None, "Records whose true sound trains the judges, or 'world'."
)
VALIDATION_DATA = flags.DEFINE_string(
    "validation_data", None, "Records by which the judges' thresholds are set, or 'world'."
)
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run, for its training curves.")
SWEEP = flags.DEFINE_multi_string(
    "sweep",
    [],
    "NAME:VALUE,VALUE,..: scores as a setting of the sampler (such as text_scale) or an artefact of"
    " the video (such as noise, 0..1) is turned up. May be given several times.",
)
KEY_FILE = flags.DEFINE_string("key_file", None, "Watermark key (default: the user's own).")

ARTEFACTS = {kind: functools.partial(degrade, kind=kind) for kind in KINDS}


def run(argv: list[str]) -> None:
    """Evaluates, writes everything, prints the table."""
    no_more(argv)
    if BUNDLE.value is None or DATA.value is None or OUT.value is None:
        raise UserError("evaluate needs --bundle=DIR, --data=DIR and --out=DIR")
    sweeps, curves = [_parsed(text) for text in SWEEP.value], read_curves(WORKDIR.value)
    clips = allowed(RecordSource(DATA.value), "any", "")
    generator = load_generator(BUNDLE.value, KEY_FILE.value)
    config = ConfigDict(generator.bundle.config)
    for split, flag in (("train", TRAIN_DATA), ("validation", VALIDATION_DATA)):
        config.data[split] = flag.value or config.data[split]
        if config.data[split] != WORLD and not pathlib.Path(config.data[split]).is_dir():
            raise UserError(
                f"evaluate: the bundle's clips for {split} are not at '{config.data[split]}': "
                f"--{flag.name}=FOLDER tells where, --{flag.name}={WORLD} renders some"
            )
    # A bundle may be older than some of the questions.
    settings = {**base.get_config().evaluation.protocol, **config.evaluation.protocol}
    if CLIPS.value is not None:
        settings["clips"] = CLIPS.value
    judges, protocol = _judges(config), build(EvaluationConfig, settings)
    evaluation = evaluate(
        generator,
        clips,
        judges,
        protocol,
        detect=_detector(generator),
        untrained=_untrained(generator),
        training=_training(config),
        artefacts=ARTEFACTS,
    )
    out = pathlib.Path(OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    _write(out, evaluation, generator, clips, curves)
    for name, values in sweeps:
        turned = sweep.turn(name, values, generator, clips, ARTEFACTS)
        swept = sweep.run(name, turned, judges, protocol)
        swept.write(out / f"sweep_{name}.json")
        sweep.draw(swept, out / f"sweep_{name}.png")
    print(evaluation.table())
    print(f"report: {out / 'report.html'}")


def _parsed(text: str) -> tuple[str, tuple[float, ...]]:
    """A sweep's name and values; UserError for values that a sampler could not have."""
    name, values = sweep.parse(text, ARTEFACTS)
    for value in values if name in sweep.SETTINGS else ():
        try:
            Wish(**{name: value}).check()
        except UserError as error:
            raise UserError(f"sweep: {error}") from error
    return name, values


def _write(
    out: pathlib.Path,
    evaluation: Evaluation,
    generator: Generator,
    clips: RecordSource,
    curves: Curves,
) -> None:
    """Scores as JSON and Markdown, what they are made of, the report and its picture."""
    write_scores(evaluation.scores, out / "scores.json")
    table = markdown_table(evaluation.scores, evaluation.confidence)
    (out / "scores.md").write_text(f"{table}\n", encoding="utf-8")
    write_answers(evaluation.answers, out / ANSWERS)
    (out / PROTOCOL).write_text(json.dumps(evaluation.protocol, indent=2) + "\n", encoding="utf-8")
    shown = generator.bundle.config["evaluation"]["examples"]
    examples = choose_examples(evaluation.soundtracks, shown)
    write_report(
        out / "report.html",
        title="V2A-JAX: what the model does",
        summary=_summary(generator, len(evaluation.soundtracks.clips)),
        evaluation=evaluation,
        examples=examples,
        training=curves,
        made=_made(generator, clips),
    )
    write_overview(examples[0], out / "overview.png")


def _judges(config: ConfigDict) -> Judges:
    """Judges of the first training clips' true sound; thresholds from the validation clips."""
    counts = config.evaluation.judge_clips
    train, validation = (
        _first(open_source(config, split), counts[split]) for split in ("train", "validation")
    )
    return train_judges(train, validation, build(JudgeConfig, config.evaluation.judges))


def _training(config: ConfigDict) -> Iterator[Any]:
    """The training clips among which the nearest video is looked for, one at a time."""
    source = open_source(config, "train")
    return (source[i] for i in range(min(config.evaluation.nearest_clips, len(source))))


def _first(source: Sequence[Any], count: int) -> list[Any]:
    return [source[index] for index in range(min(count, len(source)))]


def _detector(generator: Generator) -> Callable[[np.ndarray], float]:
    return lambda wave: detect(wave, generator.key, sample_rate=generator.sample_rate).p_value


def _untrained(generator: Generator) -> Generator:
    """The same system with random weights."""
    system = generator.bundle.system
    keys = jax.random.split(jax.random.key(1), len(PARTS))
    parts = zip(PARTS, keys, strict=True)
    return generator.with_weights(
        {name: once(getattr(system, name).init, key) for name, key in parts}
    )


def _summary(generator: Generator, clips: int) -> str:
    return (
        f"{clips} held-out clips of {generator.seconds:g} s. Every generated sound here carries "
        f"the watermark of key {generator.key.key_id}."
    )


def _made(generator: Generator, clips: RecordSource) -> dict[str, object]:
    bundle = generator.bundle
    return {
        "Bundle": f"SHA-256 {bundle.digest}",
        "Held-out clips": repr(clips),
        "Trained on": bundle.provenance.get("data", "unknown"),
        "Versions": bundle.provenance.get("versions", "unknown"),
        "Config": bundle.config,
    }


if __name__ == "__main__":
    launch(run)
