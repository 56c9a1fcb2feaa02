"""Loss and gradients of every stage on a mesh; as a script, for several meshes of 8 devices.

Usage: python mesh_losses.py OUT.npz DATA,FSDP,TENSOR ..
"""

import sys

import jax
import numpy as np
from tiny_system import tiny_batch, tiny_config, tiny_stage

from v2a_jax.sharding import MeshConfig, batch_sharding, make_mesh, param_shardings
from v2a_jax.training.checkpoint import flatten
from v2a_jax.training.stages import STAGES, example_keys


def mesh_stage(name):
    """The stage with every term of its loss."""
    config = tiny_config(name)
    config.codec_loss.update(spectrum=0.5, mel=1.0, stft=0.5, phase=3.0, adversarial=1.0)
    return tiny_stage(name, config)


def losses(name, sizes):
    """Loss and gradients by path, as numpy arrays; sizes None for no mesh at all."""
    stage, params, frozen = mesh_stage(name)
    batch = tiny_batch()

    def both(params, frozen, batch):
        keys = example_keys(3, 0, batch.index)
        (loss, metrics), gradient = jax.value_and_grad(stage.loss, has_aux=True)(
            params, frozen, batch, keys
        )
        return {"loss": loss, "metrics": metrics, "gradient": gradient}

    if sizes is None:
        return jax.device_get(flatten(jax.jit(both)(params, frozen, batch)))
    mesh = make_mesh(MeshConfig(**dict(zip(("data", "fsdp", "tensor"), sizes, strict=True))))
    with jax.set_mesh(mesh):
        axes = {part: getattr(stage.system, part).axes for part in frozen}
        given = (
            jax.device_put(params, param_shardings(mesh, stage.axes())),
            jax.device_put(frozen, param_shardings(mesh, axes)),
            jax.device_put(batch, batch_sharding(mesh)),
        )
        return jax.device_get(flatten(jax.jit(both)(*given)))


def main(argv):
    """Writes all results."""
    out, *meshes = argv
    found = {}
    for mesh in meshes:
        for name in STAGES:
            result = losses(name, [int(size) for size in mesh.split(",")])
            found |= {f"{mesh}:{name}:{path}": leaf for path, leaf in result.items()}
    np.savez(out, **found)


if __name__ == "__main__":
    main(sys.argv[1:])
