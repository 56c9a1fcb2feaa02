"""Two faces side by side, of which one speaks and the other listens."""

import numpy as np

from data_pipelines.world import stage
from data_pipelines.world.draws import Draws
from data_pipelines.world.face import Face
from data_pipelines.world.scenes import Wording
from data_pipelines.world.scenes.speech import GROUND, LABELS, Speech
from data_pipelines.world.speech import lexicon
from data_pipelines.world.speech.speaker import draw_speaker
from data_pipelines.world.speech.voices import VOICES

__all__ = ["LABELS", "draw"]
SIDES = ("left", "right")
_SIZE = 0.68


def draw(draws: Draws, seconds: float) -> Speech:
    """Who speaks, on which side, and who listens."""
    room = stage.draw(draws, GROUND)
    kind = draws.choice("text", lexicon.KINDS, weights=(0.4, 0.3, 0.3))
    speaker = draw_speaker(draws, kind, seconds)
    listener = draws.choice(
        "listener", tuple(name for name in VOICES if VOICES[name] != speaker.voice)
    )
    side = draws.choice("side", SIDES)
    x, y = {"left": (0.27, 0.73), "right": (0.73, 0.27)}[side], 0.5 + room.shift[1]
    faces = tuple(
        Face(voice=voice, x=place, y=y, size=_SIZE)
        for voice, place in zip((speaker.voice, VOICES[listener]), x, strict=True)
    )
    blinks = draws.stream("blinks").uniform(0, seconds, (2, 1 + int(seconds / 3)))
    person = speaker.voice.person
    full = (
        f"the {person} on the {side} says: {speaker.utterance.transcript}",
        f"the {person} on the {side} speaks",
        "one of two people speaks",
    )
    return Speech(
        seconds=seconds,
        stage=room,
        faces=faces,
        blinks=tuple(np.sort(times) for times in blinks),
        speaker=speaker,
        wording=Wording(
            full=draws.choice("caption", full, weights=(0.4, 0.3, 0.3)),
            short=f"{person} speaking",
            sound_only=f"the voice of a {person}",
        ),
    )
