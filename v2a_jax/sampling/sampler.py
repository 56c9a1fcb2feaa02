"""The sampler: one jitted function from frames, token ids and a seed to a marked waveform.

Conditions are encoded once; guidance branches, variations and the candidates for each are one
batch; the ODE is one `lax.scan`; the best candidate is chosen and the mark is added before anything
leaves. Compiled once for each shape of request.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from v2a_jax.diffusion import guidance, solvers
from v2a_jax.diffusion.guidance import Branches, Guidance
from v2a_jax.errors import UserError
from v2a_jax.models.system import System
from v2a_jax.sharding import repeat_rows, reshape_rows
from v2a_jax.types import Array, Conditions, Params
from v2a_jax.watermark import embed, grid
from v2a_jax.watermark.key import Pattern
from v2a_jax.watermark.mask import DepthConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """`buckets` are the clip lengths compiled for, `overlap` what two windows share: seconds.

    Scales, interval (times 0..1) and rescale are those of `diffusion/guidance.py`.
    """

    steps: int
    solver: str
    video_scale: float
    text_scale: float
    transcript_scale: float
    guidance_begin: float
    guidance_end: float
    guidance_rescale: float
    buckets: tuple[float, ...]
    overlap: float

    @property
    def guidance(self) -> Guidance:
        """These settings, as a request carries them."""
        return Guidance(
            video=np.float32(self.video_scale),
            text=np.float32(self.text_scale),
            transcript=np.float32(self.transcript_scale),
            begin=np.float32(self.guidance_begin),
            end=np.float32(self.guidance_end),
            rescale=np.float32(self.guidance_rescale),
        )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """N candidates for each soundtrack, of which the one is kept that suits the picture best.

    seeds uint32[B,V,N], the first of them the soundtrack's own; shown int32[B], how many of the
    frames are the video's own and not its last one held.
    """

    seeds: Array
    shown: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """B videos, V variations of each, K latents handed on from the window before.

    video uint8[B,F,H,W,3]; prompt, negative int32[B,L]; transcript int32[B,M]; seed uint32[B,V];
    window int32[] its number; prefix float32[B,V,K,L] and has_prefix bool[]; start int32[], the
    watermark cell at which it begins; payload int32[16]. `negative` and `transcript` are None where
    no row has one: a program without them computes less. Without a `choice` the sound of `seed` is
    the only candidate.
    """

    video: Array
    prompt: Array
    negative: Array | None
    transcript: Array | None
    seed: Array
    window: Array
    prefix: Array
    has_prefix: Array
    start: Array
    payload: Array
    guidance: Guidance
    choice: Choice | None = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Aside:
    """What comes beside the sound.

    latents float32[B,V,T,L], which the next window continues; agreement float32[B,V,N] of each
    candidate with the picture, and chosen int32[B,V], which of them is the best: None where there
    was nothing to choose.
    """

    latents: Array
    agreement: Array | None
    chosen: Array | None


class Sampler:
    """Compiled functions of one system; weights and key material are arguments."""

    def __init__(self, system: System, depth: DepthConfig, *, steps: int, solver: str):
        if solver not in solvers.SOLVERS:
            raise UserError(f"solver '{solver}' is not one of: {', '.join(solvers.SOLVERS)}")
        self.system, self.depth = system, depth
        self.steps, self.solver = steps, solver
        self._jitted = jax.jit(self.sample)

    @property
    def compilations(self) -> int:
        """How many programs were compiled so far: one for each shape of request."""
        return self._jitted._cache_size()

    def __call__(self, weights: Params, pattern: Pattern, request: Request) -> tuple[Array, Aside]:
        """Marked waveforms float32[B,V,N,C], and what comes beside them."""
        return self._jitted(weights, pattern, request)

    def sample(self, weights: Params, pattern: Pattern, request: Request) -> tuple[Array, Aside]:
        """What `__call__` compiles."""
        videos, variations = request.seed.shape
        seeds = request.seed[..., None] if request.choice is None else request.choice.seeds
        rows = variations * seeds.shape[2]
        seen = self._seen(weights, request)
        given = self._branches(weights, request, seen, rows)
        latents = self._integrate(weights, given, request, seeds)
        agreement = chosen = None
        if request.choice is not None:
            agreement = self._agreement(weights, request, request.choice, seen.sync, latents)
            chosen, latents = best(agreement, latents)
        audio = self.system.codec.apply(weights["codec"], latents, method="to_audio")
        marked = embed.embed(
            limited(audio + room_tone(request, audio.shape[1:])),
            pattern,
            request.payload,
            sample_rate=self.system.codec_config.sample_rate,
            depth=self.depth,
            offset=mark_phase(request.seed) + request.start,
        )

        def by_video(x: Array) -> Array:
            return reshape_rows(x, (videos, variations, *x.shape[1:]))

        aside = Aside(latents=by_video(latents), agreement=agreement, chosen=chosen)
        return by_video(marked), aside

    def _seen(self, weights: Params, request: Request) -> Conditions:
        """All conditions of each video, from one pass of the encoders."""
        there = jnp.ones_like(request.seed[:, 0], bool)
        mute = jnp.zeros_like(request.prompt[:, :1])
        said = mute if request.transcript is None else request.transcript
        return self.system.conditions(weights, request.video, request.prompt, said, there)

    def _branches(
        self, weights: Params, request: Request, prompted: Conditions, rows: int
    ) -> Branches:
        """The branches of so many rows of each video."""
        repeated = functools.partial(repeat_rows, times=rows)
        return guidance.branches(
            jax.tree.map(repeated, prompted),
            jax.tree.map(repeated, self._opposed(weights, request, prompted)),
            spoken=request.transcript is not None,
        )

    def _agreement(
        self, weights: Params, request: Request, choice: Choice, sync: Array, latents: Array
    ) -> Array:
        """How well each candidate suits its picture and prompt, [B,V,N]."""
        _, variations, candidates = choice.seeds.shape
        repeated = functools.partial(repeat_rows, times=variations * candidates)
        agreement = self.system.agreement(
            weights, latents, repeated(sync), repeated(choice.shown), repeated(request.prompt)
        )
        return reshape_rows(agreement, choice.seeds.shape)

    def _opposed(
        self, weights: Params, request: Request, prompted: Conditions
    ) -> Conditions | None:
        """The conditions with the negative prompt in the prompt's place."""
        if request.negative is None:
            return None
        text, text_mask = self.system.read(weights, request.negative)
        there = jnp.any(request.negative != 0, axis=1)
        return dataclasses.replace(prompted, text=text, text_mask=text_mask, use_text=there)

    def _integrate(
        self, weights: Params, given: Branches, request: Request, seeds_BVN: Array
    ) -> Array:
        """Latents [B V N, T, latent] of seeded noise, continuing the prefix where there is one."""
        system = self.system
        length = round(
            request.video.shape[1] / system.video_config.fps * system.codec_config.latent_rate
        )
        shape = (length, system.codec_config.latent)
        keys = seeded(seeds_BVN, request.window)
        noise = jax.vmap(lambda key: jax.random.normal(key, shape))(keys)
        # A clip shorter than the overlap of long ones continues nothing: what is too much is cut.
        prefix = reshape_rows(request.prefix, (request.seed.size, *request.prefix.shape[2:]))
        prefix = repeat_rows(prefix[:, :length], seeds_BVN.shape[2])
        kept = prefix.shape[1]

        def continued(x_BTL: Array, t: Array) -> Array:
            known = system.path.point(prefix, noise[:, :kept], jnp.full(prefix.shape[:1], t))
            head = jnp.where(request.has_prefix, known, x_BTL[:, :kept])
            return jnp.concatenate([head, x_BTL[:, kept:]], axis=1)

        velocity = guidance.guided(
            functools.partial(system.dit.apply, weights["dit"]),
            given,
            request.guidance,
        )
        times = system.path.grid(self.steps)
        return solvers.integrate(velocity, noise, times, solver=self.solver, project=continued)


