"""espeak-ng as a voice, where it is installed (`pip install v2a-jax[speech]`), through its C API.

Its events state the sample at which each word and phoneme begins. It is called, never shipped: it
stands under the GPL. Other versions of it give other sound, so a clip records which one spoke.
"""

import ctypes
import functools
import threading

import numpy as np

from data_pipelines.world.speech.phones import PHONES, Mouth, Phone
from data_pipelines.world.speech.utterance import Segment, Utterance
from data_pipelines.world.speech.voices import Voice
from v2a_jax.errors import UserError

_SYNCHRONOUS, _UTF8 = 2, 1
_OPTIONS = 1 | 2 | 0x8000  # phoneme events, in IPA, and no exit on errors
_END, _WORD, _PHONEME = 0, 1, 7
_RATE, _PITCH = 1, 3  # parameters
_STRESS = "ˈˌ"
_PACE = 150  # words a minute at pace 1
_LOCK = threading.Lock()


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@functools.cache
def _library() -> tuple[ctypes.CDLL, int]:
    """The library, made ready, and its sample rate; UserError where it is not installed."""
    try:
        import espeakng_loader

        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
    except (ImportError, OSError) as error:
        raise UserError(
            f"world: espeak-ng is not installed ({error}); pip install v2a-jax[speech]"
        ) from error
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _OPTIONS)
    if rate <= 0:
        raise UserError(f"world: espeak-ng does not start with its data at {data.decode()}")
    library.espeak_Info.restype = ctypes.c_char_p
    return library, rate


def version() -> str:
    """Of the library, as in 1.52.0."""
    return _library()[0].espeak_Info(None).decode().split()[0]


@functools.lru_cache(maxsize=256)
def speak(
    words: tuple[str, ...], voice: Voice, pitch: float, start: float, pace: float, seconds: float
) -> tuple[Utterance, np.ndarray, int]:
    """As many of `words` as end before `seconds`, from `start` on; float32 samples and their rate.

    `pitch` is over the voice's own.
    """
    with _LOCK:  # the library has one state
        for count in range(len(words), 0, -1):
            wave, rate, events = _synthesise(" ".join(words[:count]), voice, pitch, pace)
            if start + len(wave) / rate <= seconds or count == 1:
                return _utterance(words[:count], events, rate, start, seconds), wave, rate
    raise UserError("world: espeak-ng was given nothing to say")


def _synthesise(
    text: str, voice: Voice, pitch: float, pace: float
) -> tuple[np.ndarray, int, list[tuple[int, int, str]]]:
    """Samples, their rate, and (type, sample, phoneme) of each event."""
    library, rate = _library()
    pieces: list[np.ndarray] = []
    events: list[tuple[int, int, str]] = []

    def heard(wave: ctypes.Array, count: int, event: ctypes.Array) -> int:
        if wave and count:
            pieces.append(np.ctypeslib.as_array(wave, (count,)).astype(np.float32))
        index = 0
        while event[index].type != _END:
            sign = ctypes.string_at(ctypes.addressof(event[index].id), 8).split(b"\0")[0]
            kind = event[index].type
            name = sign.decode(errors="replace") if kind == _PHONEME else ""
            events.append((kind, event[index].sample, name))
            index += 1
        return 0

    callback = _CALLBACK(heard)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(voice.espeak.encode())
    library.espeak_SetParameter(_RATE, round(_PACE * pace), 0)
    library.espeak_SetParameter(_PITCH, round(50 * pitch), 0)
    data = text.encode()
    failed = library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
    if failed or not pieces:
        raise UserError(f"world: espeak-ng does not say '{text}' ({failed})")
    return np.concatenate(pieces) / 32768, rate, events


def _utterance(
    words: tuple[str, ...],
    events: list[tuple[int, int, str]],
    rate: int,
    start: float,
    seconds: float,
) -> Utterance:
    signs = [
        (start + s / rate, name.strip(_STRESS)) for kind, s, name in events if kind == _PHONEME
    ]
    ends = [time for time, _ in signs[1:]] + [signs[-1][0] + 0.05]
    segments = [
        Segment(phone=_phone(sign), start=time, end=min(end, seconds))
        for (time, sign), end in zip(signs, ends, strict=True)
        if sign and time < seconds
    ]
    begins = [start + s / rate for kind, s, _ in events if kind == _WORD][: len(words)]
    limits = [*begins[1:], segments[-1].end]
    return Utterance(
        words=tuple(
            (word, begin, min(limit, seconds))
            for word, begin, limit in zip(words, begins, limits, strict=False)
        ),
        segments=tuple(segments),
    )


def _phone(sign: str) -> Phone:
    """What is known of an IPA sign: its mouth."""
    known = {phone.ipa: phone for phone in PHONES.values()}
    near = known.get(sign) or known.get(sign.rstrip("ː")) or known.get(sign[:1])
    mouth = near.mouth if near else Mouth(aperture=0.4)
    return Phone(ipa=sign, seconds=0.0, formants=(0.0, 0.0, 0.0), mouth=mouth)
