"""The report stands alone, shows what it should, and lets no text become markup."""

import base64
import hashlib
import html.parser
import io
import re

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile
from toy_clips import AMOUNTS, JUDGES, RATE, OracleModel, make_clip

from v2a_jax.errors import UserError
from v2a_jax.evaluation.charts import read_curve, score_bar
from v2a_jax.evaluation.examples import Example, Track, choose_examples
from v2a_jax.evaluation.glossary import FAMILIES, by_title, title_of
from v2a_jax.evaluation.judges import train_judges
from v2a_jax.evaluation.pictures import (
    spectrogram_levels,
    sprite_jpeg,
    wav_bytes,
    write_overview,
)
from v2a_jax.evaluation.protocol import EvaluationConfig, evaluate
from v2a_jax.evaluation.report import write_report
from v2a_jax.evaluation.scores import Score
from v2a_jax.types import Event

HOSTILE = "<script>alert('x')</script>\"'&"


@pytest.fixture(scope="module")
def evaluation():
    clips = [make_clip(index, with_siren=index % 4 < 2) for index in range(20)]
    judges = train_judges(clips[:12], clips[12:], JUDGES)
    protocol = EvaluationConfig(
        clips=8,
        **AMOUNTS,
        batch=4,
        seed=0,
        resamples=50,
        confidence=0.95,
        watermark_p_value=1e-6,
    )
    return evaluate(
        OracleModel(), [make_clip(i, with_siren=i > 3) for i in range(8)], judges, protocol
    )


def example(caption="a hit"):
    wave = np.zeros((2 * RATE, 1), np.float32)
    wave[RATE:, 0] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    titles = ("True sound", "Generated")
    return Example(
        name=caption,
        frames=np.random.default_rng(0).integers(0, 255, (25, 16, 16, 3)).astype(np.uint8),
        fps=12.5,
        sample_rate=RATE,
        caption=caption,
        events=(Event(time=0.5, end=0.6, kind=caption, material=caption),),
        tracks=tuple(Track(title=title, words=caption, audio=wave) for title in titles),
    )


class Markup(html.parser.HTMLParser):
    """Collects tags and attribute values, as a browser would see them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.values = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.values += [value or "" for _, value in attributes]


def page(path, evaluation, shown, **fields):
    write_report(
        path,
        title=fields.get("title", "Report"),
        summary="What it does.",
        evaluation=evaluation,
        examples=shown,
        training={"loss": (np.arange(50), np.linspace(2.0, 1.0, 50))},
        made=fields.get("made", {"seed": "0", "config": {"a": 1}}),
    )
    return path.read_text(encoding="utf-8")


def test_page_fetches_nothing(tmp_path, evaluation):
    text = page(tmp_path / "report.html", evaluation, choose_examples(evaluation.soundtracks, 3))
    markup = Markup(text)
    assert not re.search(r"(?:https?:)?//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert "link" not in markup.tags
    assert "iframe" not in markup.tags
    assert "default-src 'none'" in text


def test_hostile_texts_stay_text(tmp_path, evaluation):
    made = {HOSTILE: HOSTILE, "nested": {HOSTILE: [HOSTILE]}}
    text = page(tmp_path / "r.html", evaluation, [example(HOSTILE)], title=HOSTILE, made=made)
    assert Markup(text).tags.count("script") == 1
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_page_shows_every_clip_track_and_score(tmp_path, evaluation):
    shown = choose_examples(evaluation.soundtracks, 3)
    markup = Markup(page(tmp_path / "report.html", evaluation, shown))
    assert markup.tags.count("article") == 3
    assert markup.tags.count("audio") == sum(len(e.tracks) for e in shown)
    assert markup.tags.count("tr") == 1 + len(evaluation.scores)
    assert markup.tags.count("polyline") == 1


def test_examples_cover_each_combination_of_sounds(evaluation):
    labels = {e.caption for e in choose_examples(evaluation.soundtracks, 2)}
    assert {"siren" in caption for caption in labels} == {True, False}


def test_clips_show_every_soundtrack_with_other_words(evaluation):
    counts = {
        "siren" in e.caption: len(e.tracks) for e in choose_examples(evaluation.soundtracks, 8)
    }
    assert counts == {False: 4, True: 5}


def test_every_score_is_in_the_glossary(evaluation):
    for name in evaluation.scores:
        title, meaning, _ = title_of(name)
        assert (title, meaning) in FAMILIES.values(), name


def test_variants_stand_below_their_score():
    measured = ["onset_f1_25ms", "onset_lag", "onset_f1_25ms_true", "onset_lag_true", "onset_error"]
    assert by_title(measured) == [
        *("onset_f1_25ms", "onset_f1_25ms_true", "onset_lag", "onset_lag_true", "onset_error")
    ]


def test_bar_runs_from_lower_to_upper_bound_even_for_distances():
    def mark(value, lower, upper):
        score = Score(
            value=value, low=value, high=value, lower_bound=lower, upper_bound=upper, n=1, unit=""
        )
        return float(re.search(r'class="mark" style="left:([\d.]+)%', score_bar(score))[1])

    assert mark(0.25, 0.0, 1.0) == 25.0
    assert mark(9.0, 12.0, 0.0) == 25.0
    assert mark(50.0, 0.0, 1.0) == 100.0  # far beyond: held at the end of the axis


def test_wav_holds_the_sound():
    audio = np.array([[0.5], [-2.0], [0.0]], np.float32)
    rate, samples = wavfile.read(io.BytesIO(wav_bytes(audio, RATE)))
    assert rate == RATE
    np.testing.assert_array_equal(samples.ravel(), [16384, -32767, 0])


def test_sprite_sheet_holds_all_frames_in_order():
    frames = (
        np.zeros((23, 8, 8, 3), np.uint8) + np.arange(23, dtype=np.uint8)[:, None, None, None] * 10
    )
    sheet = np.asarray(Image.open(io.BytesIO(sprite_jpeg(frames))))
    assert sheet.shape == (24, 80, 3)
    for k in range(23):
        row, column = divmod(k, 10)
        assert abs(int(sheet[8 * row + 4, 8 * column + 4, 0]) - 10 * k) < 6


def test_spectrogram_places_a_tone_in_time_and_pitch():
    levels = spectrogram_levels(example().tracks[0].audio, RATE)
    half = levels.shape[1] // 2
    assert levels[:, : half - 10].max() == 0.0
    loudest = levels[:, half + 10 :].mean(axis=1).argmax()
    assert 0.2 < loudest / len(levels) < 0.5  # 1 kHz is about a third up the mel scale


def test_overview_is_a_picture(tmp_path):
    write_overview(example(), tmp_path / "overview.png")
    assert Image.open(tmp_path / "overview.png").size == (1500, 810)


def test_curves_are_read_from_json_lines(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "other": 1}\n{"step": 3, "loss": 1.5}\n')
    steps, values = read_curve(path, "loss")
    assert (steps.tolist(), values.tolist()) == ([1.0, 3.0], [2.0, 1.5])
    path.write_text('{"loss": 1.0}\n')
    with pytest.raises(UserError, match="line 1"):
        read_curve(path, "loss")


def test_script_is_the_one_the_policy_allows(tmp_path, evaluation):
    text = page(tmp_path / "report.html", evaluation, [])
    script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
