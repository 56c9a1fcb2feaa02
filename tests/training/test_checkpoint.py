"""Damage, mismatch and a full disk: named in one line, never trained on."""

import dataclasses
import pathlib
import resource
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_stage import TinyStage, tiny_config, tiny_mesh, train_tiny

from v2a_jax.errors import UserError
from v2a_jax.training.checkpoint import Checkpoints, checksum, flatten, restore_params
from v2a_jax.training.optimizer import make_optimizer
from v2a_jax.training.state import abstract_state, state_maker


def maker(mesh, width=8):
    config, stage = tiny_config(), TinyStage(width)
    optimizer = make_optimizer(config.optimizer, stage, 10)
    return state_maker(stage, optimizer, config.ema, 0, mesh)


def maker_shapes(mesh):
    with jax.set_mesh(mesh):
        return jax.eval_shape(maker(mesh))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with checkpoints 5 and 10."""
    workdir = tmp_path_factory.mktemp("saved")
    train_tiny(workdir, tiny_config(10, 5))
    return workdir / "checkpoints"


def payload(checkpoint):
    """The file that holds the arrays."""
    return max(checkpoint.rglob("ocdbt.process_*/d/*"), key=lambda path: path.stat().st_size)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [truncate, flip, pathlib.Path.unlink, lambda p: p.write_bytes(b"")]
)
@pytest.mark.parametrize("name", ["payload", "state/manifest.ocdbt", "state/_METADATA"])
def test_damaged_checkpoint_is_named_and_an_older_one_offered(saved, tmp_path, name, damage):
    copy = tmp_path / "checkpoints"
    shutil.copytree(saved, copy)
    damage(payload(copy / "10") if name == "payload" else copy / "10" / name)
    mesh = tiny_mesh()
    with jax.set_mesh(mesh), Checkpoints(copy, 2) as checkpoints:
        abstract = abstract_state(maker(mesh), mesh)
        with pytest.raises(UserError, match=r"/10 is damaged .*delete it to resume from step 5"):
            checkpoints.restore(abstract)
    shutil.rmtree(copy / "10")
    with jax.set_mesh(mesh), Checkpoints(copy, 2) as checkpoints:
        assert int(checkpoints.restore(abstract).step) == 5


def test_unfinished_checkpoint_is_not_taken(saved, tmp_path):
    copy = tmp_path / "checkpoints"
    shutil.copytree(saved, copy)
    (copy / "10").rename(copy / "10.orbax-checkpoint-tmp")
    with Checkpoints(copy, 2) as checkpoints:
        assert checkpoints.latest() == 5


def test_other_model_is_listed_leaf_by_leaf(saved):
    mesh = tiny_mesh()
    with jax.set_mesh(mesh), Checkpoints(saved, 2) as checkpoints:
        abstract = abstract_state(maker(mesh, width=9), mesh)
        abstract.params["extra"] = jax.ShapeDtypeStruct((2,), jnp.float32)
        del abstract.params["critic"]
        with pytest.raises(UserError) as error:
            checkpoints.restore(abstract)
    line = str(error.value)
    assert "params/extra (missing)" in line and "params/critic/kernel (left over)" in line
    changed = [name for name in flatten(maker_shapes(mesh)) if name.endswith("/kernel")]
    changed = [name for name in changed if "critic" not in name]
    assert f"({len(changed)} changed, 1 left over, 1 missing: " in line
    for name in changed:
        old, new = ("[64, 8]", "[64, 9]") if "/up/" in name else ("[8, 64]", "[9, 64]")
        assert f"{name} (float32{old} there, float32{new} here)" in line


def test_state_survives_the_round_trip_while_it_is_donated(tmp_path):
    mesh = tiny_mesh()
    make = maker(mesh)
    ruin = jax.jit(lambda tree: jax.tree.map(lambda x: x + 1, tree), donate_argnums=0)
    with jax.set_mesh(mesh), Checkpoints(tmp_path, 2) as checkpoints:
        state = jax.jit(make)()
        before = jax.device_get(flatten(state))
        checkpoints.save(state)
        jax.block_until_ready(ruin(ruin(state)))
        checkpoints.wait()
        after = jax.device_get(flatten(checkpoints.restore(abstract_state(make, mesh))))
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_weights_of_an_unknown_average_or_folder_are_refused(saved, tmp_path):
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with pytest.raises(UserError, match="ema/0.2"):
        restore_params(saved, "0.2", place)
    with pytest.raises(UserError, match="train this stage first"):
        restore_params(tmp_path / "nothing", None, place)


def test_full_disk_is_one_clear_line_and_the_older_checkpoint_stays(tmp_path):
    """A file-size limit makes every larger write fail, as a full disk does."""
    mesh = tiny_mesh()
    make = maker(mesh)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with (
            jax.set_mesh(mesh),
            pytest.raises(UserError, match=r"cannot write a checkpoint under .*: .*File too large"),
            Checkpoints(tmp_path, 9) as checkpoints,
        ):
            state = jax.jit(make)()
            checkpoints.save(state)
            checkpoints.wait()
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, usual[1]))
            checkpoints.save(dataclasses.replace(state, step=state.step + 1))
            checkpoints.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, handler)
    with jax.set_mesh(mesh), Checkpoints(tmp_path, 9) as checkpoints:
        assert checkpoints.latest() == 0
        checkpoints.restore(abstract_state(make, mesh))


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "bfloat16", "uint8"])
def test_checksum_notices_any_single_change_and_any_swap(dtype):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(0, 2, (7, 5, 3))).astype(dtype)
    flat = np.asarray(x).reshape(-1)
    for k in rng.integers(0, flat.size, 5):
        changed = flat.copy()
        changed[k] = 1 - changed[k]
        assert checksum(jnp.asarray(changed).reshape(x.shape)) != checksum(x)
    first, last = np.flatnonzero(flat == flat[0])[0], np.flatnonzero(flat != flat[0])[0]
    swapped = flat.copy()
    swapped[[first, last]] = flat[[last, first]]
    assert checksum(jnp.asarray(swapped).reshape(x.shape)) != checksum(x)
