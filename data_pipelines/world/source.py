"""Random access to procedural clips: an index gives a clip, with no file behind it.

clip = scene + 10^(snr/20) rms(scene) / rms(off-screen) * off-screen sound + room tone
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from data_pipelines.schema import ClipRecord
from data_pipelines.world import draws as random
from data_pipelines.world import offscreen, scenes, sound
from data_pipelines.world.config import WorldConfig, validate
from v2a_jax.types import Event

WORLD_VERSION = "1"
SNR = (-6.0, 9.0)  # dB of an off-screen sound over the scene
LEVEL = (10 ** (-35 / 20), 10 ** (-16 / 20))  # bounds of its RMS, and its range over silence
SOUND_OVER_SILENCE = 0.85  # of the silent scenes that may have an off-screen sound


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Plan:
    """All that is decided about a clip before it is rendered."""

    config: WorldConfig
    draws: random.Draws
    scene: scenes.Scene
    extra: str  # off-screen kind, or ''

    @property
    def labels(self) -> tuple[str, ...]:
        return self.scene.labels + ((self.extra,) if self.extra else ())

    def captions(self) -> dict[str, str]:
        """Wordings by name; `onscreen` and `offscreen` name one of the two alone, or are ''."""
        return self._mixed() | dict(self.scene.alone)

    def _mixed(self) -> dict[str, str]:
        base = self.scene.wording
        if not self.extra:
            return dataclasses.asdict(base) | {"onscreen": base.full, "offscreen": ""}
        kind = offscreen.KINDS[self.extra]
        if not self.scene.labels:
            alone = {"full": kind.phrase, "short": self.extra, "sound_only": kind.timbre}
            return alone | {"onscreen": "", "offscreen": kind.phrase}
        return {
            "full": f"{base.full} while {kind.phrase}",
            "short": f"{base.short}, {self.extra}",
            "sound_only": f"{base.sound_only}, and {kind.timbre}",
            "onscreen": base.full,
            "offscreen": kind.phrase,
        }


class WorldSource:
    """The clips of a config; picklable, safe to share between threads.

    `overrides` fixes factors by name (those in a clip's `meta["factors"]`) and leaves the rest of
    each clip as it was: two sources that differ in one override give counterfactual pairs.
    """

    def __init__(self, config: WorldConfig, overrides: Mapping[str, Any] | None = None) -> None:
        """UserError when a field of `config` is out of bounds."""
        validate(config)
        self.config = config
        self.overrides = dict(overrides or {})

    def __len__(self) -> int:
        return self.config.clips

    def __getitem__(self, index: int) -> ClipRecord:
        return _render(int(index), self._planned(index))

    def stems(self, index: int) -> dict[str, np.ndarray]:
        """float32[N,1] of each of a clip's labels; they and the room tone add up to its audio."""
        plan = self._planned(index)
        stems = plan.scene.stems(self.config.sample_rate, plan.draws.stream("noise"))
        base_N = sum(stems.values(), np.zeros(round(self.config.seconds * self.config.sample_rate)))
        if plan.extra:
            stems[plan.extra] = _offscreen(plan, base_N)[0]
        whole_N = sum(stems.values(), np.zeros(len(base_N)))
        _, gain = sound.finish(whole_N, plan.draws.stream("room"))
        return {name: (gain * stem).astype(np.float32)[:, None] for name, stem in stems.items()}

    def _planned(self, index: int) -> _Plan:
        if not 0 <= index < len(self):
            raise IndexError(f"{index} is not in [0, {len(self)})")
        return _plan(self.config, int(index), self.overrides)

    def __repr__(self) -> str:
        return f"WorldSource({self.config!r}, {self.overrides!r})"


def world_caption(config: WorldConfig, index: int) -> dict[str, str]:
    """The captions of clip `index`, without rendering it."""
    return _plan(config, index, {}).captions()


def vocabulary(classes: Iterable[str]) -> tuple[str, ...]:
    """Everything that can sound in a world of `classes`, by label."""
    return scenes.heard(classes) + tuple(offscreen.KINDS)


def _class_of(config: WorldConfig, index: int) -> str:
    """Each run of as many clips as there are classes has every class once, in random order."""
    block, place = divmod(index, len(config.classes))
    order = random.stream(config.seed, config.split, block, "classes").permutation(
        len(config.classes)
    )
    return config.classes[order[place]]


def _plan(config: WorldConfig, index: int, overrides: Mapping[str, Any]) -> _Plan:
    draws = random.Draws(config.seed, config.split, index, overrides)
    name = draws.choice("class", (_class_of(config, index),))
    scene = scenes.draw(name, draws, config.seconds)
    probability = config.offscreen_probability
    if probability and not (scene.labels or scene.keeps_quiet):
        probability = SOUND_OVER_SILENCE
    kind = draws.choice("offscreen.kind", tuple(offscreen.KINDS))
    present = draws.happens("offscreen.present", probability)
    return _Plan(config=config, draws=draws, scene=scene, extra=kind if present else "")


def _render(index: int, plan: _Plan) -> ClipRecord:
    config = plan.config
    base_N = plan.scene.sound(config.sample_rate, plan.draws.stream("noise"))
    extra_N, extra_events = _offscreen(plan, base_N)
    events = sorted(plan.scene.events + extra_events, key=lambda event: event.time)
    captions = plan.captions()
    meta = {
        "seed": config.seed,
        "split": config.split,
        "index": index,
        "world_version": WORLD_VERSION,
        "factors": plan.draws.finish(),
        "licence": "procedural",
    }
    return ClipRecord(
        video=plan.scene.picture(config.fps, config.size),
        fps=float(config.fps),
        audio=sound.finish(base_N + extra_N, plan.draws.stream("room"))[0],
        sample_rate=config.sample_rate,
        caption=captions["full"],
        captions=captions,
        negatives=_negatives(plan),
        transcript=plan.scene.spoken.transcript,
        words=plan.scene.spoken.words,
        labels=plan.labels,
        events=tuple(events),
        meta=meta,
        provenance=f"world/{WORLD_VERSION}/{config.seed}/{config.split}/{index}",
        curves={name: curve.stored() for name, curve in plan.scene.curves.items()},
        marks={name: tuple(times.tolist()) for name, times in plan.scene.marks.items()},
        phonemes=plan.scene.spoken.phonemes,
    )


def _offscreen(plan: _Plan, base_N: np.ndarray) -> tuple[np.ndarray, tuple[Event, ...]]:
    """The off-screen sound at its level over the scene, and its events."""
    snr = plan.draws.uniform("offscreen.snr", *SNR)
    share = plan.draws.uniform("offscreen.level", 0.5, 0.9)
    if not plan.extra:
        return np.zeros(1), ()
    time_N = np.arange(len(base_N)) / plan.config.sample_rate
    rng, noise = plan.draws.stream("offscreen.form"), plan.draws.stream("offscreen.noise")
    wave_N, spans = offscreen.KINDS[plan.extra].make(rng, noise, time_N, plan.config.seconds)
    if not wave_N.any():  # all of it lies above what the sample rate can hold
        return wave_N, ()
    low, high = LEVEL
    base = sound.rms(base_N)
    level = np.clip(base * 10 ** (snr / 20), low, high) if base else low * (high / low) ** share
    events = tuple(
        Event(time=float(start), end=float(end), kind=plan.extra, onscreen=False)
        for start, end in spans
    )
    return wave_N * level / sound.rms(wave_N), events


def _negatives(plan: _Plan) -> tuple[str, ...]:
    """Three lists of one to three sounds that the clip does not have."""
    absent = [name for name in vocabulary(plan.config.classes) if name not in plan.labels]
    rng = plan.draws.stream("negatives")
    sizes = rng.integers(1, min(3, len(absent)) + 1, size=3)
    return tuple(", ".join(rng.choice(absent, size, replace=False)) for size in sizes)
