"""A mallet strikes one to three things on a table; they ring as their materials do."""

import dataclasses
from typing import ClassVar

import numpy as np

from data_pipelines.world import paint, sound, stage, surfaces, words
from data_pipelines.world.draws import Draws
from data_pipelines.world.materials import MATERIALS
from data_pipelines.world.scenes import Scene, Wording
from v2a_jax.types import Event

LABELS = ("impact",)
SHAPES = ("bar", "block", "bowl")
TABLE = 0.82
PLACES = {1: (0.5,), 2: (0.3, 0.7), 3: (0.18, 0.5, 0.82)}
SWING = 0.14  # s from the top of the swing to contact
LIFT = 0.24  # of the frame, from contact to the top of the swing
HEAD = 0.055  # radius of the mallet's head, of the frame
SHAKE = 0.08  # s a struck thing shakes
_HEIGHTS = {"bar": 0.13, "block": 0.22, "bowl": 0.14, "drum": 0.18}  # of the frame, at size 1
_WIDTHS = {"bar": 0.24, "block": 0.19, "bowl": 0.24, "drum": 0.22}
_GAIN = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thing:
    """Something to strike: `x` and `top` (its upper edge) in fractions of the frame."""

    material: str
    shape: str
    size: float
    jitter: np.ndarray
    grain: float
    x: float
    top: float

    @property
    def phrase(self) -> str:
        name = "" if self.material == "drum" else MATERIALS[self.material].adjective + " "
        return name + self.shape


