"""What one clip is on disk: a JSON header, then the raw buffers of its audio and video.

Layout, little endian: `V2AC`, uint32 length of the header, header (UTF-8 JSON), audio, video.
Buffers stay raw so that decoding is a view of the bytes; shards do the compressing (`records`).
"""

import dataclasses
import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.types import Event

SCHEMA_VERSION = 2
READABLE = (1, 2)  # 1 has no curves, marks and phonemes
_MAGIC = b"V2AC"
_LENGTH = struct.Struct("<I")
_BUFFERS = {"audio": ("<f4", 2), "video": ("|u1", 4)}  # name: dtype and rank, in stored order


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ClipRecord:
    """One clip with all that is known about its sound; a missing modality is None or empty.

    video       uint8[F,H,W,3] at `fps`; frame k shows time k / fps
    audio       float32[N,C] at `sample_rate`; sample n is time n / sample_rate
    captions    wordings by name: full, short, sound_only, and any extra
    negatives   prompts that name only sounds the clip does not have
    words       (word, start, end) of the transcript, in seconds
    labels      classes that sound
    meta        JSON values: where the clip comes from and how it was made
    curves      what changes all the time: values by name at k / hz seconds, as (hz, values)
    marks       moments by name, in seconds
    phonemes    (IPA, start, end) of what is said, in seconds
    """

    video: np.ndarray | None
    fps: float
    audio: np.ndarray | None
    sample_rate: int
    caption: str
    captions: Mapping[str, str]
    negatives: tuple[str, ...]
    transcript: str
    words: tuple[tuple[str, float, float], ...]
    labels: tuple[str, ...]
    events: tuple[Event, ...]
    meta: Mapping[str, Any]
    provenance: str
    curves: Mapping[str, tuple[float, tuple[float, ...]]] = dataclasses.field(default_factory=dict)
    marks: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    phonemes: tuple[tuple[str, float, float], ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClipRecord) and encode(self) == encode(other)

    __hash__ = None


def annotations(record: ClipRecord) -> dict[str, Any]:
    """Everything but audio and video, as JSON values."""
    fields = (field.name for field in dataclasses.fields(ClipRecord) if field.name not in _BUFFERS)
    values = {name: getattr(record, name) for name in fields}
    return values | {"events": [dataclasses.asdict(event) for event in record.events]}


def from_annotations(
    values: Mapping[str, Any], *, audio: np.ndarray | None, video: np.ndarray | None
) -> ClipRecord:
    """The inverse of `annotations`, also after a trip through JSON."""
    return ClipRecord(
        **{
            **values,
            "negatives": tuple(values["negatives"]),
            "words": _spans(values["words"]),
            "labels": tuple(values["labels"]),
            "events": tuple(Event(**event) for event in values["events"]),
            "curves": {
                name: (hz, tuple(levels)) for name, (hz, levels) in values.get("curves", {}).items()
            },
            "marks": {name: tuple(times) for name, times in values.get("marks", {}).items()},
            "phonemes": _spans(values.get("phonemes", ())),
        },
        audio=audio,
        video=video,
    )


def _spans(values: Iterable[Sequence[Any]]) -> tuple[tuple[str, float, float], ...]:
    return tuple((what, start, end) for what, start, end in values)


def encode(record: ClipRecord) -> bytes:
    """Bytes of a record; UserError when a buffer has another dtype or rank than documented."""
    shapes, buffers = {}, []
    for name, (dtype, rank) in _BUFFERS.items():
        array = getattr(record, name)
        if array is None:
            continue
        if array.dtype != np.dtype(dtype) or array.ndim != rank:
            raise UserError(f"record {record.provenance}: {name} is {array.dtype}{array.shape}")
        shapes[name] = array.shape
        buffers.append(np.ascontiguousarray(array).data)
    contents = {"version": SCHEMA_VERSION, "shapes": shapes, "record": annotations(record)}
    header = json.dumps(contents, ensure_ascii=False, sort_keys=True).encode()
    return b"".join([_MAGIC, _LENGTH.pack(len(header)), header, *buffers])


def decode(data: bytes) -> ClipRecord:
    """The record in `data`, its arrays read-only views of it; UserError when it is damaged."""
    start = len(_MAGIC) + _LENGTH.size
    if data[: len(_MAGIC)] != _MAGIC or len(data) < start:
        raise UserError("not a clip record: its first bytes are wrong")
    end = start + _LENGTH.unpack_from(data, len(_MAGIC))[0]
    try:
        header = json.loads(data[start:end])
        version, shapes = header["version"], header["shapes"]
        if version not in READABLE:
            raise UserError(f"clip record of schema version {version}; this is {SCHEMA_VERSION}")
        arrays = _views(data, end, shapes)
        return from_annotations(header["record"], **arrays)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"damaged clip record: {error}") from error


def _views(data: bytes, offset: int, shapes: Mapping[str, Any]) -> dict[str, np.ndarray | None]:
    arrays: dict[str, np.ndarray | None] = dict.fromkeys(_BUFFERS)
    for name, (dtype, rank) in _BUFFERS.items():
        if name not in shapes:
            continue
        shape = tuple(shapes[name])
        if len(shape) != rank or min(shape) < 0:
            raise ValueError(f"{name} has shape {shape}")
        array = np.frombuffer(data, dtype, math.prod(shape), offset)
        arrays[name] = array.reshape(shape)
        offset += array.nbytes
    if offset != len(data):
        raise ValueError(f"{len(data)} bytes where {offset} are expected")
    return arrays
