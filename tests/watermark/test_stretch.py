import math

import av
import numpy as np
import pytest
import soxr

from v2a_jax.watermark import stretch
from v2a_jax.watermark.detect import detect

RATE = 16000


def _filtered(wave, **filters):
    """Through FFmpeg's filters, which change tempo without pitch."""
    graph = av.filter.Graph()
    nodes = [graph.add_abuffer(sample_rate=RATE, format="fltp", layout="mono")]
    nodes += [graph.add(name, options) for name, options in filters.items()]
    graph.link_nodes(*nodes, graph.add("abuffersink")).configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave.T), "fltp", "mono")
    frame.sample_rate = RATE
    graph.push(frame)
    graph.push(None)
    parts = []
    while True:
        try:
            parts.append(graph.pull().to_ndarray())
        except (av.EOFError, av.BlockingIOError):
            return np.concatenate(parts, axis=1).T


@pytest.mark.parametrize("factor", [0.8, 0.95, 1.03, 1.25])
def test_tape_speed(factor, impacts, mark, key):
    played = soxr.resample(mark(impacts(1, 5)), RATE * factor, RATE)
    found = detect(played, key, sample_rate=RATE)
    assert found.payload == 0x1234
    segment = found.segments[0]
    assert segment.tempo == pytest.approx(factor, rel=0.002)
    assert segment.pitch == pytest.approx(factor, rel=0.01)
    assert found.segments[-1].end == pytest.approx(5 / factor, abs=0.3)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_tempo_alone(factor, impacts, mark, key):
    found = detect(_filtered(mark(impacts(2, 5)), atempo=str(factor)), key, sample_rate=RATE)
    assert found.payload == 0x1234
    assert found.segments[0].tempo == pytest.approx(factor, rel=0.004)
    assert found.segments[0].pitch == 1


@pytest.mark.parametrize("semitones", [-2, 1])
def test_pitch_alone(semitones, impacts, mark, key):
    factor = 2 ** (semitones / 12)
    higher = soxr.resample(mark(impacts(4, 5)), RATE * factor, RATE)
    found = detect(_filtered(higher, atempo=str(1 / factor)), key, sample_rate=RATE)
    assert found.payload == 0x1234
    assert found.segments[0].pitch == pytest.approx(factor, rel=0.01)
    assert found.segments[0].tempo == pytest.approx(1, rel=0.004)


def test_the_grid_covers_what_is_promised_in_steps_that_cannot_miss():
    strata = stretch.strata()
    tempos = [point.tempo for point in strata["tempo"]]
    assert min(tempos) <= 0.8 and max(tempos) >= 1.25
    assert stretch.IDENTITY not in [point for points in strata.values() for point in points]
    for points in strata.values():
        assert len(set(points)) == len(points)
    for point in strata["tape"]:
        assert abs(math.log(point.tempo / point.pitch)) <= stretch.PITCH_STEP / 2 + 1e-9


def test_refined_points_of_neighbours_are_distinct_and_counted():
    for kind, points in stretch.strata().items():
        fine = [round(math.log(one.tempo), 9) for point in points for one in stretch.refined(point)]
        pairs = {(tempo, i // stretch.FINE_TEMPOS) for i, tempo in enumerate(fine)}
        assert len(pairs) * stretch.FINE_STARTS == stretch.fine_size(kind)
        assert all(point in stretch.refined(point) for point in points)
