"""Losses of the three stages: which parameters they move, and which examples they hear."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
from tiny_system import tiny_batch, tiny_config, tiny_stage

from v2a_jax.errors import UserError
from v2a_jax.training.checkpoint import flatten
from v2a_jax.training.optimizer import OptimizerConfig, make_optimizer
from v2a_jax.training.stages import STAGES, example_keys, make_stage
from v2a_jax.types import Conditions

FULL = dict(spectrum=0.5, mel=1.0, stft=0.5, phase=3.0)


def gradients(name, *batches, **losses):
    """Loss and gradients by path of a stage on each batch; `losses` change the codec's config."""
    config = tiny_config(name)
    config.codec_loss.update(FULL | losses)
    stage, params, frozen = tiny_stage(name, config)

    @jax.jit
    def run(batch):
        keys = example_keys(0, 0, batch.index)
        (loss, _), slopes = jax.value_and_grad(stage.loss, has_aux=True)(
            params, frozen, batch, keys
        )
        return loss, slopes

    made = (run(batch) for batch in batches)
    return [(float(loss), jax.device_get(flatten(slopes))) for loss, slopes in made]


def part(slopes, prefix):
    chosen = {name: leaf for name, leaf in slopes.items() if name.startswith(prefix)}
    assert chosen
    return np.concatenate([leaf.ravel() for leaf in chosen.values()])


@pytest.fixture(scope="module")
def adversarial():
    """Gradients of the codec stage by the weight of the adversarial term."""
    batch = tiny_batch(2, seconds=0.16)
    terms = {"windows": (256,), "bands": (16,), "matching": 0.0, "stft": 0.0, "spectrum": 0.0}
    return {
        weight: gradients("codec", batch, adversarial=weight, **terms)[0][1]
        for weight in (0.0, 1.0, 2.0)
    }


@pytest.mark.slow
def test_codec_and_discriminators_do_not_move_each_other(adversarial):
    without, one, two = adversarial.values()
    # Discriminators: their own loss alone, whatever the codec makes of their scores.
    judges = part(one, "discriminators")
    assert np.abs(judges).max() > 1e-3
    np.testing.assert_allclose(part(two, "discriminators"), judges, rtol=1e-4, atol=1e-6)
    # The codec: pulled in proportion to the term's weight, by nothing else of theirs.
    alone = part(without, "codec")
    close = dict(rtol=1e-3, atol=1e-4 * np.abs(alone).max())
    pull = part(one, "codec") - alone
    assert np.abs(pull).max() > 1e-5
    np.testing.assert_allclose(part(two, "codec") - part(one, "codec"), pull, **close)


@pytest.mark.slow
def test_statistics_move_to_the_moments_of_the_latents_and_weigh_nothing(adversarial):
    stage, params, _ = tiny_stage("codec")
    batch = tiny_batch(2, seconds=0.16)
    encode = jax.jit(lambda codec: stage.system.codec.apply(codec, batch.audio, method="encode"))
    mean, _ = encode(params["codec"])
    for name, power in (("latent_mean", 1), ("latent_square", 2)):
        moved = params["codec"][name] - adversarial[0.0][f"codec/{name}"]
        np.testing.assert_allclose(moved, (mean**power).mean((0, 1)), rtol=1e-3, atol=1e-4)
    keys = example_keys(0, 0, batch.index)
    loss = jax.jit(lambda codec: stage.loss({"codec": codec}, {}, batch, keys)[0])
    far = params["codec"] | {"latent_mean": params["codec"]["latent_mean"] + 1}
    np.testing.assert_allclose(loss(far), loss(params["codec"]), rtol=1e-6)


@pytest.mark.slow
def test_running_statistics_converge_to_the_moments_under_the_optimizer():
    config = tiny_config("codec")
    stage, params, _ = tiny_stage("codec", config)
    settings = OptimizerConfig(**config.optimizer)
    optimizer = make_optimizer(settings, stage, 100)
    state = optimizer.init(params)
    target = 1.7
    slopes = jax.tree.map(np.zeros_like, params)
    update = jax.jit(optimizer.update)
    for _ in range(100):
        mean = np.asarray(params["codec"]["latent_mean"])
        slopes["codec"]["latent_mean"] = mean - target
        updates, state = update(slopes, state, params)
        mean = mean + updates["codec"]["latent_mean"]
        params = {"codec": params["codec"] | {"latent_mean": mean}}
    np.testing.assert_allclose(mean, target, atol=0.02)


