"""A world of two materials and one off-screen sound, small enough to know every answer."""

import dataclasses

import numpy as np

from v2a_jax.evaluation.judges import JudgeConfig
from v2a_jax.types import Event

JUDGES = JudgeConfig(
    shrinkage=0.1,
    penalty=1.0,
    false_positive_rate=0.05,
    copies=1,
    vocabulary=(),
    templates=1,
    seed=0,
)
AMOUNTS = dict(variations=8, negatives=4, wordings=10, stills=8, damaged=6)
RATE, FPS, SECONDS = 16_000, 5.0, 2.0
PITCH = {"metal": 2_400.0, "wood": 500.0}
DECAY = {"metal": 9.0, "wood": 60.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToyClip:
    video: np.ndarray | None
    fps: float
    audio: np.ndarray | None
    sample_rate: int
    captions: dict[str, str]
    labels: tuple[str, ...]
    events: tuple[Event, ...]
    provenance: str
    negatives: tuple[str, ...] = ()
    transcript: str = ""
    words: tuple[tuple[str, float, float], ...] = ()
    curves: dict[str, tuple[float, tuple[float, ...]]] = dataclasses.field(default_factory=dict)
    meta: dict[str, object] = dataclasses.field(default_factory=dict)


def hit(material: str, gain: float = 0.5) -> np.ndarray:
    t = np.arange(int(0.4 * RATE)) / RATE
    return gain * np.exp(-DECAY[material] * t) * np.sin(2 * np.pi * PITCH[material] * t)


def render_hits(times, material, seconds=SECONDS, gain=0.5):
    wave = np.zeros(int((seconds + 1) * RATE))
    for time in times:
        start = round(time * RATE)
        sound = hit(material, gain)
        wave[start : start + len(sound)] += sound
    return wave[: int(seconds * RATE)]


def siren(seconds=SECONDS):
    t = np.arange(int(seconds * RATE)) / RATE
    return 0.2 * np.sin(2 * np.pi * 900 * t + 60 * np.sin(2 * np.pi * 1.5 * t))


def make_clip(index: int, *, with_siren: bool) -> ToyClip:
    random = np.random.default_rng(index)
    material = ("metal", "wood")[index % 2]
    times = np.cumsum(random.uniform(0.4, 0.6, size=3)) - 0.2
    events = [Event(time=t, end=t + 0.3, kind="impact", material=material) for t in times]
    wave = render_hits(times, material, gain=random.uniform(0.3, 0.7))
    caption, labels = f"hits on {material}", ("impact",)
    if with_siren:
        wave = wave + siren()
        events.append(Event(time=0.0, end=SECONDS, kind="siren", onscreen=False))
        caption, labels = f"{caption} while a siren is heard", ("impact", "siren")
    wave = wave + 1e-4 * random.standard_normal(len(wave))
    video = np.zeros((int(SECONDS * FPS), 8, 8, 3), np.uint8)
    video[..., 0] = index
    return ToyClip(
        video=video,
        fps=FPS,
        audio=wave[:, None].astype(np.float32),
        sample_rate=RATE,
        captions={
            "full": caption,
            "short": f"{material}, siren" if with_siren else material,
            "onscreen": f"hits on {material}",
            "offscreen": "a siren is heard" if with_siren else "",
        },
        negatives=("rain", "thunder, rain"),
        labels=labels,
        events=tuple(events),
        provenance=f"toy/{index}",
    )


class OracleModel:
    """Recalls the true sound of the clip it is shown, and obeys prompts perfectly."""

    fps, sample_rate, seconds = FPS, RATE, SECONDS

    def __init__(self):
        self.batches = []

    def generate_batch(self, frames, prompts, negative_prompts, transcripts, seeds):
        self.batches.append(len(frames))
        sounds = []
        for picture, prompt, negative in zip(frames, prompts, negative_prompts, strict=True):
            wanted = "siren" in prompt and "siren" not in negative
            sounds.append(make_clip(int(picture[0, 0, 0, 0]), with_siren=wanted).audio)
        return np.stack(sounds)

    def round_trip(self, audio):
        return audio * np.float32(0.5)
