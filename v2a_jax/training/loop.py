"""The one loop that trains every stage: begin or resume, step, watch, save, stop cleanly."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from v2a_jax.errors import UserError
from v2a_jax.models.functional import once
from v2a_jax.sharding import batch_sharding
from v2a_jax.training.checkpoint import CheckpointConfig, Checkpoints
from v2a_jax.training.ema import EmaConfig, profile_name
from v2a_jax.training.feed import to_device
from v2a_jax.training.goodput import Ledger, goodput
from v2a_jax.training.hang import Watchdog
from v2a_jax.training.heldout import Data, Heldout
from v2a_jax.training.interrupt import StopRequest
from v2a_jax.training.optimizer import OptimizerConfig, make_optimizer, make_schedule
from v2a_jax.training.peers import Peers
from v2a_jax.training.profile import Profile
from v2a_jax.training.stages import Stage
from v2a_jax.training.state import TrainState, abstract_state, state_maker
from v2a_jax.training.step import Metrics, TrainStep, make_train_step
from v2a_jax.training.throughput import Speedometer, work_of
from v2a_jax.training.warm import replaced
from v2a_jax.training.watch import Watch
from v2a_jax.training.workdir import bind_config, held
from v2a_jax.types import Batch, Encoded, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """`batch_size` examples a step, taken in `accumulate` microbatches; intervals are in steps.

    `max_skips` updates in a row that are not finite end the run. `hang_seconds` bound any phase of
    it, `compile_seconds` the start and the first step, `peer_seconds` another process's silence.
    `compile_cache` is a folder, relative to the workdir.
    """

    steps: int
    batch_size: int
    accumulate: int
    log_every: int
    evaluate_every: int
    evaluate_batches: int
    sample_every: int
    max_skips: int
    hang_seconds: float
    compile_seconds: float
    peer_seconds: float
    compile_cache: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """All that the loop is told; `seed` decides weights and noise."""

    seed: int
    run: RunConfig
    checkpoint: CheckpointConfig
    optimizer: OptimizerConfig
    ema: EmaConfig


def train(
    stage: Stage,
    config: TrainConfig,
    *,
    plain: Stage,
    frozen: Params,
    description: Mapping[str, Any],
    mesh: Mesh,
    data: Data,
    heldout: Data,
    sample_rate: int,
    workdir: pathlib.Path,
    peers: Peers,
    began: float,
    initial: Mapping[str, np.ndarray],
    profiled: range,
) -> bool:
    """Trains, or resumes, `stage` in `workdir`; false when a signal stopped it, and it is saved.

    `plain` is the stage as its operations are counted; `frozen` weights are on the mesh, `initial`
    ones begin, by name; `description`, JSON-able, binds the folder; the process `began` at a unix
    time. UserError: updates not finite, a checkpoint failed, a folder of another configuration.
    """
    _check(config, mesh)
    with jax.set_mesh(mesh), held(workdir), contextlib.ExitStack() as stack:
        folder, keep = workdir / "checkpoints", config.checkpoint.keep
        checkpoints = stack.enter_context(Checkpoints(folder, keep))
        start = checkpoints.latest()
        bind_config(workdir, description, started=start is not None)
        watch = Watch(stage.name, config.run, workdir, start or 0, sample_rate)
        stack.callback(watch.close)
        if _done(start or 0, config.run.steps, watch):
            return True
        ledger = _timed(stack, config.run, workdir, start or 0, began)
        after = Heldout(stage, frozen, heldout, config.run, batch_sharding(mesh), watch)
        stop = stack.enter_context(StopRequest())
        profile = stack.enter_context(Profile(profiled, workdir / "profile"))
        stack.push(peers.tell)
        loop = _Loop(config, plain, frozen, data, checkpoints, watch, after, stop, ledger, profile)
        return loop.run(*begin(stage, config, mesh, checkpoints, initial))


def _done(start: int, steps: int, watch: Watch) -> bool:
    """Whether no step is left; then it is told."""
    if start >= steps:
        watch.say(f"all {steps} steps are done")
    return start >= steps


def _timed(
    stack: contextlib.ExitStack, run: RunConfig, workdir: pathlib.Path, start: int, began: float
) -> Ledger:
    """The run's ledger, which only the first host writes, under the eyes of a watchdog."""
    first = jax.process_index() == 0
    ledger = Ledger(workdir / "goodput.jsonl" if first else None, start, began)
    stack.enter_context(ledger)
    # Without the first process none lives: the others show their stacks before it ends.
    grace = 0.0 if jax.process_count() == 1 else 15.0 if first else 5.0
    watchdog = Watchdog(ledger, usual=run.hang_seconds, first=run.compile_seconds, grace=grace)
    stack.enter_context(watchdog)
    return ledger


