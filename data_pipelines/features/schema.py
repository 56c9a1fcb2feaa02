"""What one encoded clip is on disk: a JSON header, then the raw buffers of its arrays.

Layout, little endian: `V2AF`, uint32 length of the header, header (UTF-8 JSON), arrays in the
header's order. The floats are noise to a compressor, so shards leave them as they are.
"""

import dataclasses
import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from v2a_jax.errors import UserError

VERSION = 1
WRITER_OPTIONS = "group_size:1,uncompressed"
FLOATS = {"bfloat16": np.dtype(ml_dtypes.bfloat16), "float32": np.dtype("<f4")}
_TYPES = FLOATS | {"int32": np.dtype("<i4")}
_MAGIC = b"V2AF"
_LENGTH = struct.Struct("<I")
_SAID = ("caption", "captions", "provenance", "meta")  # in the header as they are


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EncodedClip:
    """One clip, exactly one window long, after the frozen parts; floats are all of one type.

    latents           [T,D] normalised latents of its sound; None when it has none
    sync, semantic    [F,D], [S,D] tokens of its picture; None when it has none
    texts             [n,D] tokens by text, for every wording; n = 0 for a text without tokens
    transcript        int32[n] bytes + 1 of what is said
    caption, captions as in a ClipRecord: the main wording, and wordings by name
    meta              JSON values: licence, asset and place of the clip
    """

    latents: np.ndarray | None
    sync: np.ndarray | None
    semantic: np.ndarray | None
    texts: Mapping[str, np.ndarray]
    transcript: np.ndarray
    caption: str
    captions: Mapping[str, str]
    provenance: str
    meta: Mapping[str, Any]

    def __post_init__(self) -> None:
        wordings = {self.caption, *self.captions.values()} - {""}
        if wordings != set(self.texts):
            raise UserError(f"clip {self.provenance}: its wordings are not those it has tokens of")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EncodedClip) and encode(self) == encode(other)

    __hash__ = None


def encode(clip: EncodedClip) -> bytes:
    """Bytes of a clip; UserError when an array is of a type that there is not."""
    arrays = {name: getattr(clip, name) for name in ("latents", "sync", "semantic", "transcript")}
    named = [(name, array) for name, array in arrays.items() if array is not None]
    named += [(f"text {text}", tokens_LD) for text, tokens_LD in clip.texts.items()]
    for name, array in named:
        if array.dtype not in _TYPES.values():
            raise UserError(f"clip {clip.provenance}: {name} is {array.dtype}")
    header = {name: getattr(clip, name) for name in _SAID} | {
        "version": VERSION,
        "arrays": [[name, str(array.dtype), array.shape] for name, array in named],
    }
    text = json.dumps(header, ensure_ascii=False, sort_keys=True).encode()
    return b"".join([_MAGIC, _LENGTH.pack(len(text)), text, *(a.tobytes() for _, a in named)])


def decode(data: bytes) -> EncodedClip:
    """The clip in `data`, its arrays read-only views of it; UserError when it is damaged."""
    start = len(_MAGIC) + _LENGTH.size
    if data[: len(_MAGIC)] != _MAGIC or len(data) < start:
        raise UserError("not an encoded clip: its first bytes are wrong")
    end = start + _LENGTH.unpack_from(data, len(_MAGIC))[0]
    try:
        header = json.loads(data[start:end])
        if header["version"] != VERSION:
            raise UserError(f"encoded clip of version {header['version']}; this is {VERSION}")
        arrays = _views(data, end, header["arrays"])
        texts = {
            name.removeprefix("text "): arrays.pop(name)
            for name in list(arrays)
            if name.startswith("text ")
        }
        absent = dict.fromkeys(("latents", "sync", "semantic"))
        said = {name: header[name] for name in _SAID}
        return EncodedClip(**(absent | arrays | said), texts=texts)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"damaged encoded clip: {error}") from error


def _views(data: bytes, offset: int, told: list[Any]) -> dict[str, np.ndarray]:
    arrays = {}
    for name, dtype, shape in told:
        if min(shape, default=0) < 0:
            raise ValueError(f"{name} has shape {shape}")
        array = np.frombuffer(data, _TYPES[dtype], math.prod(shape), offset)
        arrays[name] = array.reshape(shape)
        offset += array.nbytes
    if offset != len(data):
        raise ValueError(f"{len(data)} bytes where {offset} are expected")
    return arrays
