"""Rain: each drop falls, rings on the ground, and its bubble sounds at Minnaert's frequency.

A bubble of radius r rings at f = 3.26 / r Hz and decays with d = .13 / r + .0072 r^-1.5 1/s, r in
metres (van den Doel, Physically based models for liquid sounds, 2005). Drops come as a Poisson
process of changing density, whose unseen part is heard as noise.
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy import signal

from data_pipelines.world import curves, paint, sound, stage
from data_pipelines.world.curves import Curve
from data_pipelines.world.draws import Draws
from data_pipelines.world.scenes import Scene, Wording
from v2a_jax.types import Event

LABELS = ("rain",)
COURSES = ("steady", "heavier", "lighter", "shower")
DENSITY = (15.0, 220.0)  # drops a second
LIGHT, HEAVY = 40.0, 110.0  # and what captions call so
GROUND = 0.66
FALL = 3.2  # frame heights a second
RING = 0.2  # s a splash is seen
_SKIES = ((58, 66, 84), (78, 82, 94), (44, 52, 70), (70, 80, 82))
_EARTHS = ((52, 56, 62), (64, 58, 52), (46, 60, 58))
_STREAK = 0.07  # length, of the frame
_RING = (0.045, 0.018)  # half axes at the end, of the frame
_WATER = np.float32((226, 236, 255))
_RADIUS = (0.4e-3, 1.5e-3)  # m
_BUBBLE = 0.02  # s a bubble is heard
_BUBBLE_GAIN = 0.28  # of a bubble of 1 mm
_NOISE_GAIN = 0.0016  # at one drop a second


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rain(Scene):
    """Drops that reach the ground at `time_D` (s) at `place_D2` (x, y) with `radius_D` (m)."""

    seconds: float
    stage: stage.Stage
    density: Curve
    time_D: np.ndarray
    place_D2: np.ndarray
    radius_D: np.ndarray
    wording: Wording
    labels: ClassVar[tuple[str, ...]] = LABELS

    @property
    def events(self) -> tuple[Event, ...]:
        strength = float(np.mean(self.density.values) / DENSITY[1])
        return (Event(time=0.0, end=self.seconds, kind="rain", strength=strength),)

    @property
    def curves(self) -> Mapping[str, Curve]:
        """`density`: drops a second."""
        return {"density": self.density}

    @property
    def marks(self) -> Mapping[str, np.ndarray]:
        """`drops`: when each reaches the ground."""
        return {"drops": self.time_D}

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        samples = round(self.seconds * sample_rate)
        heard = 3.26 / self.radius_D < sound.NYQUIST_MARGIN * sample_rate
        bubbles_N = _bubbles(self.time_D[heard], self.radius_D[heard], samples, sample_rate)
        hiss_N = noise.standard_normal(samples)
        band = signal.butter(1, (800, 3400), "bandpass", fs=sample_rate, output="sos")
        # The same power in the band at any rate.
        hiss_N = signal.sosfilt(band, hiss_N) * np.sqrt(sample_rate / 16000)
        density_N = self.density.at(np.arange(samples) / sample_rate)
        return bubbles_N + _NOISE_GAIN * np.sqrt(density_N) * hiss_N

    def picture(self, fps: int, size: int) -> np.ndarray:
        time_F = stage.frame_times(self.seconds, fps)
        video = self.stage.frames(len(time_F), size)
        cover = np.zeros((len(time_F), size * size), np.float32)
        self._add_streaks(cover, fps, size)
        self._add_rings(cover, fps, size)
        wet = np.nonzero(cover)
        paint.dab(video, *wet, _WATER, np.minimum(cover[wet], 1))
        return paint.lit(video, self.stage.light)

    def _add_streaks(self, cover: np.ndarray, fps: int, size: int) -> None:
        drop_P, frame_P, age_P = self._shown(fps, -1.05 / FALL, 0.0)
        x_P = self.place_D2[drop_P, 0] * size
        y_P = (self.place_D2[drop_P, 1] + FALL * age_P) * size
        length = _STREAK * size
        tall, half = int(length) + 3, max(0.45, 0.005 * size)

        def streak(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
            across = np.clip(0.5 + half - np.abs(dx), 0, 1)
            along = np.clip(np.minimum(0.5 - dy, dy + length + 0.5), 0, 1)
            return 0.7 * across * along

        _scatter(cover, size, frame_P, (x_P, y_P), ((-1, 1), (-tall, 1)), streak)

    def _add_rings(self, cover: np.ndarray, fps: int, size: int) -> None:
        drop_P, frame_P, age_P = self._shown(fps, 0.0, RING)
        x_P, y_P = (self.place_D2[drop_P] * size).T
        grown_P = (0.25 + 0.75 * age_P / RING)[:, None, None]
        half_x, half_y = _RING[0] * size, _RING[1] * size

        def ring(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
            away = np.abs(np.hypot(dx, dy * half_x / half_y) - grown_P * half_x)
            return 0.9 * (1.1 - grown_P) * np.clip(1.2 - away, 0, 1)

        wide, tall = int(half_x) + 1, int(half_y) + 1
        _scatter(cover, size, frame_P, (x_P, y_P), ((-wide, wide), (-tall, tall)), ring)

    def _shown(
        self, fps: int, first: float, last: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Drop, frame and age (s) wherever a frame shows a drop at an age in [first, last)."""
        frames = len(stage.frame_times(self.seconds, fps))
        most = int(np.ceil((last - first) * fps))
        from_D = np.ceil((self.time_D + first) * fps).astype(int)
        frame_DK = from_D[:, None] + np.arange(most)
        age_DK = frame_DK / fps - self.time_D[:, None]
        seen = (frame_DK >= 0) & (frame_DK < frames) & (age_DK < last)
        return np.nonzero(seen)[0], frame_DK[seen], age_DK[seen]


