"""A metronome and six bars: a bar lights up and sounds its note as the arm passes the middle."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from data_pipelines.world import paint, sound, stage
from data_pipelines.world.draws import Draws
from data_pipelines.world.scenes import Scene, Wording
from v2a_jax.types import Event

LABELS = ("music",)
GROUND = 0.92
STEPS = (0, 2, 4, 7, 9, 12)  # semitones of the bars over the lowest: a pentatonic scale
LIT = 0.8  # of a beat a bar shines
REST = 0.1  # chance that a beat has no note
SLOW, FAST = 85.0, 125.0  # beats a minute below and above which a caption says so
SWING = 0.55  # rad
PIVOT, ARM = (0.5, 0.5), 0.4  # of the frame
BARS = 0.56  # top of the bars, of the frame
_COLOURS = (
    (235, 64, 52),
    (240, 150, 40),
    (236, 222, 60),
    (70, 200, 84),
    (60, 140, 236),
    (176, 84, 224),
)
_DIM = 0.32
_HARMONICS = (1.0, 0.5, 0.25)
_DECAY = (4.5, 8.0, 13.0)  # 1/s
_CONTACT = 0.4e-3
_GAIN = 0.4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Music(Scene):
    """Notes at `time_E` (s) on bars `bar_E` with strength `level_E`; beats from `first` on."""

    seconds: float
    stage: stage.Stage
    bpm: float
    first: float
    base: float
    time_E: np.ndarray
    bar_E: np.ndarray
    level_E: np.ndarray
    wording: Wording
    labels: ClassVar[tuple[str, ...]] = LABELS

    @property
    def beat(self) -> float:
        """Seconds from beat to beat."""
        return 60 / self.bpm

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(
            Event(
                time=float(time),
                end=float(min(self.seconds, time + LIT * self.beat)),
                kind="music",
                strength=float(level),
                f1=self.pitch(bar),
                x=_middle(bar),
                y=BARS,
                note=int(bar),
            )
            for time, bar, level in zip(self.time_E, self.bar_E, self.level_E, strict=True)
        )

    @property
    def marks(self) -> Mapping[str, np.ndarray]:
        """`beats`: when the arm passes the middle, with a note or without."""
        return {"beats": np.arange(self.first, self.seconds, self.beat)}

    def pitch(self, bar: int) -> float:
        """Hz of a bar."""
        return float(self.base * 2 ** (STEPS[bar] / 12))

    def arm(self, time: np.ndarray) -> np.ndarray:
        """Angle (rad, to the right of upright) of the metronome's arm."""
        return SWING * np.sin(np.pi * (time - self.first) / self.beat)

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        samples = round(self.seconds * sample_rate)
        total_N = np.zeros(samples)
        for bar in range(len(STEPS)):
            played = self.bar_E == bar
            times, levels = self.time_E[played], self.level_E[played]
            force_N = sound.contact_force(samples, times, levels, _CONTACT, sample_rate)
            partials = self.pitch(bar) * np.arange(1, len(_HARMONICS) + 1)
            modes = partials, np.array(_DECAY), np.array(_HARMONICS)
            total_N += sound.modal(force_N, modes, sample_rate)
        return _GAIN * total_N

    def picture(self, fps: int, size: int) -> np.ndarray:
        time_F = stage.frame_times(self.seconds, fps)
        room = self.stage.frames(1, size)
        for bar in range(len(STEPS)):
            room[0][_box(bar, size)] = np.float32(_COLOURS[bar]) * _DIM
        video = np.repeat(room, len(time_F), axis=0)
        for time, bar in zip(self.time_E, self.bar_E, strict=True):
            lit = (time_F >= time) & (time_F < time + LIT * self.beat)
            video[(lit, *_box(bar, size))] = _COLOURS[bar]
        self._paint_arm(video, self.arm(time_F))
        return paint.lit(video, self.stage.light)

    def _paint_arm(self, video: np.ndarray, angle_F: np.ndarray) -> None:
        size = video.shape[1]
        x, y = PIVOT[0] * size, PIVOT[1] * size
        tip_x, tip_y = ARM * size * np.sin(angle_F), -ARM * size * np.cos(angle_F)
        ends = tip_x[:, None, None].astype(np.float32), tip_y[:, None, None].astype(np.float32)

        def arm(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            dy = dy - ARM * size / 2
            return np.float32((34, 30, 34)), paint.cover(paint.capsule(dx, dy, *ends, 0.014 * size))

        def weight(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.float32((226, 30, 36)), paint.cover(paint.disc(dx, dy, 0.05 * size))

        frames = np.ones(len(video))
        middle = x * frames, (y - ARM * size / 2) * frames
        reach = (np.sin(SWING) * ARM + 0.02) * size, (ARM / 2 + 0.02) * size
        paint.stamp(video, *middle, reach, arm)
        paint.stamp(video, x + 0.85 * tip_x, y + 0.85 * tip_y, (0.05 * size,) * 2, weight)


def _middle(bar: int) -> float:
    return 0.5 + 0.15 * (bar - (len(STEPS) - 1) / 2)


def _box(bar: int, size: int) -> tuple[slice, slice]:
    """Rows and columns of a bar: the lower its note, the longer."""
    left, right = round((_middle(bar) - 0.06) * size), round((_middle(bar) + 0.06) * size)
    return slice(round(BARS * size), round((0.94 - 0.035 * bar) * size)), slice(left, right)


def draw(draws: Draws, seconds: float) -> Music:
    """A tempo, a scale, and a melody on it."""
    room = stage.draw(draws, GROUND)
    bpm = draws.uniform("bpm", 60, 150, beyond=(150, 180))
    beat = 60 / bpm
    first = draws.uniform("first", 0.05, 0.95) * min(beat, 0.5)
    beat_B = np.arange(first, max(seconds - 0.1, first + 1e-6), beat)
    rng = draws.stream("melody")
    bar_B = rng.integers(len(STEPS), size=len(beat_B))
    level_B = rng.uniform(0.6, 1.0, len(beat_B))
    played_B = rng.uniform(size=len(beat_B)) >= REST
    played_B[0] = True
    return Music(
        seconds=seconds,
        stage=room,
        bpm=bpm,
        first=first,
        base=draws.uniform("base", 220, 440),
        time_E=beat_B[played_B],
        bar_E=bar_B[played_B],
        level_E=level_B[played_B],
        wording=_wording(draws, bpm),
    )


def _wording(draws: Draws, bpm: float) -> Wording:
    pace = "slow " if bpm < SLOW else "fast " if bpm > FAST else ""
    full = (
        f"a melody at {round(bpm)} bpm",
        f"{pace}plucked notes",
        f"a metronome swings to a {pace}melody",
    )
    return Wording(
        full=draws.choice("caption", full),
        short=f"{pace}melody",
        sound_only=f"{pace}plucked notes, one after the other",
    )
