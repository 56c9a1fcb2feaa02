"""The shapes that are planned for are those that the loader and the generator make."""

import jax
import numpy as np
import pytest
from tiny_system import SIZE, tiny_config, tiny_system, tiny_tokenizer

from data_pipelines.open import make_loader, open_source
from v2a_jax.config import build
from v2a_jax.planning.program import abstract_batch, abstract_request, training_program
from v2a_jax.sampling.sampler import Sampler, SamplerConfig
from v2a_jax.sharding import MeshConfig, make_mesh
from v2a_jax.training.lora import BASE


@pytest.fixture
def mesh():
    """A mesh of one device."""
    return make_mesh(MeshConfig(data=1, fsdp=1, context=1, tensor=1), jax.devices()[:1])


def shapes(tree):
    return jax.tree.map(lambda leaf: (tuple(np.shape(leaf)), np.dtype(leaf.dtype)), tree)


@pytest.mark.parametrize("degrade", [False, True])
def test_a_batch_is_what_the_loader_makes(mesh, degrade):
    config = tiny_config("perception")
    config.data.loader.degrade = degrade
    loader = make_loader(config, open_source(config, "train"), tiny_tokenizer())
    made = next(loader.batches(0))
    assert shapes(made) == shapes(abstract_batch(config, config.run.batch_size, mesh))


def test_a_request_is_what_the_generator_makes(mesh, generator, monkeypatch):
    class Asked(Exception):
        """Instead of an answer."""

    def ask(self, weights, pattern, request):
        raise Asked(request)

    monkeypatch.setattr(Sampler, "__call__", ask)
    config, system = tiny_config(), tiny_system()
    settings = build(SamplerConfig, config.sampler)
    frames = round(max(settings.buckets) * generator.fps)
    with pytest.raises(Asked) as asked:
        video = np.zeros((frames, SIZE, SIZE, 3), np.uint8)
        generator.generate(video, negative_prompt="rain", transcript="hello")
    wanted = abstract_request(config, system, settings, 1, mesh)
    assert shapes(asked.value.args[0]) == shapes(wanted)


def bytes_of(tree):
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


@pytest.mark.slow
def test_of_low_rank_tuning_the_factors_alone_are_trained(mesh):
    config = tiny_config()
    whole = training_program(config, mesh, encoded=True).held
    config.lora.rank = 2
    tuned = training_program(config, mesh, encoded=True)
    assert bytes_of(tuned.held["parameters"]) < 0.5 * bytes_of(whole["parameters"])
    base = tuned.held["frozen parts"][BASE]
    assert shapes(base) == shapes(whole["parameters"])
    with jax.set_mesh(mesh):
        after, _ = jax.eval_shape(tuned.function, *tuned.arguments)
    assert shapes(after) == shapes(tuned.arguments[0])


@pytest.mark.slow
def test_a_step_of_features_has_what_the_frozen_parts_make(mesh):
    program = training_program(tiny_config(), mesh, encoded=True)
    state, _, batch = program.arguments
    assert batch.latents.dtype == "bfloat16"
    assert batch.given.transcript.dtype == np.int32
    with jax.set_mesh(mesh):
        after, _ = jax.eval_shape(program.function, *program.arguments)
    assert shapes(after) == shapes(state)
