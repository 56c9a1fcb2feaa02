"""Checkpoints with Orbax: written in the background, atomically, and verified leaf by leaf.

A checkpoint is one item: a flat dict from a leaf's path to its array. Among the leaves are the data
cursor (the step) and a checksum a leaf: that of words w_i is sum_i w_i (2 i + 1) mod 2^32, whatever
the sharding; it changes whenever a single word does.
"""

import dataclasses
import pathlib
import shutil
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from orbax.checkpoint import v1 as ocp

from v2a_jax.errors import UserError
from v2a_jax.leaves import differences, listed
from v2a_jax.models.functional import flatten
from v2a_jax.training.state import TrainState
from v2a_jax.types import Array, Params

CHECKSUMS = "checksums"
UNFINISHED = "*.orbax-checkpoint-tmp"
PAUSE = 0.01  # seconds between looks at a write that is waited for


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """A checkpoint every `every` steps; the latest `keep` are kept."""

    every: int
    keep: int


@jax.jit
def checksum(x: Array) -> Array:
    """uint32[] checksum of an array of any type of 1, 2 or 4 bytes."""
    if x.dtype == jnp.bool_:
        x = x.astype(jnp.uint8)
    words = jax.lax.bitcast_convert_type(x, f"uint{8 * x.dtype.itemsize}").astype(jnp.uint32)
    place, stride = jnp.zeros(words.shape, jnp.uint32), 1
    for axis in reversed(range(words.ndim)):
        index = jax.lax.broadcasted_iota(jnp.uint32, words.shape, axis)
        place, stride = place + index * np.uint32(stride % 2**32), stride * words.shape[axis]
    return jnp.sum(words * (2 * place + 1), dtype=jnp.uint32)


class Checkpoints:
    """The checkpoints of one run, in one directory; a context manager that waits for writes."""

    def __init__(self, directory: pathlib.Path, keep: int):
        training = ocp.training
        self.directory = directory.absolute()
        _remove_unfinished(self.directory)
        self._manager = training.Checkpointer(
            self.directory,
            save_decision_policy=training.save_decision_policies.FixedIntervalPolicy(1),
            preservation_policy=training.preservation_policies.LatestN(keep),
        )
        self._writing = False
        self._failed = _failures(self._manager)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._failed.is_set():
            return  # closing would wait for the other hosts
        try:
            self._manager.close()
        except Exception as failure:
            if error is None:
                raise self._unwritten(failure) from failure

    def latest(self) -> int | None:
        """Step of the newest complete checkpoint."""
        found = self._manager.latest
        return None if found is None else found.step

    def save(self, state: TrainState) -> None:
        """Starts writing; the state may be donated at once. UserError when a write has failed.

        A step that is on disk already is left alone.
        """
        self.wait()
        step, leaves = int(state.step), flatten(state)
        if step == self.latest():
            return
        sums = jax.device_get([checksum(leaves[name]) for name in sorted(leaves)])
        try:
            item = leaves | {CHECKSUMS: np.array(sums, np.uint32)}
            self._manager.save_async(step, item, force=True)
        except Exception as error:
            raise self._unwritten(error) from error
        self._writing = True

    def check(self) -> None:
        """UserError when a write has failed in the background; waits for nothing."""
        if self._failed.is_set() or (self._writing and not self._manager.is_saving_in_progress()):
            self.wait()

    def wait(self) -> None:
        """Returns once everything is on disk; UserError when a write has failed."""
        # Whoever has failed to write must not wait for the others, who wait for this host.
        while self._writing and self._manager.is_saving_in_progress():
            if self._failed.wait(PAUSE):
                raise self._unwritten(self._failed.error) from self._failed.error
        try:
            self._manager.wait()
        except Exception as error:
            raise self._unwritten(error) from error
        self._writing = False

    def restore(self, abstract: TrainState) -> TrainState:
        """The newest checkpoint, on the shardings of `abstract`.

        Raises UserError when its leaves are not those of `abstract`, or when it is damaged.
        """
        wanted = flatten(abstract)
        stored = _stored(self._manager)
        place = self.directory / str(self.latest())
        weights = {name: leaf for name, leaf in stored.items() if name != CHECKSUMS}
        if differing := differences(weights, wanted):
            raise UserError(f"checkpoint {place} is of another model ({listed(differing)})")
        loaded = _load(self._manager, stored, wanted)
        return jax.tree.unflatten(jax.tree.structure(abstract), [loaded[name] for name in wanted])

    def _unwritten(self, error: Exception) -> UserError:
        return UserError(f"cannot write a checkpoint under {self.directory}: {_reason(error)}")


