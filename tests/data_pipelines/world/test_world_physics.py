"""What is seen and what is heard happen at the stated times, as loud and as high as stated."""

import numpy as np
import pytest

from data_pipelines.world import WorldSource, draws, sound
from data_pipelines.world.materials import MATERIALS
from data_pipelines.world.scenes import bounce, impact

HARD = ("wood", "metal", "glass", "ceramic", "plastic", "stone")


def first_sound(record):
    """Time of the first sample well above the room tone."""
    return np.flatnonzero(np.abs(record.audio[:, 0]) > 8 * sound.ROOM_TONE)[0] / record.sample_rate


@pytest.mark.parametrize("name", ["impact", "bounce"])
def test_sound_starts_at_the_event(world_config, name):
    config = world_config(classes=(name,), clips=16, offscreen_probability=0.0)
    late = [1e3 * (first_sound(clip) - clip.events[0].time) for clip in WorldSource(config)]
    assert min(late) >= 0
    assert np.median(late) < 0.6 and max(late) < 3.0


def head_heights(video):
    """float64[F]: row of the red head's middle, in pixels."""
    red = video[..., 0].astype(float) - np.maximum(video[..., 1], video[..., 2])
    weight = np.clip(red - 100, 0, None)
    rows = np.arange(video.shape[1]) + 0.5
    return (weight.sum(axis=2) @ rows) / weight.sum(axis=(1, 2))


def contact_from_pixels(video, fps, guess):
    """The time whose swing fits the head's path best, sought within 60 ms."""
    height_F, time_F = head_heights(video), np.arange(len(video)) / fps
    near = np.abs(time_F - guess) < 0.12
    candidates = guess + np.arange(-0.06, 0.06, 2e-4)

    def misfit(contact):
        lift = np.sin(np.pi / 2 * np.minimum(1, np.abs(time_F[near] - contact) / impact.SWING))
        model = np.stack([np.ones_like(lift), lift], axis=1)
        return np.linalg.lstsq(model, height_F[near], rcond=None)[1].sum()

    return candidates[np.argmin([misfit(contact) for contact in candidates])]


def test_contacts_can_be_read_from_the_pixels(world_config):
    config = world_config(classes=("impact",), clips=8, size=64)
    source = WorldSource(config, {"objects": 1, "object0.material": "stone"})
    errors = []
    for clip in source:
        times = [event.time for event in clip.events if event.onscreen]
        errors += [contact_from_pixels(clip.video, 25, t + 0.013) - t for t in times[:-1]]
    assert len(errors) > 10
    assert np.abs(np.mean(errors)) < 2e-3 and np.percentile(np.abs(errors), 90) < 5e-3


def test_ball_obeys_gravity_and_touches_at_its_contacts():
    scene = bounce.draw(draws.Draws(0, "test", 5, {}), 4.0)
    _, touch = scene.ball(scene.time_E)
    np.testing.assert_allclose(touch, 0, atol=1e-9)
    fine = np.arange(0, scene.time_E[-1], 1e-4)
    height = scene.ball(fine)[1]
    assert np.abs(np.diff(height)).max() < 5e-4
    free = np.min(np.abs(fine[1:-1, None] - scene.time_E), axis=1) > 1e-3
    free &= fine[1:-1] > scene.release + 1e-3
    acceleration = np.diff(height, 2)[free] / 1e-8
    np.testing.assert_allclose(acceleration, -scene.gravity, rtol=1e-3)


def test_restitution_is_the_ratio_of_speeds_and_of_flights():
    time, speed = bounce.contacts(0.1, 0.8, 5.0, 0.7, 10.0)
    np.testing.assert_allclose(speed[1:] / speed[:-1], 0.7)
    np.testing.assert_allclose(np.diff(time)[1:] / np.diff(time)[:-1], 0.7)
    assert time[0] == pytest.approx(0.1 + np.sqrt(2 * 0.8 / 5.0))


@pytest.mark.parametrize("name", HARD)
def test_a_struck_thing_rings_at_its_lowest_mode_and_decays_as_its_material(name):
    rate, material = 48000, MATERIALS[name]
    frequency, decay, _ = material.modes(1.0, np.ones(8))
    noise = np.random.default_rng(0)
    hit = np.array([0.0]), np.array([1.0]), rate, rate, noise
    wave = sound.struck(material, 1.0, np.ones(8), *hit)
    spectrum = np.abs(np.fft.rfft(wave))
    band = slice(int(0.8 * frequency[0]), int(1.2 * frequency[0]))
    assert np.argmax(spectrum[band]) + band.start == pytest.approx(frequency[0], rel=0.02)
    turned = wave * np.exp(-2j * np.pi * frequency[0] * np.arange(rate) / rate)
    window = int(8 * rate / frequency[0])
    lag = int(min(1.0 / decay[0], 0.4) * rate)
    early, late = (np.abs(turned[k : k + window].mean()) for k in (400, 400 + lag))
    assert np.log(early / late) == pytest.approx(decay[0] * lag / rate, rel=0.25)


def test_force_has_the_area_of_its_speed_wherever_it_falls_between_samples():
    for time in (0.0101, 0.01013, 0.01016):
        force = sound.contact_force(1000, np.array([time]), np.array([0.6]), 1e-3, 16000)
        assert force.sum() == pytest.approx(0.6, rel=1e-3)
        middle = np.sum(force * np.arange(1000)) / force.sum() / 16000
        assert middle == pytest.approx(time + 0.5e-3 * 0.6**-0.2, abs=1e-6)


def test_harder_is_louder_and_smaller_is_higher(world_config):
    config = world_config(classes=("impact",), clips=1, offscreen_probability=0.0)
    small, large = (
        WorldSource(config, {"objects": 1, "object0.material": "wood", "object0.size": size})[0]
        for size in (0.7, 1.4)
    )
    assert small.events[0].f1 == pytest.approx(2 * large.events[0].f1)
    hits = np.array([0.1, 1.0]), np.array([0.4, 0.8])
    wave = sound.struck(
        MATERIALS["wood"], 1.0, np.ones(8), *hits, 32000, 16000, np.random.default_rng(0)
    )
    assert sound.rms(wave[16000:]) > 1.5 * sound.rms(wave[:16000])


def test_levels(world_config):
    config = world_config(classes=("impact", "bounce"), clips=60, seconds=4.0)
    level = [20 * np.log10(sound.rms(clip.audio)) for clip in WorldSource(config)]
    assert -35 < np.median(level) < -15
    assert np.percentile(level, 10) > -37 and max(level) < -14


def test_offscreen_level_over_the_scene(world_config):
    config = world_config(classes=("impact",), clips=1)
    fixed = {"offscreen.kind": "siren", "object0.material": "wood", "objects": 1}
    alone, quiet, loud = (
        sound.rms(WorldSource(config, fixed | extra)[0].audio)
        for extra in (
            {"offscreen.present": False},
            {"offscreen.present": True, "offscreen.snr": -6.0},
            {"offscreen.present": True, "offscreen.snr": 6.0},
        )
    )
    assert quiet**2 / alone**2 - 1 == pytest.approx(10**-0.6, rel=0.2)
    assert loud**2 / alone**2 - 1 == pytest.approx(10**0.6, rel=0.2)
