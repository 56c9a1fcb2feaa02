"""Someone who says something: the voice, the words in time, and the lips."""

import abc
import dataclasses
from collections.abc import Mapping

import numpy as np
import soxr

from data_pipelines.world.curves import Curve
from data_pipelines.world.draws import Draws
from data_pipelines.world.speech import espeak, formants, lexicon
from data_pipelines.world.speech.utterance import Utterance, lay_out, mouth_curves
from data_pipelines.world.speech.voices import HELD_OUT, VOICES, Voice

SYNTHESIZERS = ("formants", "espeak")
_MOST_WORDS_A_SECOND = 4
_ESPEAK_GAIN = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speaker(abc.ABC):
    """A voice of mean `pitch` (Hz; 0 is unknown) with its utterance and the curves of its lips."""

    voice: Voice
    pitch: float
    utterance: Utterance
    mouth: Mapping[str, Curve]

    @abc.abstractmethod
    def sound(self, seconds: float, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        """float64[N]: the voice."""


class FormantSpeaker(Speaker):
    """Speaks with our own synthesizer."""

    def sound(self, seconds: float, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        return formants.voice_sound(
            self.utterance, self.pitch, self.voice.scale, seconds, sample_rate, noise
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedSpeaker(Speaker):
    """Spoke already: `wave[M]` at `rate`, from `start` (s) on."""

    wave: np.ndarray
    rate: int
    start: float

    def sound(self, seconds: float, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        # What lies before the start shifts the wave by a part of a sample.
        lead = np.zeros(round(self.start * self.rate), np.float32)
        wave = soxr.resample(np.concatenate([lead, self.wave]), self.rate, sample_rate)
        whole_N = np.zeros(round(seconds * sample_rate))
        part = wave[: len(whole_N)]
        whole_N[: len(part)] = _ESPEAK_GAIN * part
        return whole_N


def draw_speaker(draws: Draws, kind: str, seconds: float) -> Speaker:
    """A voice and what it says: a text of `kind`.

    The factor `synthesizer` is `formants`, for clips must be the same wherever they are made; it
    can be overridden by `espeak`. UserError where that is not installed.
    """
    synthesizer = draws.choice("synthesizer", SYNTHESIZERS, weights=(1.0, 0.0))
    looks = draws.choice("voice", tuple(VOICES), beyond=tuple(HELD_OUT))
    voice = (VOICES | HELD_OUT)[looks]
    start = draws.uniform("start", 0.1, 0.45) * min(1.0, seconds / 2)
    pace = draws.uniform("pace", 0.85, 1.2)
    most = int(_MOST_WORDS_A_SECOND * seconds) + 1
    words = lexicon.text(draws.stream("text"), kind, most)
    fewer = draws.uniform("words", 0.3, 1.0)
    pitch = draws.uniform("pitch", 0.93, 1.07)
    said = lay_out(words, start, pace, start + fewer * (seconds - start))
    if synthesizer == "formants":
        mouth = mouth_curves(said.segments, seconds)
        return FormantSpeaker(voice=voice, pitch=voice.pitch * pitch, utterance=said, mouth=mouth)
    draws.choice("espeak.version", (espeak.version(),))
    words = tuple(word for word, _, _ in said.words)
    said, wave, rate = espeak.speak(words, voice, pitch, start, pace, seconds)
    mouth = mouth_curves(said.segments, seconds)
    return RecordedSpeaker(
        voice=voice, pitch=0.0, utterance=said, mouth=mouth, wave=wave, rate=rate, start=start
    )
