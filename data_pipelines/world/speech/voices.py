"""Who speaks: a voice, and the looks by which it can be told beforehand."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Voice:
    """A speaker.

    person    how captions call them
    pitch     mean pitch, Hz
    scale     formants over those of a man: the shorter the throat, the higher
    espeak    voice of espeak-ng that comes near
    skin, hair, lips, shirt   RGB
    long      long hair
    beard     a beard
    """

    person: str
    pitch: float
    scale: float
    espeak: str
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    lips: tuple[int, int, int]
    shirt: tuple[int, int, int]
    long: bool = False
    beard: bool = False


VOICES = {
    "brown": Voice(
        person="man",
        pitch=112,
        scale=1.0,
        espeak="en",
        skin=(236, 196, 164),
        hair=(92, 58, 32),
        lips=(190, 104, 96),
        shirt=(60, 88, 150),
    ),
    "bearded": Voice(
        person="man",
        pitch=88,
        scale=0.94,
        espeak="en+m3",
        skin=(184, 134, 98),
        hair=(92, 84, 80),
        lips=(198, 108, 98),
        shirt=(96, 112, 70),
        beard=True,
    ),
    "blonde": Voice(
        person="woman",
        pitch=210,
        scale=1.17,
        espeak="en+f2",
        skin=(246, 212, 186),
        hair=(236, 200, 96),
        lips=(214, 62, 84),
        shirt=(150, 64, 110),
        long=True,
    ),
    "grey": Voice(
        person="woman",
        pitch=172,
        scale=1.1,
        espeak="en+f4",
        skin=(226, 180, 150),
        hair=(176, 176, 184),
        lips=(186, 74, 84),
        shirt=(70, 120, 124),
        long=True,
    ),
}
HELD_OUT = {
    "red": Voice(
        person="child",
        pitch=280,
        scale=1.28,
        espeak="en+f5",
        skin=(250, 220, 200),
        hair=(206, 84, 34),
        lips=(220, 104, 100),
        shirt=(220, 160, 50),
    ),
}
