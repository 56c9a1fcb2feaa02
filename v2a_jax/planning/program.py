"""What is planned for: the functions that a run would compile, with the shapes it would call them.

Nothing is computed here. Under the mesh of a topology there is no device that could: all is done
within `eval_shape`, and shapes carry their shardings.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from v2a_jax.config import build, require
from v2a_jax.errors import UserError
from v2a_jax.models.system import System
from v2a_jax.sampling.long_form import GRID_SECONDS, plan_windows
from v2a_jax.sampling.sampler import Request, Sampler, SamplerConfig
from v2a_jax.sharding import batch_sharding, param_shardings, require_even
from v2a_jax.training.ema import EmaConfig
from v2a_jax.training.lora import BASE, LoraConfig, LoraStage
from v2a_jax.training.optimizer import OptimizerConfig, make_optimizer, make_schedule
from v2a_jax.training.stages import Stage, make_stage
from v2a_jax.training.state import abstract_state, state_maker
from v2a_jax.training.step import make_train_step
from v2a_jax.types import Batch, Encoded, Params
from v2a_jax.watermark.key import Key
from v2a_jax.watermark.mask import DepthConfig
from v2a_jax.watermark.payload import PAYLOAD_BITS

PARTS = ("codec", "video", "text", "dit")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """A jitted function and the abstract arguments of one call, to be lowered with `mesh` set.

    `held` says what the arguments are, by category: each a tree of some of their leaves. `donated`
    is what the call consumes, and must give back in the same place; it takes `examples`.
    """

    name: str
    examples: int
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    held: Mapping[str, Any]
    donated: Any
    mesh: Mesh


def training_program(config: Mapping[str, Any], mesh: Mesh, *, encoded: bool) -> Program:
    """One training step of the config's stage, as the loop compiles it.

    With `encoded` the batch is what `v2a encode` has made, else it is pixels and sound. UserError
    for a batch that does not divide over the mesh.
    """
    run = config["run"]
    rows, accumulate = run["batch_size"], run["accumulate"]
    check_batch(rows, accumulate, mesh)
    require(not encoded or config["stage"] == "diffusion", "only stage diffusion has features")
    system = System.from_config(config)
    whole, lora = make_stage(config["stage"], config, system), build(LoraConfig, config["lora"])
    stage = LoraStage(whole, lora) if lora.rank else whole
    settings, ema = build(OptimizerConfig, config["optimizer"]), build(EmaConfig, config["ema"])
    optimizer = make_optimizer(settings, stage, run["steps"])
    schedule = make_schedule(settings, run["steps"])
    with jax.set_mesh(mesh):
        state = abstract_state(state_maker(stage, optimizer, ema, config["seed"], mesh), mesh)
    frozen = weights(system, stage.needs, mesh) | (_pattern(mesh) if stage.marks else {})
    if lora.rank:
        frozen |= {BASE: _split(mesh, jax.eval_shape(whole.init, jax.random.key(0)), whole.axes())}
    batch = abstract_batch(config, rows, mesh)
    if encoded:
        batch = _encoded(whole, frozen, batch, mesh)
    step = make_train_step(
        stage, optimizer, schedule, ema, seed=config["seed"], accumulate=accumulate
    )
    return Program(
        name=f"training step of stage {stage.name}",
        examples=rows,
        function=step,
        arguments=(state, frozen, batch),
        held={
            "parameters": state.params,
            "optimizer": state.opt_state,
            "averages": state.ema,
            "frozen parts": frozen,
            "batch": batch,
        },
        donated=state,
        mesh=mesh,
    )


def sampling_program(config: Mapping[str, Any], mesh: Mesh, videos: int) -> Program:
    """The sampler on `videos` of the longest bucket, one soundtrack each, split as a batch is.

    UserError for videos that do not divide over the mesh.
    """
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    if videos % shards:
        raise UserError(
            f"{videos} video(s) at once do not divide over the {shards} batch shards of the mesh "
            f"(data={mesh.shape['data']} fsdp={mesh.shape['fsdp']})"
        )
    system, settings = System.from_config(config), build(SamplerConfig, config["sampler"])
    depth = build(DepthConfig, config["watermark"])
    sampler = Sampler(system, depth, steps=settings.steps, solver=settings.solver)
    parts, pattern = weights(system, PARTS, mesh), _pattern(mesh)["pattern"]
    request = abstract_request(config, system, settings, videos, mesh)
    return Program(
        name=f"sampler, {settings.steps} {settings.solver} steps",
        examples=videos,
        function=jax.jit(sampler.sample),
        arguments=(parts, pattern, request),
        held={"parameters": parts, "batch": request},
        donated=(),
        mesh=mesh,
    )


def check_batch(rows: int, accumulate: int, mesh: Mesh) -> None:
    """UserError when the rows of a step do not divide over microbatches and the mesh."""
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    if min(rows, accumulate) < 1 or rows % (accumulate * shards):
        raise UserError(
            f"a batch of {rows} does not divide by {accumulate} microbatch(es) times the {shards} "
            f"batch shards of the mesh (data={mesh.shape['data']} fsdp={mesh.shape['fsdp']})"
        )


def weights(system: System, parts: tuple[str, ...], mesh: Mesh) -> Params:
    """Shapes of the parts' weights, each split as its axes say; UserError where it can't be."""
    models = {part: getattr(system, part) for part in parts}
    shapes = {part: model.shapes for part, model in models.items()}
    return _split(mesh, shapes, {part: model.axes for part, model in models.items()})


def _split(mesh: Mesh, shapes: Params, axes: Params) -> Params:
    places = param_shardings(mesh, axes)
    require_even(shapes, places)
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        shapes,
        places,
    )


def abstract_batch(config: Mapping[str, Any], rows: int, mesh: Mesh) -> Batch:
    """Shapes of what the loader hands over for a step."""
    model, loader = config["model"], config["data"]["loader"]
    codec, size = model["codec"], model["video"]["size"]
    video = (round(loader["seconds"] * model["video"]["fps"]), size, size, 3), jnp.uint8
    shapes = dict(
        index=((), jnp.int32),
        audio=((round(loader["seconds"] * codec["sample_rate"]), codec["channels"]), jnp.float32),
        video=video,
        degraded=video if loader["degrade"] else None,
        caption=((model["text"]["length"],), jnp.int32),
        transcript=((loader["transcript_length"],), jnp.int32),
        **{f"has_{m}": ((), jnp.bool_) for m in ("audio", "video", "caption", "transcript")},
    )
    return Batch(**{name: given and _rows(rows, *given, mesh) for name, given in shapes.items()})


def abstract_request(
    config: Mapping[str, Any], system: System, settings: SamplerConfig, videos: int, mesh: Mesh
) -> Request:
    """Shapes of a request for one soundtrack of each of so many videos, split over the mesh.

    With negative prompts and transcripts: the most that a request can have.
    """
    seconds, size = max(settings.buckets), system.video_config.size
    overlap = plan_windows(seconds + GRID_SECONDS, settings.buckets, settings.overlap).overlap
    codec, length = system.codec_config, config["model"]["text"]["length"]
    kept = round(overlap * codec.latent_rate)
    frames = round(seconds * system.video_config.fps)

    def shared(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=_everywhere(mesh))

    def rows(shape: tuple[int, ...], dtype: Any = jnp.int32) -> jax.ShapeDtypeStruct:
        return _rows(videos, shape, dtype, mesh)

    return Request(
        video=rows((frames, size, size, 3), jnp.uint8),
        prompt=rows((length,)),
        negative=rows((length,)),
        transcript=rows((config["data"]["loader"]["transcript_length"],)),
        seed=rows((1,), jnp.uint32),
        window=shared((), jnp.int32),
        prefix=rows((1, kept, codec.latent), jnp.float32),
        has_prefix=shared((), jnp.bool_),
        start=shared((), jnp.int32),
        payload=shared((PAYLOAD_BITS,), jnp.int32),
        guidance=jax.tree.map(lambda _: shared((), jnp.float32), settings.guidance),
    )


def _rows(rows: int, shape: tuple[int, ...], dtype: Any, mesh: Mesh) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((rows, *shape), dtype, sharding=batch_sharding(mesh))


def _encoded(stage: Stage, frozen: Params, batch: Batch, mesh: Mesh) -> Encoded:
    """Shapes of the batch once it is encoded: floats are stored as bfloat16."""
    with jax.set_mesh(mesh):
        made = jax.eval_shape(stage.encode, frozen, batch)

    def stored(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        floating = jnp.issubdtype(leaf.dtype, jnp.floating)
        dtype = jnp.bfloat16 if floating else leaf.dtype
        return jax.ShapeDtypeStruct(leaf.shape, dtype, sharding=batch_sharding(mesh))

    return jax.tree.map(stored, made)


def _pattern(mesh: Mesh) -> Params:
    """Shapes of the watermark's pattern; every key's has the same."""
    return {
        "pattern": jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=_everywhere(mesh)),
            Key(bytes(32)).pattern(),
        )
    }


def _everywhere(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec())