@dataclasses.dataclass(frozen=True, kw_only=True)
class Impact(Scene):
    """Hits at `time_E` (s) with `speed_E` (0..1) on things `target_E`."""

    seconds: float
    stage: stage.Stage
    things: tuple[Thing, ...]
    time_E: np.ndarray
    speed_E: np.ndarray
    target_E: np.ndarray
    wording: Wording
    labels: ClassVar[tuple[str, ...]] = LABELS

    @property
    def events(self) -> tuple[Event, ...]:
        hits = zip(self.time_E, self.speed_E, self.target_E, strict=True)
        return tuple(self._event(time, speed, self.things[k]) for time, speed, k in hits)

    def _event(self, time: float, speed: float, thing: Thing) -> Event:
        frequency, decay, _ = MATERIALS[thing.material].modes(thing.size, thing.jitter)
        return Event(
            time=float(time),
            end=float(min(self.seconds, time + sound.decay_time(decay[0]))),
            kind="impact",
            material=thing.material,
            strength=float(speed),
            f1=float(frequency[0]),
            x=float(thing.x),
            y=float(thing.top),
        )

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        samples = round(self.seconds * sample_rate)
        total_N = np.zeros(samples)
        for index, thing in enumerate(self.things):
            hit = self.target_E == index
            material, times, speeds = MATERIALS[thing.material], self.time_E[hit], self.speed_E[hit]
            total_N += sound.struck(
                material, thing.size, thing.jitter, times, speeds, samples, sample_rate, noise
            )
        return _GAIN * total_N

    def picture(self, fps: int, size: int) -> np.ndarray:
        time_F = stage.frame_times(self.seconds, fps)
        video = self.stage.frames(len(time_F), size)
        for index, thing in enumerate(self.things):
            self._paint_thing(video, thing, self._shake(time_F, index))
        self._paint_mallet(video, time_F)
        return paint.lit(video, self.stage.light)

    def _shake(self, time_F: np.ndarray, index: int) -> np.ndarray:
        """float64[F]: how far a thing is pushed down, in fractions of the frame."""
        age_FE = time_F[:, None] - self.time_E
        alive_FE = (age_FE >= 0) & (age_FE < SHAKE) & (self.target_E == index)
        push_FE = self.speed_E * np.sin(np.pi * age_FE / SHAKE)
        return 0.025 * np.sum(push_FE * alive_FE, axis=1)

    def _paint_thing(self, video: np.ndarray, thing: Thing, push_F: np.ndarray) -> None:
        size = video.shape[1]
        half_x = 0.5 * _WIDTHS[thing.shape] * thing.size * size
        half_y = 0.5 * _HEIGHTS[thing.shape] * thing.size * size

        def brush(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rgb, opacity = surfaces.surface(thing.material, dx / half_x, dy / half_y, thing.grain)
            edge = paint.box(dx, dy, half_x, half_y)
            if thing.shape == "bowl":
                edge = np.maximum(edge, paint.disc(dx, dy + half_y, half_x))
            return rgb, opacity * paint.cover(edge)

        middle_F = (thing.top + push_F) * size + half_y
        x_F = np.full(len(video), thing.x * size)
        paint.stamp(video, x_F, middle_F, (half_x, half_y), brush)

    def _paint_mallet(self, video: np.ndarray, time_F: np.ndarray) -> None:
        size = video.shape[1]
        x_F, y_F = self.mallet(time_F)
        radius, stick_x, stick_y = HEAD * size, 0.34 * size, -0.2 * size

        def shaft(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            edge = paint.capsule(dx + stick_x / 2, dy + stick_y / 2, stick_x, stick_y, 0.016 * size)
            return np.array((60, 40, 30), np.float32), paint.cover(edge)

        def head(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            glint = np.exp(-(np.square(dx / radius + 0.35) + np.square(dy / radius + 0.35)) / 0.1)
            rgb = np.array((226, 30, 36), np.float32) + glint[..., None] * np.float32(60)
            return rgb, paint.cover(paint.disc(dx, dy, radius))

        middle = x_F * size + stick_x / 2, y_F * size + stick_y / 2
        paint.stamp(video, *middle, (stick_x / 2 + 2, -stick_y / 2 + 2), shaft)
        paint.stamp(video, x_F * size, y_F * size, (radius, radius), head)

    def mallet(self, time_F: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the head's middle, fractions of the frame; it touches exactly at each hit."""
        spots = np.array([[self.things[k].x, self.things[k].top - HEAD] for k in self.target_E])
        nearest_F = np.abs(time_F[:, None] - self.time_E).argmin(axis=1)
        away_F = np.abs(time_F - self.time_E[nearest_F]) / SWING
        lift_F = LIFT * np.sin(np.pi / 2 * np.minimum(1, away_F))
        return _travel(time_F, self.time_E, spots[:, 0]), _travel(
            time_F, self.time_E, spots[:, 1]
        ) - lift_F


def _travel(time_F: np.ndarray, time_E: np.ndarray, place_E: np.ndarray) -> np.ndarray:
    """From place to place in the middle third between hits, at rest around each."""
    gap_E = np.diff(time_E) / 3
    leave_E, arrive_E = time_E[:-1] + gap_E, time_E[1:] - gap_E
    knots = np.concatenate([[time_E[0]], np.stack([leave_E, arrive_E], 1).ravel(), [time_E[-1]]])
    return np.interp(time_F, knots, np.repeat(place_E, 2))


def draw(draws: Draws, seconds: float) -> Impact:
    """A table with things and the hits on them; the first comes after .2 s."""
    room = stage.draw(draws, TABLE)
    count = draws.choice("objects", (1, 2, 3), weights=(0.6, 0.3, 0.1))
    things = tuple(_draw_thing(draws, k, x, room) for k, x in enumerate(PLACES[count]))
    physics = draws.stream("physics")
    last = max(seconds - 0.15, 0.25)
    time_E = physics.uniform(0.2, min(0.7, last)) + np.cumsum(
        np.append(0, physics.uniform(0.28, 1.0, int(last / 0.28)))
    )
    time_E = time_E[time_E <= last]
    speed_E = physics.uniform(0.3, 1.0, len(time_E))
    target_E = draws.stream("targets").integers(count, size=len(time_E))
    return Impact(
        seconds=seconds,
        stage=room,
        things=things,
        time_E=time_E,
        speed_E=speed_E,
        target_E=target_E,
        wording=_wording(draws, _told(draws, things, target_E), len(time_E)),
    )


def _draw_thing(draws: Draws, index: int, x: float, room: stage.Stage) -> Thing:
    name = f"object{index}"
    material = draws.choice(f"{name}.material", tuple(MATERIALS))
    shape = draws.choice(f"{name}.shape", SHAPES)
    shape = "drum" if material == "drum" else shape
    size = draws.uniform(f"{name}.size", 0.7, 1.4, beyond=(1.45, 1.65))
    return Thing(
        material=material,
        shape=shape,
        size=size,
        jitter=draws.stream(f"{name}.jitter").uniform(0.99, 1.01, 8),
        grain=draws.uniform(f"{name}.grain", 0, 2 * np.pi),
        x=x + room.shift[0],
        top=room.horizon - _HEIGHTS[shape] * size,
    )


def _told(draws: Draws, things: tuple[Thing, ...], target_E: np.ndarray) -> list[Thing]:
    """The things that are struck, as captions tell of them."""
    materials = tuple(name for name in MATERIALS if name != "drum")
    return [
        dataclasses.replace(
            things[k], material=draws.told(f"object{k}.material", things[k].material, materials)
        )
        for k in dict.fromkeys(target_E)
    ]


def _wording(draws: Draws, things: list[Thing], hits: int) -> Wording:
    phrases = words.listing([words.a(thing.phrase) for thing in things])
    times = words.times(hits)
    timbres = list(dict.fromkeys(MATERIALS[thing.material].timbre for thing in things))
    full = (
        f"a mallet hits {phrases} {times}",
        f"{words.number(hits)} {words.plural('hit', hits)} on {phrases}",
        f"a mallet strikes {phrases}",
    )
    short = words.listing(list(dict.fromkeys(thing.phrase for thing in things)))
    return Wording(
        full=draws.choice("caption", full),
        short=f"{short} {words.plural('hit', hits)}",
        sound_only=f"{words.listing([words.a(timbre) for timbre in timbres])}, {times}",
    )
