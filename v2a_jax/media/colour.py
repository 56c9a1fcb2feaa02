"""From the colours of HDR and of wide gamuts to those of ordinary video (BT.709).

    code values --EOTF--> light in cd/m^2 --EETF--> light up to WHITE --matrix--> BT.709 --> V

EOTF: PQ (SMPTE ST 2084), HLG with its display gamma of 1.2 at PEAK (BT.2100), or the power 2.4 of
ordinary video (BT.1886). EETF: the knee of BT.2390, section 5.4, applied to the largest of R, G and
B, of which the others keep their share: hues stay. WHITE is the HDR reference white of BT.2408,
which becomes the white of ordinary video. The inverse of BT.1886 gives V = L^(1/2.4).
"""

import functools

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc

PEAK = 1000.0  # cd/m^2 of the brightest light; what files say of it is often wrong
WHITE = 203.0  # cd/m^2
GAMMA = 2.4
CODES = 1 << 16
# Light of BT.2020 as light of BT.709 (BT.2087).
TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # of BT.2020


def is_ordinary(frame: VideoFrame) -> bool:
    """Whether the frame's colours need no conversion, or say nothing of themselves."""
    return frame.color_primaries != ColorPrimaries.BT2020 and not _is_hdr(frame)


def to_ordinary(picture_HWC: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """The frame's code values uint16[H,W,3], as R, G and B, in ordinary colours: uint8[H,W,3]."""
    if _is_hdr(frame):
        light_HWC = _light(frame.color_trc)[picture_HWC]
        if frame.color_trc == ColorTrc.ARIB_STD_B67:
            light_HWC *= (PEAK * (light_HWC @ LUMINANCE) ** 0.2)[..., None]
        brightest_HW = light_HWC.max(axis=2)
        light_HWC *= np.interp(brightest_HW, *_knee()).astype(np.float32)[..., None]
    else:
        light_HWC = _power()[picture_HWC]
    levels = np.clip(light_HWC @ TO_BT709.T, 0, 1) * (CODES - 1)
    return _encoded()[levels.astype(np.uint16)]


def _is_hdr(frame: VideoFrame) -> bool:
    return frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)


def pq_light(code: np.ndarray) -> np.ndarray:
    """PQ: code values in [0, 1] to light in cd/m^2."""
    power = np.asarray(code, np.float64) ** (1 / 78.84375)
    base = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return 10000 * base ** (1 / 0.1593017578125)


def pq_code(light: np.ndarray) -> np.ndarray:
    """The inverse of `pq_light`."""
    power = (np.asarray(light, np.float64) / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_light(code: np.ndarray) -> np.ndarray:
    """HLG: code values in [0, 1] to the scene's light in [0, 1]."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    code = np.asarray(code, np.float64)
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


def tone_mapped(light: np.ndarray) -> np.ndarray:
    """The EETF: light in cd/m^2, up to PEAK, to light of which WHITE is 1."""
    top, code = pq_code(PEAK), pq_code(np.minimum(light, PEAK))
    e, most = code / top, pq_code(WHITE) / top
    knee = 1.5 * most - 0.5
    t = np.maximum(e - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * most
    )
    return pq_light(np.where(e < knee, e, spline) * top) / WHITE


@functools.cache
def _light(transfer: int) -> np.ndarray:
    code = np.arange(CODES) / (CODES - 1)
    light = pq_light(code) if transfer == ColorTrc.SMPTE2084 else hlg_light(code)
    return light.astype(np.float32)


@functools.cache
def _power() -> np.ndarray:
    return ((np.arange(CODES) / (CODES - 1)) ** GAMMA).astype(np.float32)


@functools.cache
def _encoded() -> np.ndarray:
    level = np.arange(CODES) / (CODES - 1)
    return np.round(255 * level ** (1 / GAMMA)).astype(np.uint8)


@functools.cache
def _knee() -> tuple[np.ndarray, np.ndarray]:
    """Points of the factor by which light is multiplied."""
    light = pq_light(np.linspace(0.001, 1, 1024))
    return light, tone_mapped(light) / light