def _remove_unfinished(directory: pathlib.Path) -> None:
    """Removes what a run that was killed has left of a write, before anybody writes.

    Orbax would do so in the background, and fail where another is at it.
    """
    if jax.process_index() == 0:
        for left in directory.glob(UNFINISHED):
            shutil.rmtree(left, ignore_errors=True)


class Failure(threading.Event):
    """Set with the error that made a write fail."""

    error: Exception | None = None


def _failures(manager: ocp.training.Checkpointer) -> Failure:
    """What tells of a write that has failed on this host, while other hosts still wait for it.

    Orbax tells only once all hosts have met, which they never do then.
    """
    failure, inner = Failure(), manager._manager  # nothing public is called before hosts meet
    usual = inner._wait_for_checkpointers

    def noted() -> None:
        try:
            usual()
        except Exception as error:
            failure.error = error
            failure.set()
            raise

    inner._wait_for_checkpointers = noted
    return failure


def restore_params(
    directory: pathlib.Path, profile: str | None, sharding: jax.sharding.Sharding
) -> Params:
    """Parameters alone from a run's newest checkpoint, as a nested dict, all placed by `sharding`.

    `profile` names an average, None the raw parameters. Raises UserError when there is none.
    """
    if not directory.is_dir():
        raise UserError(f"no checkpoints in {directory}: train this stage first")
    prefix = "params/" if profile is None else f"ema/{profile}/"
    with ocp.training.Checkpointer(directory.absolute()) as manager:
        if manager.latest is None:
            raise UserError(f"no checkpoints in {directory}: train this stage first")
        stored = _stored(manager)
        wanted = {
            name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
            for name, leaf in stored.items()
            if name.startswith(prefix)
        }
        if not wanted:
            raise UserError(f"the checkpoints in {directory} have no '{prefix}' parameters")
        loaded = _load(manager, stored, wanted)
    return _nested({name.removeprefix(prefix): leaf for name, leaf in loaded.items()})


def _stored(manager: ocp.training.Checkpointer) -> dict[str, Any]:
    """Shape and type of every leaf in the newest checkpoint, by path."""
    try:
        return dict(manager.metadata(manager.latest).metadata)
    except Exception as error:
        raise _damaged(manager, _reason(error)) from error


def _load(
    manager: ocp.training.Checkpointer, stored: Mapping[str, Any], wanted: Mapping[str, Any]
) -> dict[str, Array]:
    """The wanted leaves of the newest checkpoint, each of them checked against its checksum."""
    sums = stored.get(CHECKSUMS)
    if sums is None:
        raise _damaged(manager, "it has no checksums")
    context = ocp.Context()
    context.pytree.loading.partial_load = True
    request = dict(wanted) | {CHECKSUMS: np.empty(sums.shape, sums.dtype)}
    try:
        with context:
            loaded = ocp.load(manager.latest.path, request)
    except Exception as error:
        raise _damaged(manager, _reason(error)) from error
    names = sorted(name for name in stored if name != CHECKSUMS)
    expected = dict(zip(names, np.asarray(loaded.pop(CHECKSUMS)), strict=True))
    actual = jax.device_get({name: checksum(leaf) for name, leaf in loaded.items()})
    altered = [name for name in wanted if actual[name] != expected[name]]
    if altered:
        raise _damaged(manager, f"wrong checksum of {', '.join(altered)}")
    return loaded


def _damaged(manager: ocp.training.Checkpointer, reason: str) -> UserError:
    *older, latest = manager.checkpoints
    before = f"from step {older[-1].step}" if older else "from the start"
    return UserError(
        f"checkpoint {latest.path} is damaged ({reason}): delete it to resume {before}"
    )


def _reason(error: Exception) -> str:
    """The first line of the innermost cause: Orbax names the file first and the cause last."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if len(line) <= 400 else f"{line[:200]} .. {line[-200:]}"


def _nested(flat: Mapping[str, Array]) -> Params:
    tree: Params = {}
    for path, leaf in flat.items():
        *parents, name = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = leaf
    return tree
