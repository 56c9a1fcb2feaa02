"""`report.html`: one self-contained page that shows, lets hear, and measures what a model does.

Nothing is fetched: pictures and sounds are data URIs, and the page's own content security policy
forbids everything else. Every text that comes from outside is escaped.
"""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from v2a_jax.evaluation.charts import Curves, curves, figure, score_row
from v2a_jax.evaluation.clips import Failure
from v2a_jax.evaluation.examples import Example, Track
from v2a_jax.evaluation.glossary import by_title, title_of
from v2a_jax.evaluation.pictures import (
    SPRITE_COLUMNS,
    data_uri,
    spectrogram_png,
    sprite_jpeg,
    strip_jpeg,
    wav_bytes,
)
from v2a_jax.evaluation.protocol import Evaluation
from v2a_jax.evaluation.report_style import SCRIPT, document
from v2a_jax.evaluation.scores import Score
from v2a_jax.types import Event

HEADLINES = (
    "onset_f1_50ms",
    "material_accuracy",
    "prompt_hit_rate",
    "negative_suppression",
    "negative_retention",
    "damaged_onset_kept",
    "watermark_detected",
)


def write_report(
    path: str | Path,
    *,
    title: str,
    summary: str,
    evaluation: Evaluation,
    examples: Sequence[Example],
    training: Curves,
    made: Mapping[str, object],
) -> None:
    """Writes the page.

    `training` maps a chart's title to steps and values; `made` says how the model was made: strings
    are shown as they are, anything else as JSON that unfolds.
    """
    body = [
        f"<h1>{html.escape(title)}</h1><p>{html.escape(summary)}</p>",
        _headlines(evaluation.scores),
        _examples(examples),
        _scores(evaluation),
        _problems(evaluation.skipped, evaluation.failures),
        _training(training),
        _made(made),
    ]
    page = document(title, "".join(body), media=["img-src", "media-src"], script=SCRIPT)
    Path(path).write_text(page, encoding="utf-8")


def _headlines(scores: Mapping[str, Score]) -> str:
    tiles = [
        f"<li><small>{html.escape(title_of(name)[0])}</small><b>{figure(scores[name].value)}</b>"
        f"<small>from {figure(scores[name].lower_bound)} knowing nothing to "
        f"{figure(scores[name].upper_bound)} at best</small></li>"
        for name in HEADLINES
        if name in scores
    ]
    return f'<ul class="tiles">{"".join(tiles)}</ul>' if tiles else ""


def _examples(examples: Sequence[Example]) -> str:
    if not examples:
        return ""
    return (
        "<h2>See and hear</h2><p class='soft'>Held-out clips. Spectrograms share the time axis of "
        "the frames; low notes are at the bottom. Blue lines are the true times of the events, "
        "dashed where the sound's source is off screen. Click a spectrogram to listen from there."
        f"</p>{''.join(map(_clip, examples))}"
    )


def _clip(example: Example) -> str:
    frames, height, width = example.frames.shape[:3]
    rows = -(-frames // SPRITE_COLUMNS)
    sheet = data_uri(sprite_jpeg(example.frames), "image/jpeg")
    strip = data_uri(strip_jpeg(example.frames), "image/jpeg")
    lines = "".join(_event_line(event, example.seconds) for event in example.events)
    tracks = "".join(_track(track, example, lines) for track in example.tracks)
    ticks = np.linspace(0.0, example.seconds, 5)
    return (
        f'<article class="clip"><header><h3>“{html.escape(example.caption)}”</h3></header>'
        f'<div class="side"><div class="screen" role="img" aria-label="the silent clip" '
        f'data-columns="{SPRITE_COLUMNS}" data-rows="{rows}" data-frames="{frames}" '
        f'data-fps="{example.fps:g}" data-seconds="{example.seconds:g}" style="--ratio:{width}/'
        f"{height};background-size:{100 * SPRITE_COLUMNS}% {100 * rows}%;"
        f'background-image:url({sheet})"></div><small>{html.escape(example.name)}<br>'
        f"{frames} frames, {example.seconds:g} s</small></div>"
        f'<div><div class="timed strip"><img src="{strip}" alt="frames of the clip">{lines}</div>'
        f'{tracks}<div class="axis">{"".join(f"<span>{t:.3g} s</span>" for t in ticks)}</div>'
        "</div></article>"
    )


def _event_line(event: Event, seconds: float) -> str:
    what = html.escape(f"{event.material} {event.kind} at {event.time:.2f} s".strip())
    seen = "event" if event.onscreen else "event unseen"
    return f'<i class="{seen}" style="left:{100 * event.time / seconds:.2f}%" title="{what}"></i>'


def _track(track: Track, example: Example, lines: str) -> str:
    picture = data_uri(spectrogram_png(track.audio, example.sample_rate), "image/png")
    sound = data_uri(wav_bytes(track.audio, example.sample_rate), "audio/wav")
    title, words = html.escape(track.title), html.escape(track.words)
    said = f"<small>{words}</small>" if words else ""
    return (
        f'<div class="track"><div class="what"><div>{title}{said}</div>'
        f'<audio controls preload="metadata" src="{sound}" aria-label="{title}"></audio></div>'
        f'<div class="timed sound"><img src="{picture}" alt="spectrogram: {title}">{lines}'
        '<i class="now"></i></div></div>'
    )


def _scores(evaluation: Evaluation) -> str:
    rows = "".join(score_row(name, evaluation.scores[name]) for name in by_title(evaluation.scores))
    return (
        "<h2>Scores between their bounds</h2><p class='soft'>The bar runs from what is reached "
        "knowing nothing (left) to the best this measurement can give (right); the mark is the "
        f"value, the band its {evaluation.confidence:.0%} interval over clips.</p>"
        '<table class="scores"><thead><tr><th scope="col">Metric</th><th scope="col">Value</th>'
        '<th scope="col">Lower bound → upper bound</th><th scope="col">n</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _problems(skipped: Mapping[str, str], failures: Sequence[Failure]) -> str:
    lines = [f"{name}: not measured, {reason}" for name, reason in skipped.items()]
    lines += [f"{f.clip}, {f.condition}: {f.reason}" for f in failures]
    if not lines:
        return ""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<h2>Failures and gaps</h2><ul>{items}</ul>"


def _training(training: Curves) -> str:
    charts = curves(training)
    return f'<h2>Training</h2><div class="curves">{charts}</div>' if charts else ""


def _made(made: Mapping[str, object]) -> str:
    if not made:
        return ""
    entries = []
    for name, value in made.items():
        heading = html.escape(name)
        if isinstance(value, str) and "\n" not in value:
            entries.append(f"<div><b>{heading}</b> {html.escape(value)}</div>")
        else:
            text = value if isinstance(value, str) else json.dumps(value, indent=2, default=str)
            entries.append(
                f"<details><summary>{heading}</summary><pre>{html.escape(text)}</pre></details>"
            )
    return f'<h2>How it was made</h2><div class="made">{"".join(entries)}</div>'
