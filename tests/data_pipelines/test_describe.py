"""What is told of sounds of which everything is known."""

import pickle

import numpy as np
import pytest

from data_pipelines.annotate.describe import SURE, Describer
from data_pipelines.annotate.protocol import View
from data_pipelines.prepare.windows import Window
from data_pipelines.sources import SourceClip
from data_pipelines.world import WorldConfig, WorldSource
from data_pipelines.world.words import number
from v2a_jax.evaluation.onsets import event_times

RATE, SECONDS = 16000, 4.0
TIME = np.arange(round(RATE * SECONDS)) / RATE
COUNTS = {number(count): count for count in range(1, 11)}
NOISE = np.random.default_rng(0).standard_normal(len(TIME))


def tell(wave_N, rate=RATE):
    """The annotation of one channel."""
    view = View(
        clip=SourceClip(uid="a", dataset="test", media="a.wav"),
        window=Window(start=0.0, offset=0.0, frames=100, whole=True),
        video=None,
        fps=25.0,
        audio=None if wave_N is None else np.asarray(wave_N, np.float32)[:, None],
        sample_rate=rate,
    )
    return Describer().annotate(view)


def hits(times, decay, sound=NOISE, levels=None):
    """Copies of the beginning of a sound, each with a sudden attack, dying away."""
    wave_N = np.zeros(len(TIME))
    for time, level in zip(times, np.ones(len(times)) if levels is None else levels, strict=True):
        first = round(time * RATE)
        after = len(TIME) - first
        wave_N[first:] += level * sound[:after] * np.exp(-decay * TIME[:after])
    return 0.2 * wave_N


def tone(pitch_Hz):
    """A sine, steady or of a frequency for each sample."""
    return np.sin(2 * np.pi * np.cumsum(np.broadcast_to(pitch_Hz, TIME.shape)) / RATE)


@pytest.mark.parametrize("rate", [1.5, 2, 4])
def test_clicks_are_counted_and_their_rate_is_told(rate):
    times = np.arange(0.2, 3.9, 1 / rate)
    captions = tell(hits(times, 150)).captions
    names = {6: "Six", 8: "Eight"}
    assert captions["full"].startswith(names.get(len(times), f"About {len(times)}") + " sharp")
    assert f"regularly, about {rate:g} a second" in captions["full"]
    assert "bright" in captions["short"] and "ring" not in captions["full"]


def test_irregular_and_hastening_hits_are_told_apart():
    irregular = tell(hits([0.2, 0.9, 1.1, 2.3, 2.6, 3.6], 150)).captions["full"]
    hastening = tell(hits(0.3 + np.cumsum(0.8 * 0.75 ** np.arange(7)), 150)).captions["full"]
    assert "irregularly" in irregular and "faster and faster" in hastening


def test_hits_that_die_away_are_told_with_their_pitch():
    bar = hits(np.arange(0.3, 3.5, 0.6), 9, tone(523.25), 0.5 ** np.arange(6))
    full = tell(bar).captions["full"]
    assert full.startswith("Six sharp") and "ring at about C5" in full and "softer" in full


@pytest.mark.parametrize(("pitch", "note"), [(110, "A2"), (440, "A4"), (2093, "high, at about C7")])
def test_a_steady_tone_has_its_note(pitch, note):
    told = tell(0.3 * tone(pitch))
    assert "sustained" in told.captions["short"] and "tone" in told.captions["short"]
    assert note in told.captions["full"] and "one level" in told.captions["full"]


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_glide_goes_its_way(way):
    octaves = TIME / SECONDS if way == "up" else 1 - TIME / SECONDS
    assert f"glides {way}" in tell(0.3 * tone(220 * 2 ** (2 * octaves))).captions["full"]


def test_noise_swells_and_fades_without_pitch():
    for course, word in ((TIME / SECONDS, "swells"), (1 - TIME / SECONDS, "fades")):
        told = tell(0.1 * NOISE * 10 ** (1.5 * course - 1.5))
        assert told.captions["short"] == "a sustained bright noise"
        assert word in told.captions["full"] and "about" not in told.captions["full"]


def test_silence_is_silence_whatever_little_noise_is_in_it():
    for wave in (0 * NOISE, 1e-4 * NOISE):
        assert tell(wave).captions == {"full": "Silence.", "short": "silence"}


def test_a_chord_has_no_pitch():
    chord = 0.1 * sum(tone(pitch) for pitch in (261.6, 329.6, 392.0))
    assert not any(word in tell(chord).captions["full"] for word in ("about", "glides", "between"))


def test_what_cannot_be_measured_is_not_described():
    for wave in (None, NOISE[:0], NOISE[:100]):
        told = tell(wave)
        assert not told.captions and not told.fault and told.confidence == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 1e-40])
def test_any_float_a_file_may_hold_can_be_heard(value):
    for samples in (round(0.1 * RATE), len(TIME)):
        wave = np.where(np.arange(samples) % 100 < 50, value, 0.1 * NOISE[:samples])
        assert np.isfinite(tell(wave).confidence)


def test_only_sure_statements_are_made_and_the_whole_is_less_sure():
    for wave in (hits([0.5, 1.5], 40), 0.3 * tone(440), 0.1 * NOISE):
        told = tell(wave)
        assert told.captions["full"] == " ".join(text for text, _ in told.statements)
        assert all(SURE <= sure <= 1 for _, sure in told.statements)
        assert 0 < told.confidence <= min(sure for _, sure in told.statements) < 1
        assert not told.events and not told.labels and not told.transcript


def test_it_is_the_same_again_elsewhere_and_at_another_rate():
    wave = hits(np.arange(0.3, 3.5, 0.6), 9, tone(523.25))
    assert tell(wave) == tell(wave)
    assert pickle.loads(pickle.dumps(Describer())) == Describer()
    assert "440" not in tell(0.3 * tone(440)).captions["full"]
    twice = np.repeat(hits([0.5, 1.5, 2.5], 60), 2)
    assert tell(twice, 2 * RATE).captions["full"].startswith("Three sharp")


def test_counted_impacts_are_those_of_the_world():
    config = WorldConfig(
        seed=1,
        split="val",
        clips=16,
        seconds=5.0,
        fps=2,
        size=32,
        sample_rate=RATE,
        classes=("impact", "bounce"),
        offscreen_probability=0.0,
    )
    told = right = 0
    for clip in WorldSource(config):
        first = tell(clip.audio[:, 0]).captions.get("short", "").removeprefix("about ")
        if first.endswith(("sound", "sounds")) and not first.startswith("a "):
            count = COUNTS.get(first.split()[0]) or int(first.split()[0])
            told += 1
            right += abs(count - len(event_times(clip.events))) <= 1
    assert told >= 8 and right >= 0.9 * told