def _scatter(
    cover: np.ndarray,
    size: int,
    frame_P: np.ndarray,
    place_P: tuple[np.ndarray, np.ndarray],
    reach: tuple[tuple[int, int], tuple[int, int]],
    shape: paint.Shape,
) -> None:
    """Adds small patches to `cover` float32[F,S*S], many to a frame."""
    col_P, row_P = (np.floor(place).astype(int) for place in place_P)
    cols = col_P[:, None, None] + np.arange(reach[0][0], reach[0][1] + 1)
    rows = row_P[:, None, None] + np.arange(reach[1][0], reach[1][1] + 1)[:, None]
    dx = (cols + 0.5 - place_P[0][:, None, None]).astype(np.float32)
    dy = (rows + 0.5 - place_P[1][:, None, None]).astype(np.float32)
    inside = (cols >= 0) & (cols < size) & (rows >= 0) & (rows < size)
    at = (frame_P[:, None, None] * size + rows) * size + cols
    cover += np.bincount(at[inside], shape(dx, dy)[inside], cover.size).reshape(cover.shape)


def _bubbles(
    time_D: np.ndarray, radius_D: np.ndarray, samples: int, sample_rate: int
) -> np.ndarray:
    """float64[samples]: a damped sine from each time on."""
    first_D = np.ceil(time_D * sample_rate).astype(int)
    n_DL = first_D[:, None] + np.arange(int(_BUBBLE * sample_rate))
    age_DL = (n_DL / sample_rate - time_D[:, None]).astype(np.float32)
    pitch_D = (2 * np.pi * 3.26 / radius_D)[:, None].astype(np.float32)
    decay_D = (0.13 / radius_D + 0.0072 * radius_D**-1.5)[:, None].astype(np.float32)
    gain_D = (_BUBBLE_GAIN * radius_D / 1e-3)[:, None].astype(np.float32)
    wave_DL = gain_D * np.sin(pitch_D * age_DL) * np.exp(-decay_D * age_DL)
    inside = n_DL < samples
    return np.bincount(n_DL[inside], wave_DL[inside], samples)


def draw(draws: Draws, seconds: float) -> Rain:
    """How dense the rain is when, and each drop."""
    room = dataclasses.replace(
        stage.draw(draws, GROUND),
        wall=_SKIES[draws.choice("sky", range(len(_SKIES)))],
        ground=_EARTHS[draws.choice("earth", range(len(_EARTHS)))],
    )
    course = draws.choice("course", COURSES)
    density = _density(draws, course, seconds)
    rng = draws.stream("drops")
    fine = np.arange(int(np.ceil(seconds * 1000)) + 1) / 1000
    total_K = density.integral(fine)
    count = rng.poisson(total_K[-1])
    # A Poisson process of density l(t) is one of density 1 in the time that l's integral tells.
    time_D = np.interp(np.sort(rng.uniform(0, total_K[-1], count)), total_K, fine)
    time_D = time_D[time_D < seconds]
    x_D, y_D = rng.uniform(0, 1, len(time_D)), rng.uniform(GROUND + 0.04, 0.98, len(time_D))
    return Rain(
        seconds=seconds,
        stage=room,
        density=density,
        time_D=time_D,
        place_D2=np.stack([x_D, y_D], axis=1),
        radius_D=rng.uniform(*_RADIUS, len(time_D)),
        wording=_wording(draws, course, float(np.mean(density.values))),
    )


def _density(draws: Draws, course: str, seconds: float) -> Curve:
    """Smooth between a low and a high level, or steady at one between them."""
    low, high = np.log(DENSITY)
    beyond = high + 0.2, high + 0.5
    level = draws.uniform("level", low, high, beyond=beyond)
    less = draws.uniform("less", low, low + 0.8)
    more = draws.uniform("more", high - 0.9, high, beyond=beyond)
    shape = {
        "steady": (level, level),
        "heavier": (less, more),
        "lighter": (more, less),
        "shower": (less, more, less),
    }[course]
    knots = np.linspace(0, seconds, len(shape))
    return Curve(values=np.exp(curves.through(seconds, knots, np.array(shape)).values))


def _wording(draws: Draws, course: str, density: float) -> Wording:
    amount = "light " if density < LIGHT else "heavy " if density > HEAVY else ""
    full, short = {
        "steady": ((f"{amount}rain", f"{amount}rain falls on the ground"), f"{amount}rain"),
        "heavier": (("rain getting heavier", "rain that begins lightly and grows"), "rain"),
        "lighter": (("rain getting lighter", "heavy rain that dies down"), "rain"),
        "shower": (("a shower comes and goes", "rain grows and dies down again"), "rain shower"),
    }[course]
    return Wording(
        full=draws.choice("caption", full),
        short=short,
        sound_only=f"{amount}patter of drops"
        if course == "steady"
        else "patter of drops, changing",
    )
