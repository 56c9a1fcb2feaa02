"""Names of TPU slices: those that there are, and what is wrong with the others."""

import pathlib
import subprocess
import sys

import pytest

from v2a_jax.errors import UserError
from v2a_jax.planning.topology import CHIPS, HOSTS, Topology, slice_shape

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "slices", "chips", "shown"),
    [
        ("v5e:4x4", 1, 16, "v5e:4x4"),
        ("v5p:8x8x8", 1, 512, "v5p:8x8x8"),
        ("v6e:16x16", 2, 512, "2 x v6e:16x16"),
        ("v5e:1x1", 1, 1, "v5e:1x1"),
    ],
)
def test_a_name_gives_its_chips(name, slices, chips, shown):
    topology = Topology.parse(name, slices)
    assert (topology.chips, topology.device_count, topology.name) == (chips, chips, shown)


def test_a_chip_of_two_devices_is_counted_as_both():
    topology = Topology.parse("tpu7x:2x2x1")
    assert (topology.chips, topology.device_count) == (4, 8)


@pytest.mark.parametrize(
    ("name", "slices", "wrong"),
    [
        ("v5e", 1, "is not KIND:SHAPE"),
        ("v5e:4x", 1, "is not KIND:SHAPE"),
        ("", 1, "is not KIND:SHAPE"),
        ("v9z:4x4", 1, "kind 'v9z' is not one of: v4, v5e, v5p"),
        ("v5p:8x8", 1, "a slice of v5p has 3 sizes"),
        ("v5e:4x4x4", 1, "a slice of v5e has 2 sizes"),
        ("v5e:3x4", 1, "multiples of 2x2"),
        ("v6e:0x4", 1, "multiples of 2x2"),
        ("v5p:2x3x1", 1, "multiples of 2x2x1"),
        ("v4:4x4x4", 1, "plans are made for v5e, v5p, v6e"),
        ("v5e:4x4", 0, "--slices=0 must be at least 1"),
    ],
)
def test_a_wrong_name_is_one_clear_line(name, slices, wrong):
    with pytest.raises(UserError, match=wrong):
        Topology.parse(name, slices)


def test_without_libtpu_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'v2a-jax\[plan\]'"):
        Topology.parse("v5e:4x4").devices()


@pytest.mark.parametrize("kind", HOSTS)
def test_whole_hosts_make_a_slice_and_half_a_host_none(kind):
    host = HOSTS[kind]
    assert slice_shape(f"{kind}:{'x'.join(str(2 * size) for size in host)}")[0] == kind
    with pytest.raises(UserError, match="multiples of"):
        slice_shape(f"{kind}:{'x'.join(['3', *map(str, host[1:])])}")
    assert kind not in CHIPS or CHIPS[kind].dimensions == len(host)


def test_slices_are_named_without_jax():
    """A launcher's machine need not have it."""
    code = (
        "import sys; sys.modules['jax'] = None;"
        "from v2a_jax.planning.topology import Topology, slice_shape;"
        "assert slice_shape('v4:2x2x4') == ('v4', (2, 2, 4));"
        "assert Topology.parse('v5p:4x4x4', 2).chips == 128"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
