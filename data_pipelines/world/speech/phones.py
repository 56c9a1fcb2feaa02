"""The sounds of speech: where their formants lie, what hisses in them, how the mouth looks.

Formants of a man's vowels after Peterson and Barney (1952), loci of consonants after Klatt (1980).
"""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mouth:
    """Opening 0..1; width -1 (rounded) to 1 (spread); how much of teeth and tongue shows, 0..1."""

    aperture: float
    width: float = 0.0
    teeth: float = 0.0
    tongue: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phone:
    """One sound; a diphthong goes from `formants` to `glide`.

    ipa        its sign
    seconds    how long it lasts at pace 1
    formants   F1, F2, F3 in Hz, of a man
    glide      and at its end
    voice      level of the voice, 0..1
    hiss       name of its noise, one of `HISSES`, or ''
    loud       level of the noise
    closed     seconds of silence, or of voice behind closed lips, before its noise
    mouth      what is seen
    """

    ipa: str
    seconds: float
    formants: tuple[float, float, float]
    mouth: Mouth
    glide: tuple[float, float, float] | None = None
    voice: float = 1.0
    hiss: str = ""
    loud: float = 0.0
    closed: float = 0.0


HISSES = {  # band in Hz, and gain
    "s": ((4200, 7600), 0.30),
    "sh": ((1900, 4600), 0.30),
    "f": ((1200, 7600), 0.08),
    "h": ((500, 2800), 0.12),
    "p": ((400, 1600), 0.30),
    "t": ((3000, 6500), 0.35),
    "k": ((1300, 2900), 0.35),
}


def _vowel(ipa: str, seconds: float, *formants: float, width: float = 0.0) -> Phone:
    aperture = min(1.0, max(0.2, (formants[0] - 180) / 520))
    return Phone(
        ipa=ipa,
        seconds=seconds,
        formants=formants,
        mouth=Mouth(aperture=aperture, width=width, teeth=0.3 if width > 0 else 0.1),
    )


def _glide(start: Phone, end: Phone) -> Phone:
    mouth = dataclasses.replace(start.mouth, aperture=max(start.mouth.aperture, 0.55))
    return dataclasses.replace(
        start, ipa=start.ipa + end.ipa, seconds=0.19, glide=end.formants, mouth=mouth
    )


_LABIAL, _ALVEOLAR, _VELAR = (
    (300.0, 900.0, 2300.0),
    (320.0, 1700.0, 2600.0),
    (300.0, 2000.0, 2400.0),
)
_LIPS = Mouth(aperture=0.0)
_BITE = Mouth(aperture=0.1, teeth=1.0)
_TIP = Mouth(aperture=0.22, width=0.2, teeth=0.9)
_BACK = Mouth(aperture=0.35, teeth=0.3)
_ROUND = Mouth(aperture=0.25, width=-0.8, teeth=0.4)


def _stop(ipa: str, locus: tuple[float, float, float], mouth: Mouth, hiss: str) -> Phone:
    voiced = ipa in "bdɡ"
    return Phone(
        ipa=ipa,
        seconds=0.075 if voiced else 0.1,
        formants=locus,
        mouth=mouth,
        voice=0.25 if voiced else 0.0,
        hiss=hiss,
        loud=0.5 if voiced else 1.0,
        closed=0.05,
    )


def _fricative(ipa: str, locus: tuple[float, float, float], mouth: Mouth, hiss: str) -> Phone:
    voiced = ipa in "zvðʒ"
    return Phone(
        ipa=ipa,
        seconds=0.07 if voiced else 0.1,
        formants=locus,
        mouth=mouth,
        voice=0.4 if voiced else 0.0,
        hiss=hiss,
        loud=0.5 if voiced else 1.0,
    )


def _sonorant(ipa: str, formants: tuple[float, ...], mouth: Mouth, voice: float) -> Phone:
    return Phone(ipa=ipa, seconds=0.075, formants=formants, mouth=mouth, voice=voice)


_I, _IH, _U = (
    _vowel("i", 0.14, 270, 2290, 3010, width=0.8),
    _vowel("ɪ", 0.09, 390, 1990, 2550, width=0.4),
    _vowel("ʊ", 0.1, 440, 1020, 2240, width=-0.6),
)
_EH, _A, _O = (
    _vowel("ɛ", 0.11, 530, 1840, 2480, width=0.3),
    _vowel("a", 0.13, 730, 1150, 2440),
    _vowel("ɔ", 0.14, 570, 840, 2410, width=-0.6),
)

PHONES = {
    "iy": _I,
    "ih": _IH,
    "eh": _EH,
    "ae": _vowel("æ", 0.13, 660, 1720, 2410, width=0.4),
    "ah": _vowel("ʌ", 0.11, 640, 1190, 2390),
    "ax": _vowel("ə", 0.07, 500, 1450, 2500),
    "aa": _vowel("ɑ", 0.14, 730, 1090, 2440),
    "ao": _O,
    "uh": _U,
    "uw": _vowel("u", 0.14, 300, 870, 2240, width=-1.0),
    "er": _vowel("ɝ", 0.13, 490, 1350, 1690, width=-0.3),
    "ey": _glide(dataclasses.replace(_EH, ipa="e"), _IH),
    "ay": _glide(_A, _IH),
    "ow": _glide(dataclasses.replace(_O, ipa="o"), _U),
    "aw": _glide(_A, _U),
    "w": _sonorant("w", (290, 610, 2150), Mouth(aperture=0.12, width=-1.0), 0.7),
    "y": _sonorant("j", (260, 2070, 3020), Mouth(aperture=0.25, width=0.6), 0.7),
    "r": _sonorant("ɹ", (310, 1060, 1380), Mouth(aperture=0.3, width=-0.4), 0.7),
    "l": _sonorant("l", (310, 1050, 2880), Mouth(aperture=0.4, tongue=1.0), 0.7),
    "m": _sonorant("m", (250, 1000, 2200), _LIPS, 0.45),
    "n": _sonorant("n", (250, 1700, 2600), _TIP, 0.45),
    "ng": _sonorant("ŋ", (250, 2200, 2700), _BACK, 0.45),
    "s": _fricative("s", _ALVEOLAR, _TIP, "s"),
    "z": _fricative("z", _ALVEOLAR, _TIP, "s"),
    "sh": _fricative("ʃ", (320, 1800, 2500), _ROUND, "sh"),
    "f": _fricative("f", _LABIAL, _BITE, "f"),
    "v": _fricative("v", _LABIAL, _BITE, "f"),
    "th": _fricative("θ", (320, 1400, 2600), Mouth(aperture=0.2, tongue=1.0), "f"),
    "dh": _fricative("ð", (320, 1400, 2600), Mouth(aperture=0.2, tongue=1.0), "f"),
    "hh": _fricative("h", (500, 1450, 2500), Mouth(aperture=0.4), "h"),
    "p": _stop("p", _LABIAL, _LIPS, "p"),
    "b": _stop("b", _LABIAL, _LIPS, "p"),
    "t": _stop("t", _ALVEOLAR, _TIP, "t"),
    "d": _stop("d", _ALVEOLAR, _TIP, "t"),
    "k": _stop("k", _VELAR, _BACK, "k"),
    "g": _stop("ɡ", _VELAR, _BACK, "k"),
}