KNEE, CEILING = 0.8, 0.95
ROOM_TONE = 2.5e-4  # -72 dBFS


def room_tone(request: Request, shape: tuple[int, int]) -> Array:
    """Noise that is hardly heard, float32[B V,N,C]: digital silence could not carry a mark."""
    keys = seeded(request.seed, 0x746F6E65, request.window)
    return ROOM_TONE * jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


def best(agreement_BVN: Array, latents_RTL: Array) -> tuple[Array, Array]:
    """Which of N agrees best, int32[B,V], and its latents [B V,T,L] among [B V N,T,L]."""
    *_, candidates = agreement_BVN.shape
    chosen_BV = jnp.argmax(agreement_BVN, axis=2).astype(jnp.int32)
    chosen = reshape_rows(chosen_BV, (chosen_BV.size, 1, 1, 1))
    each = (chosen_BV.size, candidates, *latents_RTL.shape[1:])
    return chosen_BV, jnp.take_along_axis(reshape_rows(latents_RTL, each), chosen, axis=1)[:, 0]


def seeded(seeds: Array, *labels: Array | int) -> Array:
    """One key a row from its seed, of an array whose first axis is of videos, and its purpose."""

    def key(seed: Array) -> Array:
        return functools.reduce(jax.random.fold_in, labels, jax.random.key(seed))

    return jax.vmap(key)(reshape_rows(seeds, (seeds.size,)))


def limited(audio: Array) -> Array:
    """Samples beyond the knee bent towards the ceiling: sample by sample, so that windows agree."""
    beyond = jnp.maximum(jnp.abs(audio) - KNEE, 0.0)
    room = CEILING - KNEE
    return jnp.clip(audio, -KNEE, KNEE) + jnp.sign(audio) * room * jnp.tanh(beyond / room)


def mark_phase(seed_BV: Array) -> Array:
    """Where in the watermark's period each row starts, int32[B V]: drawn from its seed."""
    keys = seeded(seed_BV, 0x6D61726B)
    return jax.vmap(lambda key: jax.random.randint(key, (), 0, grid.PERIOD))(keys)
