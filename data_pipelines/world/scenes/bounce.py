"""A ball is let go and bounces to rest: v' = e v, flights of 2 v / g, louder when faster."""

import dataclasses
import math

import numpy as np

from data_pipelines.world import paint, sound, stage, surfaces, words
from data_pipelines.world.draws import Draws
from data_pipelines.world.materials import MATERIALS, Material
from data_pipelines.world.scenes import Scene, Wording
from v2a_jax.types import Event

LABELS = ("bounce",)
BALLS = ("wood", "metal", "glass", "plastic", "rubber")
FLOOR = 0.86
METRE = 0.56  # of the frame
RADIUS = 0.1  # of the frame, at size 1
SQUASH = 0.03  # s
REST_SPEED = 0.12  # m/s: slower ends the bouncing
REST_FLIGHT = 0.08  # s: and so do flights too short to be seen, or heard apart
TOP_SPEED = math.sqrt(2 * 9.8 * 1.0)  # m/s of the fastest ball, strength 1
_BOARD = dataclasses.replace(MATERIALS["wood"], fundamental=110, click=0.0)
_BOARD_GAIN = 0.12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bounce(Scene):
    """A ball that touches the ground at `time_E` (s) with `speed_E` (m/s)."""

    seconds: float
    stage: stage.Stage
    material: str
    size: float
    jitter: np.ndarray
    grain: float
    release: float
    height: float
    gravity: float
    path_x: tuple[float, float]
    time_E: np.ndarray
    speed_E: np.ndarray
    restitution: float
    wording: Wording

    @property
    def labels(self) -> tuple[str, ...]:
        return LABELS if len(self.time_E) else ()

    @property
    def events(self) -> tuple[Event, ...]:
        frequency, decay, _ = MATERIALS[self.material].modes(self.size, self.jitter)
        ring = sound.decay_time(decay[0])
        x_E, _ = self.ball(self.time_E)
        return tuple(
            Event(
                time=float(time),
                end=float(min(self.seconds, time + ring)),
                kind="bounce",
                material=self.material,
                strength=float(speed / TOP_SPEED),
                f1=float(frequency[0]),
                x=float(x),
                y=float(self.stage.horizon),
            )
            for time, speed, x in zip(self.time_E, self.speed_E, x_E, strict=True)
        )

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        samples = round(self.seconds * sample_rate)
        hits = self.time_E, self.speed_E / TOP_SPEED, samples, sample_rate, noise
        ball_N = sound.struck(MATERIALS[self.material], self.size, self.jitter, *hits)
        board_N = sound.struck(_board(self.material), 1.0, np.ones(8), *hits)
        return ball_N + _BOARD_GAIN * board_N

    def picture(self, fps: int, size: int) -> np.ndarray:
        time_F = stage.frame_times(self.seconds, fps)
        video = self.stage.frames(len(time_F), size)
        x_F, height_F = self.ball(time_F)
        radius = RADIUS * self.size * size
        floor = self.stage.horizon * size
        self._paint_shadow(video, x_F * size, height_F, floor, radius)
        flat_F = self._squash(time_F)
        middle_F = floor - METRE * height_F * size - radius * (1 - flat_F)
        squeeze = (1 - flat_F)[:, None, None].astype(np.float32)

        def brush(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            u, v = dx * squeeze, dy / squeeze
            rgb, opacity = surfaces.surface(self.material, u / radius, v / radius, self.grain)
            return rgb, opacity * paint.cover(paint.disc(u, v, radius))

        paint.stamp(video, x_F * size, middle_F, (1.3 * radius, 1.3 * radius), brush)
        return paint.lit(video, self.stage.light)

    def ball(self, time_F: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x of the ball as a fraction of the frame, and metres between its foot and the ground."""
        fall_F = np.maximum(time_F - self.release, 0)
        height_F = self.height - 0.5 * self.gravity * fall_F**2
        last_F = np.searchsorted(self.time_E, time_F, side="right") - 1
        bounced = last_F >= 0
        age_F = time_F[bounced] - self.time_E[last_F[bounced]]
        up_F = self.restitution * self.speed_E[last_F[bounced]]
        height_F[bounced] = up_F * age_F - 0.5 * self.gravity * age_F**2
        start, pace = self.path_x
        return start + pace * fall_F, np.maximum(height_F, 0)

    def _squash(self, time_F: np.ndarray) -> np.ndarray:
        """float64[F]: how much flatter than round, 0..1, in the moments after a contact."""
        age_FE = time_F[:, None] - self.time_E
        alive_FE = (age_FE >= 0) & (age_FE < SQUASH)
        depth_FE = self.speed_E / TOP_SPEED * np.sin(np.pi * age_FE / SQUASH)
        return 0.3 * np.minimum(1, np.sum(depth_FE * alive_FE, axis=1))

    def _paint_shadow(
        self,
        video: np.ndarray,
        x_F: np.ndarray,
        height_F: np.ndarray,
        floor: float,
        radius: float,
    ) -> None:
        depth = 0.35 * radius
        strength_F = (0.55 / (1 + 3 * height_F))[:, None, None].astype(np.float32)

        def brush(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            round_ = np.hypot(dx / radius, dy / depth)
            return np.zeros(3, np.float32), strength_F * np.clip(1.5 - round_, 0, 1)

        y_F = np.full(len(video), floor + depth)
        paint.stamp(video, x_F, y_F, (1.5 * radius, 1.5 * depth), brush)


def _board(ball: str) -> Material:
    """The floor's modes, struck with the contact of the ball."""
    return dataclasses.replace(_BOARD, contact=MATERIALS[ball].contact)


def draw(draws: Draws, seconds: float) -> Bounce:
    """A ball, the room, and every contact before the clip ends."""
    room = stage.draw(draws, FLOOR)
    material = draws.choice("material", BALLS)
    size = draws.uniform("size", 0.7, 1.4)
    jitter = draws.stream("jitter").uniform(0.99, 1.01, 8)
    release = draws.uniform("release", 0.0, 0.3)
    height = draws.uniform("height", 0.6, 1.0)
    gravity = draws.uniform("gravity", 3.0, 9.8, beyond=(1.6, 2.6))
    restitution = draws.uniform("restitution", 0.6, 0.88)
    start = draws.uniform("start", 0.3, 0.7) + room.shift[0]
    pace = draws.uniform("pace", -0.18, 0.18) / seconds
    time_E, speed_E = contacts(release, height, gravity, restitution, seconds)
    return Bounce(
        seconds=seconds,
        stage=room,
        material=material,
        size=size,
        jitter=jitter,
        grain=draws.uniform("grain", 0, 2 * np.pi),
        release=release,
        height=height,
        gravity=gravity,
        path_x=(start, pace),
        time_E=time_E,
        speed_E=speed_E,
        restitution=restitution,
        wording=_wording(draws, draws.told("material", material, BALLS), len(time_E)),
    )


def contacts(
    release: float, height: float, gravity: float, restitution: float, seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and speeds (m/s) of the contacts of a ball let go at `release` from `height` m."""
    time, speed = release + math.sqrt(2 * height / gravity), math.sqrt(2 * gravity * height)
    times, speeds = [], []
    while time < seconds:
        times.append(time)
        speeds.append(speed)
        speed *= restitution
        flight = 2 * speed / gravity
        if speed < REST_SPEED or flight < REST_FLIGHT:
            break
        time += flight
    return np.array(times), np.array(speeds)


def _wording(draws: Draws, material: str, bounces: int) -> Wording:
    ball = words.a(MATERIALS[material].adjective + " ball")
    if not bounces:
        return Wording(full=f"{ball} falls", short="silence", sound_only="silence")
    full = (
        f"{ball} bounces {words.times(bounces)}",
        f"{ball} drops and bounces to rest",
        f"{words.number(bounces)} bounces of {ball}",
    )
    timbre = words.a(MATERIALS[material].timbre)
    return Wording(
        full=draws.choice("caption", full),
        short=f"{MATERIALS[material].adjective} ball bouncing",
        sound_only=f"{timbre}, repeated faster and softer",
    )
