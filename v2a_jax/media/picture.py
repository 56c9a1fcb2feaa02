"""From a decoded frame to the picture as it is shown: square pixels, upright, scaled, cropped.

A display matrix (a b u, c d v, x y w) takes a stored point (p, q) to (a p + c q, b p + d q): of it
the nearest of the eight turns and mirrorings is applied.
"""

import dataclasses
import os
from fractions import Fraction

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from v2a_jax.errors import UserError
from v2a_jax.media.colour import is_ordinary, to_ordinary

MAX_ASPECT = 10  # of a pixel; beyond it the file's aspect ratio is taken for nonsense
UNKNOWN_MATRIX = 2  # of ISO/IEC 23091-2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Geometry:
    """How a stored frame becomes a shown one: scale, then transpose, then mirror, then crop.

    `scaled` is (width, height) in the stored orientation; `shown` is (width, height) at the end.
    """

    scaled: tuple[int, int]
    transpose: bool
    mirror_x: bool
    mirror_y: bool
    shown: tuple[int, int]


def geometry(
    frame: VideoFrame,
    aspect: Fraction | None,
    *,
    size: int | None,
    max_pixels: int,
    path: str | os.PathLike,
) -> Geometry:
    """The geometry of a stream from its first frame and its sample aspect ratio.

    With `size` the shorter side is scaled to it and the centre of the longer one is kept; without
    it the picture keeps its own size. UserError when a picture is over `max_pixels`.
    """
    transpose, mirror_x, mirror_y = _turn(frame)
    scaled = _square_pixels(frame.width, frame.height, aspect)
    if size is not None:
        scale = Fraction(size, min(scaled))
        scaled = tuple(max(size, round(side * scale)) for side in scaled)
    pixels = max(frame.width * frame.height, scaled[0] * scaled[1])
    if pixels > max_pixels:
        raise UserError(f"{path}: a picture of {pixels} pixels is over the limit of {max_pixels}")
    shown = scaled[::-1] if transpose else scaled
    return Geometry(
        scaled=scaled,
        transpose=transpose,
        mirror_x=mirror_x,
        mirror_y=mirror_y,
        shown=shown if size is None else (size, size),
    )


def _square_pixels(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """The size with square pixels: a side is only ever stretched, so that no detail is lost."""
    if not aspect or not Fraction(1, MAX_ASPECT) <= aspect <= MAX_ASPECT:
        return width, height
    if aspect > 1:
        return round(width * aspect), height
    return width, round(height / aspect)


def _turn(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """(transpose, mirror x, mirror y) of the frame's display matrix."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return False, False, False
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).tolist()
    if abs(b) > abs(a):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def render(
    frame: VideoFrame, shape: Geometry, *, scaler: VideoReformatter, path: str | os.PathLike
) -> np.ndarray:
    """The frame as shown: uint8[H,W,3]; UserError when its pixels are of an unknown kind.

    One `scaler` serves all frames of a video: preparing it costs more than a small picture does.
    """
    if is_ordinary(frame):
        picture_HWC = _scaled(frame, shape, "rgb24", scaler, path)
    else:
        picture_HWC = to_ordinary(_scaled(frame, shape, "rgb48le", scaler, path), frame)
    if shape.transpose:
        picture_HWC = picture_HWC.transpose(1, 0, 2)
    if shape.mirror_x:
        picture_HWC = picture_HWC[:, ::-1]
    if shape.mirror_y:
        picture_HWC = picture_HWC[::-1]
    return np.ascontiguousarray(_centre(picture_HWC, *shape.shown))


def _scaled(
    frame: VideoFrame,
    shape: Geometry,
    pixels: str,
    scaler: VideoReformatter,
    path: str | os.PathLike,
) -> np.ndarray:
    """The stored picture, scaled, as R, G and B."""
    width, height = shape.scaled
    shrinks = width * height < frame.width * frame.height
    try:
        return scaler.reformat(
            frame,
            format=pixels,
            width=width,
            height=height,
            src_colorspace=_matrix(frame),
            interpolation=Interpolation.AREA if shrinks else Interpolation.BICUBIC,
            threads=1,  # where the machine is busy, or pictures are small, more cost more
        ).to_ndarray()
    except MemoryError:
        raise
    except (FFmpegError, ValueError) as error:
        raise UserError(
            f"{path}: its pictures, of format {frame.format.name}, cannot be converted"
        ) from error


def _matrix(frame: VideoFrame) -> int | None:
    """From YUV to RGB; of what does not tell, large pictures are BT.709 and small ones BT.601."""
    large = frame.width >= 1280 or frame.height > 576
    return Colorspace.ITU709 if large and frame.colorspace == UNKNOWN_MATRIX else None


def _centre(picture_HWC: np.ndarray, width: int, height: int) -> np.ndarray:
    top, left = (picture_HWC.shape[0] - height) // 2, (picture_HWC.shape[1] - width) // 2
    return picture_HWC[top : top + height, left : left + width]
