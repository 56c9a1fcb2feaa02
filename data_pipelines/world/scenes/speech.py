"""A face says digits, commands or sentences, its lips in time; its looks tell the voice."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from data_pipelines.world import paint, stage
from data_pipelines.world.curves import Curve
from data_pipelines.world.draws import Draws
from data_pipelines.world.face import Face
from data_pipelines.world.scenes import Scene, Spoken, Wording
from data_pipelines.world.speech import lexicon
from data_pipelines.world.speech.speaker import Speaker, draw_speaker
from v2a_jax.types import Event

LABELS = ("speech",)
GROUND = 0.95


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speech(Scene):
    """One or two faces, of which the first has the word."""

    seconds: float
    stage: stage.Stage
    faces: tuple[Face, ...]
    blinks: tuple[np.ndarray, ...]
    speaker: Speaker
    wording: Wording
    labels: ClassVar[tuple[str, ...]] = LABELS

    @property
    def events(self) -> tuple[Event, ...]:
        face = self.faces[0]
        return tuple(
            Event(
                time=start, end=end, kind="speech", f1=self.speaker.pitch, x=face.x, y=face.y + 0.2
            )
            for _, start, end in self.speaker.utterance.words
        )

    @property
    def curves(self) -> Mapping[str, Curve]:
        """`aperture` of the mouth, 0..1."""
        return {"aperture": self.speaker.mouth["aperture"]}

    @property
    def spoken(self) -> Spoken:
        said = self.speaker.utterance
        return Spoken(transcript=said.transcript, words=said.words, phonemes=said.phonemes)

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        return self.speaker.sound(self.seconds, sample_rate, noise)

    def picture(self, fps: int, size: int) -> np.ndarray:
        time_F = stage.frame_times(self.seconds, fps)
        room = self.stage.frames(1, size)
        for face in self.faces:
            face.paint_still(room)
        video = np.repeat(room, len(time_F), axis=0)
        still = {name: Curve(values=np.zeros(2)) for name in self.speaker.mouth}
        for place, (face, blinks) in enumerate(zip(self.faces, self.blinks, strict=True)):
            face.paint_moving(video, time_F, still if place else self.speaker.mouth, blinks)
        return paint.lit(video, self.stage.light)


def draw(draws: Draws, seconds: float) -> Speech:
    """A face, and what it says."""
    room = stage.draw(draws, GROUND)
    kind = draws.choice("text", lexicon.KINDS, weights=(0.4, 0.3, 0.3))
    speaker = draw_speaker(draws, kind, seconds)
    face = Face(
        voice=speaker.voice,
        x=0.5 + room.shift[0],
        y=0.46 + room.shift[1],
        size=draws.uniform("face.size", 0.9, 1.05),
    )
    person = speaker.voice.person
    full = (
        f"a {person} says: {speaker.utterance.transcript}",
        f"a {person} speaks",
        "a person speaks",
    )
    return Speech(
        seconds=seconds,
        stage=room,
        faces=(face,),
        blinks=(draws.stream("blinks").uniform(0, seconds, 1 + int(seconds / 3)),),
        speaker=speaker,
        wording=Wording(
            full=draws.choice("caption", full, weights=(0.4, 0.3, 0.3)),
            short=f"{person} speaking",
            sound_only=f"the voice of a {person}",
        ),
    )
