"""Of several candidates the one is kept that suits the picture best, and nothing else changes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_system import FPS, SIZE

from v2a_jax.errors import UserError
from v2a_jax.models.perception import timing
from v2a_jax.sampling.sampler import Sampler, best
from v2a_jax.sampling.wish import MOST_VARIATIONS, Texts, Wish

FILM = np.random.default_rng(3).integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
PROMPT = "a siren wails"


def test_what_happens_in_time_agrees_more_than_what_does_not():
    rng, shown = np.random.default_rng(0), jnp.array([20, 20])
    seen = rng.standard_normal((1, 25, 8)).astype("f").repeat(2, 0)
    heard = seen + 0.3 * rng.standard_normal(seen.shape).astype("f")
    heard[1] = np.roll(heard[1], 3, axis=0)
    right, late = timing(seen, heard, 10.0, shown)
    assert -1 < right < 0 and late < right - 1
    np.testing.assert_allclose(timing(heard, seen, 10.0, shown), [right, late], rtol=1e-5)
    heard[:, 20:], seen[:, 20:] = 9.0, -1.0
    np.testing.assert_allclose(timing(seen, heard, 10.0, shown), [right, late], rtol=1e-6)


@pytest.mark.parametrize("still", ["seen", "heard", "both"])
def test_silence_and_standing_pictures_agree_as_a_guess_does(still):
    moving = np.random.default_rng(0).standard_normal((1, 25, 8)).astype("f")
    seen = 0 * moving if still != "heard" else moving
    heard = 0 * moving if still != "seen" else moving
    np.testing.assert_allclose(timing(seen, heard, 50.0, jnp.array([16])), -np.log(16), rtol=1e-5)


def test_the_best_candidate_of_each_soundtrack_is_taken():
    agreement = np.array([[[-3, -1, -2], [0, -5, -9]], [[-4, -4.5, -3.9], [-2, -3, -1]]], "f")
    latents = np.random.default_rng(0).standard_normal((12, 5, 2)).astype("f")
    chosen, kept = best(agreement, latents)
    np.testing.assert_array_equal(chosen, [[1, 0], [2, 2]])
    np.testing.assert_array_equal(kept, latents[[1, 3, 8, 11]])


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_no_candidate_is_that_of_another_variation(seed):
    for variations in range(1, MOST_VARIATIONS + 1):
        wish = Wish(seed=seed, variations=variations, best_of=MOST_VARIATIONS // variations)
        assert len(np.unique(wish.seeds)) == wish.seeds.size
        own = [(seed + v) % 2**32 for v in range(variations)]
        np.testing.assert_array_equal(wish.seeds[:, 0], own)
        assert [wish.seed_of(v) for v in range(variations)] == own
    # Nor that of any variation that could be asked for beside it.
    many = Wish(seed=seed, best_of=MOST_VARIATIONS).seeds[0].astype(np.int64)
    beside = [(a - b) % 2**32 for a, b in itertools.permutations(many, 2)]
    assert min(beside) >= MOST_VARIATIONS


@pytest.mark.parametrize(
    "wish, message",
    [
        (dict(best_of=0), "best_of=0 is not between 1 and 64"),
        (dict(best_of=-2), "best_of=-2"),
        (dict(best_of=65), "best_of=65"),
        (dict(best_of=9, variations=8), "variations=8 times best_of=9 is 72 candidates: at most"),
    ],
)
def test_too_few_and_too_many_candidates_are_refused(generator, wish, message):
    with pytest.raises(UserError, match=message):
        generator.generate(FILM, **wish)


@pytest.fixture(scope="module")
def film_of_three(generator):
    """Two variations of a film of two windows, each the best of three: sound, notes, calls."""
    calls, notes, call = [], [], Sampler.__call__

    def listen(self, weights, pattern, request):
        calls.append((request, call(self, weights, pattern, request)[1]))
        return call(self, weights, pattern, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sampler, "__call__", listen)
        wish = dict(seed=11, variations=2, best_of=3, prompt=PROMPT)
        made = generator.generate(FILM, note=notes.append, **wish)
    return made, notes, calls


@pytest.mark.slow
def test_it_is_the_best_of_those_that_are_made_alone(generator, film_of_three):
    """Each window's candidates again, as soundtracks of their own: the same latents, and choice."""
    _, notes, calls = film_of_three
    seeds, system = Wish(seed=11, variations=2, best_of=3).seeds, generator.bundle.system
    for index, (request, aside) in enumerate(calls):
        apart = np.repeat(request.prefix, 3, axis=1)
        again = generator._request(
            request.video,
            [Texts(PROMPT)],
            seeds.reshape(1, 6, 1),
            Wish(),
            every=[Texts(PROMPT)],
            index=index,
            shared=apart if index else None,
            start=notes[index].start,
        )
        _, alone = generator._sampler(Wish())(generator._weights, generator._pattern, again)
        latents = np.asarray(alone.latents)[0]
        agreement = system.agreement(
            generator.bundle.weights,
            latents,
            np.repeat(system.see(generator.bundle.weights, request.video)[0], 6, axis=0),
            np.repeat(request.choice.shown, 6),
            jnp.repeat(request.prompt, 6, axis=0),
        ).reshape(2, 3)
        np.testing.assert_allclose(agreement, aside.agreement[0], atol=2e-3)
        np.testing.assert_allclose(agreement, notes[index].agreements, atol=2e-3)
        chosen = np.argmax(agreement, axis=1)
        for v in range(2):
            assert notes[index].seeds[v] == seeds[v, chosen[v]]
            kept, wanted = aside.latents[0, v], latents.reshape(2, 3, *latents.shape[1:])[v]
            np.testing.assert_allclose(kept, wanted[chosen[v]], atol=2e-3)
            other = wanted[(chosen[v] + 1) % 3]
            assert np.abs(kept - other).max() > 0.1
    assert {seed for note in notes for seed in note.seeds} - set(seeds[:, 0].tolist())


