"""What is seen, what is heard and what is annotated agree, in every class."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import signal

from data_pipelines.world import WorldSource, curves, draws, paint, scenes, world_caption
from data_pipelines.world.scenes import engine, faces, music, rain, roll, scrape, speech

RATE = 16000


class Still:
    """A generator of noise that is not there."""

    def standard_normal(self, count):
        return np.zeros(count)


@pytest.fixture(name="drawn")
def draw():
    def make(name, index=0, seconds=2.0, split="test", **overrides):
        return scenes.draw(name, draws.Draws(0, split, index, overrides), seconds)

    return make


def redness(video):
    """float64[F,S,S]: how much more red than anything else."""
    red = video[..., 0].astype(float) - np.maximum(video[..., 1], video[..., 2])
    return np.clip(red - 90, 0, None)


def centre(weight_FSS):
    """x and y of the middle of what has weight, in fractions of the frame."""
    place = (np.arange(weight_FSS.shape[1]) + 0.5) / weight_FSS.shape[1]
    total_F = weight_FSS.sum(axis=(1, 2))
    return weight_FSS.sum(axis=1) @ place / total_F, weight_FSS.sum(axis=2) @ place / total_F


def level(wave, time, length=0.02):
    """RMS in the `length` s around a time."""
    part = wave[max(0, round((time - length / 2) * RATE)) : round((time + length / 2) * RATE)]
    return np.sqrt(np.mean(np.square(part)))


def test_spoke_turns_as_its_curve(drawn):
    scene = drawn("engine", course="revs up")
    x_F, y_F = centre(redness(scene.picture(25, 48)))
    x, y = engine.WHEEL[0] + scene.stage.shift[0], engine.WHEEL[1] + scene.stage.shift[1]
    seen_F = np.unwrap(np.arctan2(y_F - y, x_F - x))
    true_F = scene.spoke(np.arange(50) / 25)
    error_F = (seen_F - true_F + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(error_F).max() < 0.1
    turned = np.abs(seen_F - seen_F[0]) / (2 * np.pi)
    expected = scene.curves["f_rot"].integral(np.arange(50) / 25)
    np.testing.assert_allclose(turned, expected, atol=0.02)


def test_curves_are_linear_and_their_integral_is_exact():
    tent = curves.Curve(values=np.array([0.0, 10.0, 0.0]))
    time = np.array([0.0, 0.005, 0.01, 0.015, 0.02])
    np.testing.assert_allclose(tent.at(time), [0, 5, 10, 5, 0])
    np.testing.assert_allclose(tent.integral(time), [0, 0.0125, 0.05, 0.0875, 0.1])
    curve = curves.through(1.0, np.array([0.0, 0.4, 1.0]), np.array([1.0, 3.0, 2.0]))
    np.testing.assert_allclose(curve.at(np.array([0.0, 0.4, 1.0])), [1, 3, 2])
    assert curve.stored()[1][40] == 3.0


@pytest.mark.parametrize("rate", [8000, 48000])
def test_engine_keeps_the_phase_of_its_pitch(drawn, rate):
    scene = drawn("engine", course="revs up and slows down")
    wave = scene.sound(rate, np.random.default_rng(0))
    turned = wave * np.exp(-2j * np.pi * scene.curves["f0"].integral(np.arange(2 * rate) / rate))
    blocks = turned.reshape(10, -1).mean(axis=1)
    assert np.abs(np.angle(blocks / blocks.mean())).max() < 0.2


def test_every_drop_is_heard_when_it_lands(drawn):
    scene = drawn("rain", course="steady", level=np.log(20.0))
    wave = scene.sound(RATE, Still())
    alone = scene.time_D[np.diff(scene.time_D, prepend=-1) > rain._BUBBLE + 0.002]
    alone = alone[(alone > 0.01) & (alone < 1.98)]
    assert len(alone) > 8
    for time in alone:
        first = int(np.ceil(time * RATE))
        assert not wave[first - 20 : first].any()
        assert np.abs(wave[first : first + 16]).max() > 0.02
    assert scene.marks["drops"] is scene.time_D


def test_streaks_show_how_dense_the_rain_is(drawn):
    light, heavy = (
        drawn("rain", course="steady", level=np.log(density)) for density in (40.0, 160.0)
    )
    seen = []
    for scene in (light, heavy):
        sky = scene.picture(25, 48)[:, :24].astype(float).sum(axis=(1, 2, 3))
        dry = scene.stage.frames(1, 48)[:, :24].astype(float).sum() * scene.stage.light
        seen.append(sky.mean() - dry)
    assert seen[1] / seen[0] == pytest.approx(len(heavy.time_D) / len(light.time_D), rel=0.2)
    assert len(heavy.time_D) == pytest.approx(320, abs=3 * np.sqrt(320))


def test_a_streak_reaches_the_ground_as_its_drop_sounds(drawn):
    scene = drawn("rain", course="steady")
    one = {
        "time_D": np.array([1.0]),
        "place_D2": np.array([[0.5, 0.8]]),
        "radius_D": np.array([1e-3]),
    }
    scene = dataclasses.replace(scene, **one)
    dry = paint.lit(scene.stage.frames(1, 64), scene.stage.light)
    wet = np.abs(scene.picture(25, 64).astype(int) - dry).sum(axis=-1) > 60
    lowest = [np.flatnonzero(frame.any(axis=1)).max(initial=-1) / 64 for frame in wet]
    falling = [(k / 25, y) for k, y in enumerate(lowest[:25]) if 0 <= y < 0.77]
    assert len(falling) > 4
    for time, y in falling:
        assert y == pytest.approx(0.8 - rain.FALL * (1.0 - time), abs=0.03)
    assert wet[25, 48:].any() and wet[28, 48:].any() and not wet[32].any()  # the splash


def test_density_and_drops_agree(drawn):
    scene = drawn("rain", seconds=8.0, course="heavier")
    expected = np.diff(scene.density.integral(np.arange(9.0)))
    counted = np.histogram(scene.time_D, np.arange(9.0))[0]
    assert np.all(np.abs(counted - expected) < 4 * np.sqrt(expected))
    assert np.corrcoef(counted, expected)[0, 1] > 0.9


def test_stick_is_where_its_sound_comes_from(drawn):
    scene = drawn("scrape", material="wood")
    time_F = np.arange(50) / 25
    x_F, _ = centre(redness(scene.picture(25, 48)))
    away_F = x_F - 0.5 - scene.stage.shift[0] - scene.tip(time_F)[0]
    assert np.ptp(away_F) < 0.02
    speed_F = scene.curves["speed"].at(time_F)
    np.testing.assert_allclose(speed_F, np.abs(scene.tip(time_F)[1]), atol=1e-3)
    wave = scene.sound(RATE, np.random.default_rng(0))
    assert not wave[: int(scene.start * RATE)].any()
    for time in scene.marks["reversals"][:-1]:
        assert level(wave, time) < 0.2 * level(wave, time + scene.period / 4, 0.1)


def ball(scene, size):
    """x and y of what differs from the empty scene."""
    video = scene.picture(25, size).astype(float)
    empty = np.median(video, axis=0)
    return centre(np.clip(np.abs(video - empty).sum(axis=-1) - 60, 0, None))


def test_ball_rolls_as_it_sounds(drawn):
    scene = drawn("roll", index=3, seconds=3.0, track="trough", material="rubber")
    time_F = np.arange(75) / 25
    x_F, y_F = ball(scene, 48)
    assert np.abs(x_F - scene.ball(time_F)[0]).max() < 0.03
    rolled = np.hypot(np.diff(x_F), np.diff(y_F)).sum()
    assert rolled == pytest.approx(scene.curves["speed"].integral(time_F[-1]), rel=0.05)
    way, speed = scene.along(np.arange(0, 3, 1e-4))
    np.testing.assert_allclose(np.diff(way) / 1e-4, speed[:-1], atol=2e-2)
    wave = scene.sound(RATE, np.random.default_rng(0))
    turn = scene.start + scene.pace / 2
    assert level(wave, turn) < 0.25 * level(wave, turn - scene.pace / 4, 0.1)


def test_ball_leaves_the_ramp_when_it_falls_silent(drawn):
    scene = drawn("roll", track="ramp")
    end = scene.start + scene.pace
    assert scene.ball(np.array([end]))[0][0] > 1
    wave = scene.sound(RATE, np.random.default_rng(0))
    assert level(wave, end - 0.02) > 30 * level(wave, min(end + 0.2, 1.95))
    assert scene.events[0].end == pytest.approx(end)


def test_notes_are_heard_and_seen_when_stated(drawn):
    scene = drawn("music", seconds=3.0)
    wave = scene.sound(48000, np.random.default_rng(0))
    first = np.flatnonzero(np.abs(wave) > 1e-3)[0] / 48000
    assert 0 <= first - scene.events[0].time < 1e-3
    video = scene.picture(50, 48)
    for event in scene.events:
        frame = int(np.ceil(event.time * 50))
        row, column = round(event.y * 48) + 3, int(event.x * 48)
        before, after = video[[max(frame - 1, 0), frame + 1], row, column].astype(int).sum(axis=-1)
        assert after > 200 and (after > 1.5 * before or event.time > scene.events[0].time)


def test_note_has_its_pitch(drawn):
    scene = drawn("music", seconds=2.0, bpm=60.0)
    event = scene.events[0]
    assert event.f1 == pytest.approx(scene.base * 2 ** (music.STEPS[event.note] / 12))
    wave = scene.sound(RATE, np.random.default_rng(0))[int(event.time * RATE) :][: RATE // 2]
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 16 * len(wave)))
    assert np.argmax(spectrum) * RATE / 16 / len(wave) == pytest.approx(event.f1, rel=5e-3)


def test_arm_passes_the_middle_at_each_beat(drawn):
    scene = drawn("music")
    time_F = np.arange(50) / 25
    np.testing.assert_allclose(scene.arm(scene.marks["beats"]), 0, atol=1e-9)
    weight_FSS = redness(scene.picture(25, 64))
    weight_FSS[:, 24:] = 0  # the weight on the arm is red, and so is one of the bars
    x_F, _ = centre(weight_FSS)
    seen_F = np.arcsin(np.clip((x_F - music.PIVOT[0]) / (0.85 * music.ARM), -1, 1))
    assert np.abs(seen_F - scene.arm(time_F)).max() < 0.05


def test_mouth_opens_as_its_curve(drawn):
    scene = drawn("speech", voice="blonde")
    video = scene.picture(25, 64)
    face = scene.faces[0]
    x, y = int(face.x * 64), int((face.y + 0.2 * face.size) * 64)
    mouth = video[:, y - 9 : y + 10, x - 9 : x + 10].astype(float).max(axis=-1)
    dark_F = np.clip(120 - mouth, 0, None).sum(axis=(1, 2))
    open_F = scene.curves["aperture"].at(np.arange(50) / 25)
    assert np.corrcoef(dark_F, open_F)[0, 1] > 0.9


def test_voice_is_heard_within_its_words_alone(drawn):
    scene = drawn("speech", seconds=3.0, text="digits")
    wave = scene.sound(RATE, np.random.default_rng(0))
    said = scene.spoken
    assert said.transcript == " ".join(word for word, _, _ in said.words)
    inside = np.zeros(len(wave), bool)
    for _, start, end in said.words:
        inside[int((start - 0.015) * RATE) : int((end + 0.025) * RATE)] = True
        assert np.abs(wave[int(start * RATE) :][: int(0.03 * RATE)]).max() > 0.01
    assert np.abs(wave[~inside]).max() < 0.01 * np.abs(wave).max()
    assert said.phonemes[0][1] == said.words[0][1]
    assert all(
        a[2] == pytest.approx(b[1]) or b[1] > a[2] for a, b in itertools.pairwise(said.phonemes)
    )


def test_voices_differ_in_pitch_and_looks(drawn):
    pitches = {}
    for name in ("bearded", "brown", "grey", "blonde"):
        scene = drawn("speech", voice=name, pitch=1.0)
        vowel = max(
            scene.speaker.utterance.segments, key=lambda s: s.phone.voice * (s.end - s.start)
        )
        wave = scene.sound(RATE, Still())[int(vowel.start * RATE) : int(vowel.end * RATE)]
        likeness = signal.correlate(wave, wave)[len(wave) - 1 :]
        lag = np.argmax(likeness[RATE // 400 : RATE // 60]) + RATE // 400
        pitches[name] = RATE / lag
        assert pitches[name] == pytest.approx(scene.speaker.pitch, rel=0.15)
    assert list(pitches) == sorted(pitches, key=pitches.get)


def test_of_two_faces_the_one_that_speaks_moves(drawn):
    for side, moving in (("left", slice(0, 32)), ("right", slice(32, 64))):
        scene = drawn("faces", side=side)
        lower = scene.picture(25, 64)[:, 36:48].astype(float)
        change = np.abs(np.diff(lower, axis=0)).sum(axis=(0, 1, 3))
        assert change[moving].sum() > 0 and change.sum() == change[moving].sum()
        assert scene.events[0].x < 0.5 if side == "left" else scene.events[0].x > 0.5


def test_silent_things_make_no_sound_though_they_move(drawn):
    moved = set()
    for index in range(12):
        scene = drawn("silence", index=index)
        assert not scene.sound(RATE, np.random.default_rng(0)).any() and not scene.events
        if np.ptp(scene.picture(10, 32).astype(int), axis=0).max() > 40:
            moved.add(scene.thing)
    assert moved and "ball" not in moved


def test_silence_is_mostly_silent(world_config):
    for name, least, most in (("silence", 0, 6), ("landscape", 12, 20)):
        config = world_config(classes=(name,), clips=20, offscreen_probability=0.1)
        heard = sum(bool(world_caption(config, index)["offscreen"]) for index in range(20))
        assert least <= heard <= most


def test_both_halves_are_their_scenes(drawn):
    both = drawn("pair", left="music", right="engine")
    assert both.labels == ("music", "engine")
    alone = [part.picture(10, 40).astype(float) for part in both.parts]
    video = both.picture(10, 40)
    for half, part in zip((video[:, :, :20], video[:, :, 20:]), alone, strict=True):
        assert np.abs(half - (part[:, :, ::2] + part[:, :, 1::2]) / 2).max() < 1
    assert drawn("pair").picture(10, 41).shape == (20, 41, 41, 3)
    assert {event.x < 0.5 for event in both.events if event.kind == "music"} == {True}
    assert set(both.curves) == {"right.f_rot", "right.f0"} and set(both.marks) == {"left.beats"}


def test_one_of_two_scenes_can_be_changed_alone(world_config):
    config = world_config(classes=("pair",), clips=1, offscreen_probability=0.0)
    fixed = {"left": "bounce", "right": "rain", "left.material": "wood"}
    sources = [WorldSource(config, fixed | {"left.gravity": g}) for g in (3.0, 9.0)]
    low, high = (source[0] for source in sources)
    np.testing.assert_array_equal(low.video[:, :, 16:], high.video[:, :, 16:])
    assert not np.array_equal(low.video[:, :, :16], high.video[:, :, :16])
    a, b = (source.stems(0) for source in sources)
    np.testing.assert_array_equal(a["rain"], b["rain"])
    assert not np.array_equal(a["bounce"], b["bounce"])


@pytest.mark.parametrize("name", ["impact", "pair", "speech"])
def test_stems_add_up_to_the_sound(world_config, name):
    source = WorldSource(world_config(classes=(name,), clips=1), {"offscreen.present": True})
    clip, stems = source[0], source.stems(0)
    assert set(stems) == set(clip.labels)
    rest = clip.audio - sum(stems.values())
    room_tone = 20 * np.log10(np.sqrt(np.mean(rest**2)))
    assert -80 < room_tone < -69.5  # and lower where the whole clip was turned down


@pytest.mark.parametrize("name", [n for n in scenes.names() if scenes.heard([n])])
def test_sound_does_not_depend_on_the_sample_rate(drawn, name):
    scene = drawn(name)
    low, high = (scene.sound(rate, np.random.default_rng(0)) for rate in (16000, 48000))
    band = signal.butter(6, 5000, fs=16000, output="sos")
    blocks = [
        np.sqrt(np.mean(np.square(signal.sosfilt(band, wave).reshape(8, -1)), axis=1))
        for wave in (low, signal.resample_poly(high, 1, 3))
    ]
    loud = blocks[0] > 0.1 * blocks[0].max()
    difference = 20 * np.log10(blocks[1][loud] / blocks[0][loud])
    assert np.abs(difference).mean() < 2.0


def test_held_out_values_lie_outside_all_others(drawn):
    assert drawn("music", split="ood").bpm > 150 > drawn("music").bpm
    assert drawn("speech", split="ood").speaker.voice.person == "child"
    assert drawn("bounce", split="ood").gravity < 3.0
    assert drawn("impact", split="ood").things[0].size > 1.4
    assert drawn("scrape", split="ood").period < 0.7
    assert drawn("engine", split="ood", course="revs up").turns.values.max() > engine.TURNS[1]
    assert drawn("roll", split="ood").size > 1.3
    assert drawn("rain", split="ood", course="steady").density.values[0] > rain.DENSITY[1]


def test_usual_splits_have_nothing_of_what_is_held_out(drawn):
    for index in range(20):
        assert drawn("speech", index, split="train").speaker.voice.person != "child"
        assert roll.RADIUS * 0.7 <= drawn("roll", index, split="train")._radius <= roll.RADIUS * 1.3
        assert drawn("scrape", index, split="train").period >= 0.7


def test_captions_of_the_conflict_name_another_material(world_config):
    config = world_config(
        classes=("impact", "bounce", "roll", "scrape"), split="conflict", clips=24
    )
    adjectives = {m: scrape.MATERIALS[m].adjective for m in scrape.MATERIALS if m != "drum"}
    for clip in WorldSource(config):
        seen = {event.material for event in clip.events if event.onscreen and event.material}
        said = {m for m, word in adjectives.items() if word in clip.captions["onscreen"].split()}
        told = {v for k, v in clip.meta["factors"].items() if k.endswith(".told")}
        assert said <= told
        if len(seen) == 1:
            assert not seen & said and (said or not seen)


def test_modules_agree_on_what_is_heard():
    assert speech.LABELS == faces.LABELS == ("speech",)
    assert scenes.heard(("landscape", "silence")) == ()
    assert scenes.heard(("impact", "faces", "speech")) == ("speech", "impact")
