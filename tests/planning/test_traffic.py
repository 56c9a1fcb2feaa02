"""What is read from the text of compiled programs, against programs whose traffic is known."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from v2a_jax.planning.hlo import array_bytes, parse
from v2a_jax.planning.traffic import collectives, group_size, memory_traffic

HERE = pathlib.Path(__file__).parent


def test_collectives_of_a_compiled_program_are_those_it_was_written_with():
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": str(HERE.parents[1]),
    }
    script = [sys.executable, str(HERE / "known_collectives.py")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {kind: rest for kind, *rest in json.loads(done.stdout)}
    block = 4 * 32 * 4  # bytes of one device's part
    assert found == {
        "all-reduce": ["ici", 5, 5 * block, 5 * block * 2 * 3 / 4],
        "all-gather": ["ici", 1, 2 * block, 2 * block / 2],
        "reduce-scatter": ["ici", 1, block, block * 3 / 4],
        "all-to-all": ["ici", 1, block, block * 3 / 4],
        "collective-permute": ["ici", 1, block, block],
    }


def test_bytes_of_shapes():
    assert array_bytes("(f32[2,3]{1,0}, bf16[4]{0:T(8)(2,1)S(1)}, /*index=2*/pred[])") == [24, 8, 1]
    assert array_bytes("(f32[2]{0}, bf16[4]{0:T(8)(2,1)S(1)})", hbm_only=True) == [8, 0]
    assert array_bytes("c64[5]") == [40]
    assert array_bytes("token[]") == [0]


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ("replica_groups={{0,2,4,6},{1,3,5,7}}, dimensions={1}", 4),
        ("replica_groups=[2,8]<=[16]", 8),
        ("replica_groups=[4,4]<=[2,8]T(1,0), use_global_device_ids=true", 4),
        ("replica_groups=mesh['axis_0'=4,'axis_1'=2] {'axis_1'}, to_apply=%add", 2),
        ("replica_groups=mesh['axis_0'=4,'axis_1'=2] {'axis_0','axis_1'}, to_apply=%add", 8),
        ('_xla_megascale_target="{1,2,3}x{0:7}"', 3),
    ],
)
def test_a_group_is_as_large_as_it_says(attributes, size):
    assert group_size(attributes) == size


# As libtpu writes them: a collective in pieces, a loop, and a transfer to another slice.
TPU = """HloModule jit_step, is_scheduled=true

%piece.1 (param_0: bf16[8]) -> bf16[32] {
  %a = bf16[8]{0:T(128)} parameter(0)
  ROOT %all-gather.1 = bf16[32]{0:T(128)} all-gather(%a), channel_id=7, replica_groups={{0,1,2,3}}
}

%piece.2 (param_0.1: bf16[8]) -> bf16[32] {
  %b = bf16[8]{0:T(128)} parameter(0)
  ROOT %all-gather.2 = bf16[32]{0:T(128)} all-gather(%b), channel_id=7, replica_groups={{0,1,2,3}}
}

%body (loop: (s32[], bf16[8], bf16[32])) -> (s32[], bf16[8], bf16[32]) {
  %loop = (s32[], bf16[8]{0}, bf16[32]{0}) parameter(0)
  %part = bf16[8]{0} get-tuple-element(%loop), index=1
  %begin = bf16[32]{0} fusion(%part), kind=kCustom, calls=%piece.1
  %end = bf16[32]{0} fusion(%part), kind=kCustom, calls=%piece.2
  ROOT %tuple = (s32[], bf16[8]{0}, bf16[32]{0}) tuple(%part, %part, %end)
}

%condition (loop.1: (s32[], bf16[8], bf16[32])) -> pred[] {
  ROOT %loop.1 = (s32[], bf16[8]{0}, bf16[32]{0}) parameter(0)
}

ENTRY %main (x: bf16[8]) -> bf16[8] {
  %x = bf16[8]{0} parameter(0)
  %after-all = token[] after-all()
  %send = (f32[128]{0:T(128)}, u32[], token[]) send(%x, %after-all), SENT
  %while = (s32[], bf16[8]{0}, bf16[32]{0}) while(%x), condition=%condition, body=%body, TRIPS
  ROOT %out = bf16[8]{0} get-tuple-element(%while), index=1
}
"""
TRIPS = 'backend_config={"known_trip_count":{"n":"12"}}'
SENT = (
    "channel_id=3, is_host_transfer=true, frontend_attributes={"
    '_xla_megascale_target="{1,2}x{0:7}",_xla_megascale_transfer_type="ALL_REDUCE"}'
)


def test_a_collective_in_pieces_is_one_and_runs_with_its_loop():
    gathered, reduced = collectives(parse(TPU.replace("TRIPS", TRIPS).replace("SENT", SENT)))
    assert (gathered.kind, gathered.network, gathered.count) == ("all-gather", "ici", 12)
    assert (gathered.payload, gathered.sent) == (12 * 64, 12 * 48)
    assert (reduced.kind, reduced.network, reduced.count) == ("all-reduce", "dcn", 1)
    assert (reduced.payload, reduced.sent) == (512, 512)


def test_memory_traffic_is_what_goes_in_and_out_and_a_loop_reads_slices():
    def loop(stack, x):
        return jax.lax.scan(lambda x, w: (jnp.tanh(x * w), None), x, stack)[0]

    size, turns = 1 << 16, 32
    stack = jax.ShapeDtypeStruct((turns, size), jnp.float32)
    x = jax.ShapeDtypeStruct((size,), jnp.float32)
    moved = memory_traffic(parse(jax.jit(loop).lower(stack, x).compile().as_text()))
    each = 3 * 4 * size * turns  # a weight and x are read, x is written, in every turn
    assert each <= moved < 2 * each  # and x may be copied; the whole stack would be turns as much
