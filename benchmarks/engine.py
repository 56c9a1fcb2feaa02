"""Where the pitch of engines is lost: in finding phases, in the latents, or in the transformer.

Share of the time within 50 cents of the wheel's turning, by how high the true pitch is, of the
same clips: with the true magnitudes and the phases that the codec finds for them, through the
codec's latents and back, and generated. Prints a markdown table.
"""

import argparse
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from worlds import clips_of

from configs import base
from data_pipelines.schema import ClipRecord
from v2a_jax.config import build
from v2a_jax.evaluation import pitch
from v2a_jax.evaluation.following import ENGINE_HZ
from v2a_jax.evaluation.protocol import EvaluationConfig
from v2a_jax.evaluation.soundtracks import render
from v2a_jax.evaluation.spectral import mono
from v2a_jax.models import spectral
from v2a_jax.sampling.generator import Generator, load_generator

EDGES = (0, 50, 70, 90, 120, 400)  # Hz


def rephased(generator: Generator, audio_BNC: np.ndarray) -> np.ndarray:
    """The true magnitudes with the codec's way to phases: float32[B,N]."""
    codec = generator.bundle.system.codec_config
    size = jnp.abs(spectral.stft(jnp.asarray(audio_BNC[..., 0]), codec.window, codec.hop))
    phase = spectral.steady_phase(size.shape[1], codec.window, codec.hop)
    find = jax.jit(spectral.with_consistent_phase, static_argnums=(2, 3, 4))
    return np.asarray(find(size, phase, codec.window, codec.hop, codec.refine))


def near(
    sounds: Sequence[np.ndarray], clips: Sequence[ClipRecord]
) -> tuple[np.ndarray, np.ndarray]:
    """True pitch of each moment, Hz, and whether it is heard: float[M], bool[M]."""
    true, right = [], []
    for sound, clip in zip(sounds, clips, strict=True):
        hz, f0 = clip.curves["f0"]
        times, heard = pitch.track(sound, clip.sample_rate, low=ENGINE_HZ[0], high=ENGINE_HZ[1])
        true.append(np.interp(times, np.arange(len(f0)) / hz, f0))
        right.append(np.abs(pitch.cents(heard, true[-1])) <= pitch.NEAR_CENTS)
    return np.concatenate(true), np.concatenate(right)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", required=True, help="a bundle that knows engines")
    parser.add_argument("--clips", type=int, default=40, help="held-out clips")
    options = parser.parse_args()
    generator = load_generator(options.bundle)
    clips = clips_of(generator.bundle.config, ("engine",), options.clips)
    protocol = build(EvaluationConfig, base.get_config().evaluation.protocol)
    tracks = render(
        generator,
        clips,
        batch=protocol.batch,
        seed=protocol.seed,
        amounts=protocol.amounts,
        artefacts={},
        untrained=None,
        training=(),
        conditions=("prompted",),
    )
    ways = {
        "true magnitudes": rephased(generator, np.stack([clip.audio for clip in clips])),
        "round trip": [mono(tracks.round_trip[i]) for i in range(len(clips))],
        "generated": [mono(tracks.prompted[i]) for i in range(len(clips))],
    }
    bands = list(zip(EDGES, EDGES[1:], strict=False))
    print(f"| true pitch, Hz | {' | '.join(f'{low}–{high}' for low, high in bands)} |")
    print(f"|---|{'---|' * len(bands)}")
    for name, sounds in ways.items():
        true, right = near(sounds, clips)
        shares = [right[(low <= true) & (true < high)].mean() for low, high in bands]
        print(f"| {name} | {' | '.join(f'{share:.2f}' for share in shares)} |")


if __name__ == "__main__":
    main()