@pytest.mark.slow
def test_a_batch_keeps_the_best_of_as_many(generator):
    clip, notes = FILM[: round(generator.seconds * FPS)], []
    made = generator.generate(clip, best_of=3, seed=11, prompt=PROMPT, note=notes.append)
    assert len(set(notes[0].agreements[0])) == 3
    choosing = generator.with_candidates(3)
    (again,) = choosing.generate_batch(clip[None], [PROMPT], [""], [""], [11])
    np.testing.assert_allclose(again, made[0], atol=2e-4)
    (first,) = generator.generate_batch(clip[None], [PROMPT], [""], [""], [11])
    assert (notes[0].seeds == (11,)) == np.allclose(first, again, atol=2e-4)
    with pytest.raises(UserError, match="best_of=0"):
        generator.with_candidates(0)


@pytest.mark.slow
def test_a_window_continues_what_was_chosen_before_it(generator, film_of_three):
    made, notes, calls = film_of_three
    (_, first), (second, _) = calls
    assert made.shape == (2, 1.6 * 16000, 1) and notes[0].start == 0
    step, kept = round(notes[1].start * FPS), second.prefix.shape[2]
    np.testing.assert_array_equal(second.prefix, first.latents[:, :, step : step + kept])
    assert calls[0][0].choice.shown == [32] and calls[1][0].choice.shown == [40 - step]
    assert sum(note.heard for note in notes) == pytest.approx(1.6)


def test_one_candidate_needs_no_judge(generator):
    """The program of best_of=1 never touches the tower and the heads; that of two needs them."""
    weights = {k: v for k, v in generator.bundle.weights.items() if k not in ("tower", "heads")}

    def trace(best_of):
        wish = Wish(best_of=best_of)
        asked = generator._request(FILM[None, :16], [Texts()], wish.seeds[None], wish, every=[])
        sampler = generator._sampler(wish)
        return jax.eval_shape(sampler.sample, weights, generator._pattern, asked)

    audio, aside = trace(1)
    assert audio.shape == (1, 1, 0.64 * 16000, 1) and aside.agreement is aside.chosen is None
    with pytest.raises(KeyError, match="tower"):
        trace(2)