@pytest.mark.parametrize("name", STAGES)
def test_every_parameter_is_trained_in_one_group_and_has_axes(name):
    config = tiny_config(name)
    config.codec_loss.update(FULL | {"adversarial": 1.0})
    stage, params, _ = tiny_stage(name, config)
    groups, decays = stage.groups(params), stage.decay_mask(params)
    assert jax.tree.structure(groups) == jax.tree.structure(params)
    axes = flatten(jax.tree.map(len, stage.axes(), is_leaf=lambda x: isinstance(x, tuple)))
    assert axes == {path: leaf.ndim for path, leaf in flatten(params).items()}
    expected = {"codec": {"model", "discriminator", "statistics"}}.get(name, {"model"})
    assert set(jax.tree.leaves(groups)) == expected
    assert not any(v for k, v in flatten(decays).items() if "bias" in k or "latent_" in k)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["codec", "perception", "diffusion"])
def test_what_is_absent_from_an_example_is_not_trained_on(name):
    batch = dataclasses.replace(tiny_batch(3), degraded=None)
    there, gone = np.array([True, True, True]), np.array([True, True, False])
    whole = dataclasses.replace(batch, has_audio=there, has_video=there, has_caption=there)
    masks = {"audio": {"has_audio": gone}, "video": {"has_video": gone}}
    masks = masks if name != "codec" else {"audio": masks["audio"]}
    pairs = {}
    for field, mask in masks.items():
        masked = dataclasses.replace(whole, **mask)
        values = getattr(batch, field)
        other = np.concatenate([values[:2], values[1:2]])
        pairs[field] = masked, dataclasses.replace(masked, **{field: other})
    (loss, _), *results = gradients(name, whole, *itertools.chain(*pairs.values()))
    for (masked, slopes), (other, slopes_of_other) in zip(results[::2], results[1::2], strict=True):
        np.testing.assert_allclose(masked, other, rtol=1e-4)
        assert abs(loss - masked) > 1e-5
        for path, slope in slopes.items():
            close = 1e-3 * np.abs(slope).max() + 1e-6
            np.testing.assert_allclose(slopes_of_other[path], slope, atol=close, err_msg=path)


def test_only_the_dit_depends_on_noise_and_each_example_on_its_own():
    stage, params, frozen = tiny_stage("diffusion")
    batch = dataclasses.replace(tiny_batch(2), has_audio=np.array([True, False]))
    run = jax.jit(lambda batch, keys: stage.loss(params, frozen, batch, keys)[0])

    def loss(keys):
        return float(run(batch, keys))

    same = example_keys(0, 7, np.array([4, 9]))
    np.testing.assert_array_equal(
        jax.random.key_data(same[::-1]), jax.random.key_data(example_keys(0, 7, np.array([9, 4])))
    )
    first, second = loss(same), loss(example_keys(0, 7, np.array([4, 5])))
    np.testing.assert_allclose(first, second, rtol=1e-6)  # the second example isn't heard
    assert abs(first - loss(example_keys(0, 8, np.array([4, 9])))) > 1e-4
    assert abs(first - loss(example_keys(1, 7, np.array([4, 9])))) > 1e-4


def test_conditions_are_dropped_independently_at_their_rates():
    config = tiny_config("diffusion")
    config.drop.update(video=0.2, text=0.5, transcript=0.0)
    stage, _, _ = tiny_stage("diffusion", config)
    size = 4000
    yes = np.ones(size, bool)
    given = absence(yes)
    kept = stage._dropped(given, example_keys(0, 0, np.arange(size)))
    video, text = np.asarray(kept.use_video, float), np.asarray(kept.use_text, float)
    np.testing.assert_allclose([video.mean(), text.mean()], [0.8, 0.5], atol=0.03)
    np.testing.assert_allclose((video * text).mean(), 0.4, atol=0.03)
    assert kept.use_transcript.all()
    assert not stage._dropped(absence(~yes), example_keys(0, 0, np.arange(size))).use_text.any()


def absence(use):
    """Conditions of which only the flags matter."""
    nothing = np.zeros((len(use), 1, 1))
    return Conditions(
        sync=nothing,
        semantic=nothing,
        text=nothing,
        text_mask=nothing[..., 0],
        transcript=nothing[..., 0],
        use_video=use,
        use_text=use,
        use_transcript=use,
    )


@pytest.mark.slow
def test_half_precision_sees_the_latents_that_full_precision_makes():
    config = tiny_config("diffusion")
    config.dtype = "bfloat16"
    half, _, frozen = tiny_stage("diffusion", config)
    full, _, _ = tiny_stage("diffusion")
    far = {"latent_mean": np.full(8, 3.03, "f"), "latent_square": np.full(8, 3.03**2 + 0.01, "f")}
    frozen["codec"] = frozen["codec"] | far
    batch = tiny_batch(2)
    a, b = (jax.jit(stage._prepare)(frozen, batch)[0] for stage in (half, full))
    assert a.dtype == b.dtype == np.float32
    error = np.abs(a - b).mean() / np.abs(b - b.mean()).mean()
    assert error < 0.05


def test_an_unknown_stage_is_refused(system):
    with pytest.raises(UserError, match="unknown stage 'codek'"):
        make_stage("codek", tiny_config(), system)
