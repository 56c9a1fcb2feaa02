"""Waveforms of one request on meshes of 8 simulated devices, and on none.

Usage: python split_sampler.py OUT.npz   a mesh's are under `data-fsdp-context-tensor`, else `whole`
"""

import sys

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from tiny_system import tiny_batch, tiny_config, tiny_system, tiny_weights

from v2a_jax.config import build
from v2a_jax.diffusion.guidance import Guidance
from v2a_jax.models.system import System
from v2a_jax.sampling.sampler import Choice, Request, Sampler
from v2a_jax.sharding import MESH_AXES, MeshConfig, batch_sharding, make_mesh, param_shardings
from v2a_jax.watermark.key import Key
from v2a_jax.watermark.mask import DepthConfig
from v2a_jax.watermark.payload import to_bits

MESHES = ((2, 2, 1, 2), (4, 1, 2, 1))
VIDEOS, VARIATIONS, CANDIDATES, KEPT = 8, 2, 2, 6


def request(latent: int) -> Request:
    """Different videos, prompts and candidates, each continuing latents of its own."""
    rng, batch = np.random.default_rng(2), tiny_batch(VIDEOS)
    rows = VIDEOS * VARIATIONS * CANDIDATES
    seeds = np.arange(rows, dtype=np.uint32).reshape(VIDEOS, VARIATIONS, CANDIDATES)
    return Request(
        video=batch.video,
        prompt=batch.caption,
        negative=batch.caption[::-1] * (np.arange(VIDEOS) % 2)[:, None].astype(np.int32),
        transcript=batch.transcript,
        seed=seeds[:, :, 0],
        window=np.int32(1),
        prefix=rng.standard_normal((VIDEOS, VARIATIONS, KEPT, latent)).astype(np.float32),
        has_prefix=np.bool_(True),
        start=np.int32(3),
        payload=to_bits(0x5A5A),
        guidance=Guidance(
            video=np.float32(0.8),
            text=np.float32(1.2),
            transcript=np.float32(1.1),
            begin=np.float32(0),
            end=np.float32(1),
            rescale=np.float32(0.3),
        ),
        choice=Choice(seeds=seeds, shown=np.full(VIDEOS, batch.video.shape[1], np.int32)),
    )


def placed(system: System, mesh: jax.sharding.Mesh, given: tuple) -> tuple:
    """Weights as the rules table splits them, rows of the request over the batch's axes."""
    weights, pattern, asked = given
    whole, split = NamedSharding(mesh, PartitionSpec()), batch_sharding(mesh)
    axes = {part: getattr(system, part).axes for part in weights}
    return (
        jax.device_put(weights, param_shardings(mesh, axes)),
        jax.device_put(pattern, whole),
        jax.tree.map(
            lambda x: jax.device_put(x, split if VIDEOS in np.shape(x)[:1] else whole), asked
        ),
    )


def main(out: str) -> None:
    """Samples on each mesh, and on one device."""
    config = tiny_config()
    config.model.dit.heads = 4
    system = tiny_system(config)
    depth = build(DepthConfig, config.watermark)
    sampler = Sampler(system, depth, steps=config.sampler.steps, solver=config.sampler.solver)
    asked = request(system.codec_config.latent)
    given = (tiny_weights(system), Key(bytes(range(32))).pattern(), asked)
    found = {"whole": sampler(*given)[0]}
    for sizes in MESHES:
        mesh = make_mesh(MeshConfig(**dict(zip(MESH_AXES, sizes, strict=True))))
        with jax.set_mesh(mesh):
            made, _ = sampler(*placed(system, mesh, given))
        assert made.sharding.shard_shape(made.shape)[0] == VIDEOS // (sizes[0] * sizes[1])
        found["-".join(map(str, sizes))] = made
    np.savez(out, **jax.device_get(found))


if __name__ == "__main__":
    main(sys.argv[1])
