"""Pictures of every kind of coding show the colours that were put in."""

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc, VideoReformatter

from v2a_jax.media.colour import hlg_light, pq_code, pq_light, tone_mapped
from v2a_jax.media.picture import geometry, render

WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
COLOURS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0.5), (1, 1, 1), (0.2, 0.6, 0.3)]


def painted(rgb, matrix, *, full=False, bits=8, size=(64, 64), transfer=2, primaries=2):
    """A frame of one colour, given by code values of R, G and B in [0, 1]."""
    (red, blue), (r, g, b), scale = WEIGHTS[matrix], rgb, 1 << (bits - 8)
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red))
    most = (1 << bits) - 1
    if full:
        values = [y * most, u * most + 128 * scale, v * most + 128 * scale]
    else:
        values = [(16 + 219 * y) * scale, (128 + 224 * u) * scale, (128 + 224 * v) * scale]
    frame = av.VideoFrame(*size, "yuv420p" if bits == 8 else "yuv420p10le")
    for plane, value in zip(frame.planes, values, strict=True):
        dtype = np.dtype(np.uint8 if bits == 8 else "<u2")
        count = plane.buffer_size // dtype.itemsize
        plane.update(np.full(count, round(np.clip(value, 0, most)), dtype).tobytes())
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    frame.color_trc, frame.color_primaries = transfer, primaries
    return frame


def shown(frame):
    """The colour in the middle of the picture, as R, G and B in [0, 255]."""
    shape = geometry(frame, None, size=32, max_pixels=1 << 30, path="test")
    return render(frame, shape, scaler=VideoReformatter(), path="test")[16, 16].astype(int)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_each_matrix_and_range_is_taken_as_told(matrix, full, bits):
    for colour in COLOURS:
        found = shown(painted(colour, matrix, full=full, bits=bits))
        np.testing.assert_allclose(found, np.asarray(colour) * 255, atol=3)


@pytest.mark.parametrize(("size", "matrix"), [((640, 480), 5), ((1280, 720), 1), ((720, 1280), 1)])
def test_what_tells_nothing_is_taken_by_its_size(size, matrix):
    frame = painted((0.2, 0.6, 0.3), matrix, size=size)
    frame.colorspace = 2
    np.testing.assert_allclose(shown(frame), [51, 153, 76], atol=3)


def hdr(light, transfer=ColorTrc.SMPTE2084):
    code = pq_code(np.asarray(light, float)) if transfer == ColorTrc.SMPTE2084 else light
    primaries = ColorPrimaries.BT2020
    return shown(painted(code, 9, bits=10, transfer=transfer, primaries=primaries))


def test_pq_is_that_of_its_standard():
    np.testing.assert_allclose(
        pq_code(np.array([0, 100, 1000, 10000])), [0, 0.508, 0.752, 1], atol=1e-3
    )
    np.testing.assert_allclose(pq_light(pq_code(np.array([0.01, 7, 4000]))), [0.01, 7, 4000])
    np.testing.assert_allclose(hlg_light(np.array([0, 0.5, 1])), [0, 1 / 12, 1], atol=1e-6)


def test_tones_keep_their_order_and_their_darks():
    light = np.geomspace(0.01, 10000, 500)
    mapped = tone_mapped(light)
    assert (np.diff(mapped[light < 1000]) > 0).all()
    assert mapped.max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(mapped[light < 80], light[light < 80] / 203, rtol=1e-6)


def test_greys_stay_grey_and_white_is_bright():
    levels = [hdr([light] * 3) for light in (0, 1, 50, 203, 1000, 10000)]
    assert np.ptp(levels, axis=1).max() <= 2
    assert [level[1] for level in levels][:1] == [0]
    assert 215 < levels[3][1] < 245
    assert levels[4][1] == levels[5][1] == 255
    assert np.ptp(hdr([0.75] * 3, ColorTrc.ARIB_STD_B67)) <= 2
    assert 215 < hdr([0.75] * 3, ColorTrc.ARIB_STD_B67)[1] < 245  # HLG's own reference white


def test_a_bt709_colour_in_an_hdr_video_keeps_its_hue():
    # An orange of BT.709, as light of BT.2020 (BT.2087).
    to_2020 = [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
    orange = np.array([1.0, 0.3, 0.05])
    found = hdr(to_2020 @ orange * 50) / 255
    light = found**2.4
    np.testing.assert_allclose(light / light[0], orange, atol=0.02)
    np.testing.assert_allclose(light[0], 50 / 203, rtol=0.06)


def test_ordinary_video_is_not_mapped():
    frame = painted((0.2, 0.6, 0.3), 9, bits=10, transfer=ColorTrc.BT709)
    np.testing.assert_allclose(shown(frame), [51, 153, 76], atol=3)