def begin(
    stage: Stage,
    config: TrainConfig,
    mesh: Mesh,
    checkpoints: Checkpoints,
    initial: Mapping[str, np.ndarray] | None = None,
) -> tuple[TrainState, TrainStep]:
    """The state to go on from, fresh or restored, and the function that takes it further.

    A fresh one has the weights that `initial` names.
    """
    run = config.run
    optimizer = make_optimizer(config.optimizer, stage, run.steps)
    make = state_maker(stage, optimizer, config.ema, config.seed, mesh)
    if checkpoints.latest() is None:
        state = once(make)
        state = dataclasses.replace(state, params=replaced(state.params, initial or {}))
    else:
        state = checkpoints.restore(abstract_state(make, mesh))
    schedule = make_schedule(config.optimizer, run.steps)
    step = make_train_step(
        stage, optimizer, schedule, config.ema, seed=config.seed, accumulate=run.accumulate
    )
    return state, step


def _check(config: TrainConfig, mesh: Mesh) -> None:
    run = config.run
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    counts = {f"run.{name}": value for name, value in dataclasses.asdict(run).items()}
    saved = dataclasses.asdict(config.checkpoint)
    counts |= {f"checkpoint.{name}": value for name, value in saved.items()}
    low = [name for name, value in counts.items() if not isinstance(value, str) and value < 1]
    if low:
        raise UserError(f"{', '.join(low)} must be at least 1")
    if run.batch_size % (run.accumulate * shards):
        raise UserError(
            f"run.batch_size={run.batch_size} does not divide by run.accumulate={run.accumulate} "
            f"times the {shards} batch shard(s) of the mesh"
        )


@dataclasses.dataclass(frozen=True)
class _Loop:
    """The loop with all that it works with."""

    config: TrainConfig
    plain: Stage
    frozen: Params
    data: Data
    checkpoints: Checkpoints
    watch: Watch
    heldout: Heldout
    stop: StopRequest
    ledger: Ledger
    profile: Profile

    def run(self, state: TrainState, train_step: TrainStep) -> bool:
        """Steps until the last one, or until asked to stop; the state is on disk afterwards."""
        run, start = self.config.run, int(state.step)
        place = batch_sharding(jax.sharding.get_mesh())
        batches, speed = self.data.batches(start), Speedometer(self.ledger)
        finished = True
        self.ledger.enter("step")
        for step in range(start + 1, run.steps + 1):
            if self.stop.before(step):
                finished = False
                break
            with self.ledger.spend("data"):
                rows = next(batches)
            self.profile.before(step)
            batch = to_device(rows, place, run.batch_size)
            if step == start + 1:
                state, metrics = self._first(state, train_step, batch, speed)
            else:
                # A step must find all that it reads on the devices, and keep what it makes there.
                with jax.transfer_guard("disallow"):
                    state, metrics = train_step(state, self.frozen, batch)
            self.profile.after(step, metrics)
            self.watch.push(step, metrics)
            self.checkpoints.check()
            self.ledger.finished(step, told=step % run.log_every == 0)
            if step % run.log_every == 0:
                self.watch.speed(step, speed.rates(step))
            self._between(step, state)
        self._save(state)
        with self.ledger.spend("checkpoint"):
            self.checkpoints.wait()
        self.watch.say(self.ledger.report())
        if not finished:
            self.watch.say(f"stopped and saved at step {int(state.step)} of {run.steps}")
        return finished

    def _first(
        self, state: TrainState, train_step: TrainStep, batch: Batch | Encoded, speed: Speedometer
    ) -> tuple[TrainState, Metrics]:
        """The first step of this process, with its compilation; from its end on speed counts."""
        step = int(state.step) + 1
        with self.ledger.spend("compile"):
            accumulate = self.config.run.accumulate
            work = work_of(self.plain, state.params, self.frozen, batch, accumulate)
            with jax.transfer_guard("disallow"):
                state, metrics = train_step(state, self.frozen, batch)
            jax.block_until_ready(metrics)  # other hosts may still be compiling
        speed.start(work, step)
        return state, metrics

    def _between(self, step: int, state: TrainState) -> None:
        """What is due after this step; a checkpoint comes last, when all before it is logged."""
        run = self.config.run
        weights = state.ema[profile_name(self.config.ema.sigma_rel[0])]
        if step % run.evaluate_every == 0 or step == run.steps:
            self.watch.flush()
            with self.ledger.spend("evaluation"):
                self.heldout.evaluate(step, weights)
        if step % run.sample_every == 0 or step == run.steps:
            with self.ledger.spend("evaluation"):
                self.heldout.listen(step, weights)
        if step % self.config.checkpoint.every == 0:
            self._save(state)

    def _save(self, state: TrainState) -> None:
        """Saves what the last metrics have shown to be finite."""
        self.watch.flush()
        with self.ledger.spend("checkpoint"):
            self.checkpoints.save(state)
        self.ledger.snapshot()
        totals = self.ledger.totals()
        shown = {f"seconds/{name}": value for name, value in totals.items()}
        self.watch.board(self.ledger.step, {"goodput": goodput(totals)} | shown)
