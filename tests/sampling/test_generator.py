import jax
import numpy as np
import pytest
from tiny_system import FPS, RATE, SIZE

from v2a_jax.errors import UserError
from v2a_jax.sampling.cues import Cue
from v2a_jax.sampling.long_form import cut_windows, plan_windows
from v2a_jax.sampling.wish import Wish
from v2a_jax.watermark.detect import detect
from v2a_jax.watermark.key import Key


def frames(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


CLIP = frames(32)  # the larger bucket


@pytest.fixture(scope="module")
def plain(generator):
    return generator.generate(CLIP, seed=5)


def test_wishes_of_one_shape_share_one_compilation(generator, plain):
    before = generator.compilations
    for wish in (
        dict(prompt="a siren wails"),
        dict(prompt="metal is struck", seed=3, text_scale=7.5),
        dict(video_scale=1.0, guidance_begin=0.6, guidance_rescale=0.5),
    ):
        made = generator.generate(CLIP, **wish)
        assert np.abs(made - plain).max() > 1e-4
    assert generator.compilations == before


def test_each_wish_is_heard(generator, plain):
    scaled = generator.generate(CLIP, seed=5, video_scale=3.0)
    prompted = generator.generate(CLIP, seed=5, prompt="a siren wails")
    pushed = generator.generate(CLIP, seed=5, negative_prompt="a siren wails")
    spoken = generator.generate(CLIP, seed=5, transcript="hello")
    sounds = [plain, scaled, prompted, pushed, spoken, generator.generate(frames(32, 1), seed=5)]
    for i, one in enumerate(sounds):
        for other in sounds[:i]:
            assert np.abs(one - other).max() > 1e-4
    unguided = generator.generate(CLIP, seed=5, prompt="a siren wails", text_scale=0.0)
    again = generator.generate(CLIP, seed=5, prompt="metal is struck", text_scale=0.0)
    np.testing.assert_allclose(unguided, again, atol=1e-5)


@pytest.mark.slow
def test_a_seed_is_a_sound_whatever_else_is_made(generator, plain):
    np.testing.assert_array_equal(generator.generate(CLIP, seed=5), plain)
    three = generator.generate(CLIP, seed=4, variations=3)
    assert three.shape == (3, *plain.shape[1:])
    np.testing.assert_allclose(three[1], plain[0], atol=2e-4)
    assert np.abs(three[0] - three[2]).max() > 1e-3
    batch = np.stack([frames(32, 1), CLIP])
    made = generator.generate_batch(batch, ["", ""], ["", ""], ["", ""], [1, 5])
    np.testing.assert_allclose(made[1], plain[0], atol=2e-4)


def test_a_batch_reads_the_beginning_of_texts_that_are_too_long(generator):
    length = generator.bundle.config["model"]["text"]["length"]
    cut = ["word " * (length + each) for each in (0, 1)]
    made = generator.generate_batch(
        np.stack([CLIP] * 2), cut, ["", ""], ["12345678", "123456789"], [1, 1]
    )
    np.testing.assert_array_equal(made[0], made[1])


@pytest.mark.parametrize("count", [1, 15, 16, 17, 32, 33, 56, 70])
def test_sound_lasts_exactly_as_long_as_the_video(generator, count):
    made = generator.generate(frames(count))
    assert made.shape == (1, round(count / FPS * RATE), 1)
    assert made.dtype == np.float32 and np.isfinite(made).all() and np.abs(made).max() <= 1


def test_a_long_video_is_marked_throughout_and_a_round_trip_is_not(generator):
    made = generator.generate(frames(200), seed=2)[0]
    found = detect(made, generator.key, sample_rate=RATE)
    assert found.p_value <= 1e-6 and found.payload == generator.payload
    assert detect(made, Key(bytes(32)), sample_rate=RATE).p_value > 1e-4
    half = detect(made[: len(made) // 2], generator.key, sample_rate=RATE)
    assert half.p_value <= 1e-4
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, len(made) + 1, 1)).astype("f")
    unmarked = generator.round_trip(noise)
    assert unmarked.shape == noise.shape and np.abs(unmarked).max() > 1e-3
    assert detect(unmarked[0], generator.key, sample_rate=RATE).p_value > 1e-4


def test_sound_streams_in_blocks_made_when_they_are_taken(generator):
    read = 0

    def count(video):
        nonlocal read
        for read, frame in enumerate(video, start=1):  # noqa: B007
            yield frame

    film, wish = frames(200), Wish(seed=2, variations=2)
    blocks = generator._soundtracks(count(film), 8.0, wish)
    made = []
    for index, block in enumerate(blocks):
        assert block.shape[1] <= 1.28 * RATE and read <= 32 + 18 * index
        made.append(block)
    assert len(made) == index + 1 > 10
    np.testing.assert_array_equal(
        np.concatenate(made, axis=1), generator.generate(film, seed=2, variations=2)
    )


def test_cues_hold_for_their_windows_alone(generator):
    film = frames(120)
    plain = generator.generate(film)[0]
    cue = Cue(start=2.0, end=3.0, prompt="a siren wails")
    cued = generator.generate(film, cues=(cue,))[0]
    differs = np.flatnonzero(np.abs(cued - plain).max(axis=1) > 1e-4) / RATE
    # Windows of 1.28 s; what follows continues a sound that is another one.
    assert 2.0 - 1.28 < differs.min() < 2.6
    general = generator.generate(film, prompt="a siren wails")[0]
    whole = Cue(start=0.0, end=9.0, prompt="a siren wails")
    np.testing.assert_array_equal(generator.generate(film, cues=(whole,))[0], general)
    for prompt in ("", "metal is struck"):
        away = Cue(start=50.0, end=60.0, prompt="a siren wails")
        made = generator.generate(film, prompt=prompt, cues=(away,))[0]
        np.testing.assert_array_equal(made, generator.generate(film, prompt=prompt)[0])


def test_windows_at_shots_sound_as_long_and_are_marked(generator):
    film = np.concatenate([frames(43) // 4, 190 + frames(38) // 4, frames(119) // 4])
    before = generator.compilations
    made = generator.generate(film, seed=1, boundaries="shots")
    assert made.shape == (1, 8 * RATE, 1) and generator.compilations == before
    assert np.abs(made - generator.generate(film, seed=1)).max() > 1e-3
    found = detect(made[0], generator.key, sample_rate=RATE)
    assert found.p_value <= 1e-6 and found.payload == generator.payload


def test_other_weights_share_the_compiled_programs(generator, plain):
    before = generator.compilations
    halved = jax.tree.map(lambda w: 0.5 * w, generator.bundle.weights)
    made = generator.with_weights(halved).generate(CLIP, seed=5)
    assert np.abs(made - plain).max() > 1e-3 and generator.compilations == before
    np.testing.assert_array_equal(generator.generate(CLIP, seed=5), plain)


def test_neighbouring_windows_agree_around_the_cut(generator, system):
    """Latents that are continued are the same latents, and so is their sound beyond the context."""
    plan = plan_windows(1.6, generator.config.buckets, generator.config.overlap)
    windows = cut_windows(iter(frames(40)), plan, FPS)
    (_, first), (_, second) = generator._waves(windows, Wish(seed=1))
    step, middle = round(plan.stride * RATE), round(plan.overlap * RATE / 2)
    near = round(0.02 * RATE)
    a = first[0, step + middle - near : step + middle + near]
    b = second[0, middle - near : middle + near]
    assert np.abs(a - b).max() < 0.05 * np.abs(first).max()
    after = round(plan.overlap * RATE)
    assert np.abs(second[0, after:] - first[0, after:]).max() > 0.2 * np.abs(first).max()


REFUSED = [
    (dict(steps=0), "steps=0"),
    (dict(steps=10**6), "steps=1000000"),
    (dict(variations=0), "variations=0"),
    (dict(variations=10**6), "variations"),
    (dict(seed=-1), "seed=-1"),
    (dict(seed=2**32), "seed"),
    (dict(video_scale=float("nan")), "video_scale=nan"),
    (dict(text_scale=1e39), "text_scale"),
    (dict(guidance_end=1.5), "guidance_end=1.5 is not between 0 and 1"),
    (dict(guidance_rescale=float("nan")), "guidance_rescale=nan"),
    (dict(solver="magic"), "solver 'magic'"),
    (dict(boundaries="magic"), "boundaries=magic"),
    (dict(cues=(Cue(start=1, end=2, prompt="word " * 2000),)), "the cue from 1 s to 2 s: .*long"),
    (dict(prompt="word " * 2000), "prompt is too long: .*10000 characters"),
    (dict(negative_prompt="word " * 2000), "the negative prompt is too long: .*'word word"),
    (dict(prompt="a \udcff"), "prompt 'a .udcff' is not text in Unicode"),
    (dict(cues=(Cue(start=1, end=2, transcript="\ud800"),)), "transcript '.ud800' is not text"),
    (dict(transcript="much too long"), "transcript is too long: 13 tokens, at most 8"),
]


@pytest.mark.parametrize("wish, message", REFUSED)
def test_impossible_wishes_are_refused_before_anything_is_made(generator, wish, message):
    before = generator.compilations
    with pytest.raises(UserError, match=message):
        generator.generate(CLIP, **wish)
    assert generator.compilations == before


@pytest.mark.parametrize(
    "video",
    [CLIP[:0], CLIP[0], CLIP.astype("f"), CLIP[:, :8], CLIP[..., :1]],
    ids=lambda v: str(v.shape),
)
def test_frames_of_another_kind_are_refused(generator, video):
    with pytest.raises(UserError, match="frames"):
        generator.generate(video)
