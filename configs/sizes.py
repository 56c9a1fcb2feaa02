"""What the models of a config are made of, by arithmetic: parameters, and what a step keeps.

Counts leave out norms, biases and taps: within 2 % of the models' own (`tests/test_hardware.py`).
"""

import dataclasses
import math

from ml_collections import ConfigDict

# Parameters of a block of width 1: attention q k v 3, out 1, MLP 4 + 4; a ConvNeXt's MLP 3 + 3; a
# stream of the diffusion transformer has modulation 6 besides.
ATTENDING, CONVOLVING, MODULATED = 12, 6, 18
# Float32 numbers that a step keeps for each sample and window whose spectra are compared, for each
# value of a discriminator's feature maps, for each value of a pixel, and for each pair of frames.
SPECTRA, JUDGED, PIXELS, CONTRAST = 16, 5, 4, 4
# The parts that a stage trains, and those that it holds frozen.
TRAINED = {
    "codec": ("codec",),
    "perception": ("video", "text", "tower"),
    "diffusion": ("dit",),
}
FROZEN = {"codec": (), "perception": ("codec",), "diffusion": ("codec", "video", "text")}


@dataclasses.dataclass(frozen=True)
class Stack:
    """`blocks` of a width over so many tokens of an example, which are `modulated`, `attending` or
    `convolving`; where they attend, each token with so many `heads` to so many `keys`."""

    kind: str
    blocks: int
    tokens: int
    width: int
    heads: int = 0
    keys: int = 0

    @property
    def numbers(self) -> int:
        """Numbers of one block's input."""
        return self.tokens * self.width

    @property
    def pairs(self) -> int:
        """Logits of one block."""
        return self.heads * self.tokens * self.keys


def latents(config: ConfigDict) -> int:
    """Latents of an example."""
    codec = config.model.codec
    return round(config.data.loader.seconds * codec.sample_rate / (codec.hop * codec.stride))


def frames(config: ConfigDict) -> int:
    """Frames of an example."""
    return round(config.data.loader.seconds * config.model.video.fps)


def parameters(config: ConfigDict, part: str) -> int:
    """About how many the codec, video, text, tower or dit has."""
    return PARAMETERS[part](config)


def _codec(config: ConfigDict) -> int:
    c = config.model.codec
    features = c.channels * (c.window // 2 + 1) * (1 if c.refine else 3)
    blocks = CONVOLVING * (c.frame_blocks * c.frame_width**2 + c.blocks * c.width**2)
    ends = 1.5 * c.latent * c.width
    return round(
        2 * (features * c.frame_width + blocks + c.frame_width * c.stride * c.width + ends)
    )


def _video(config: ConfigDict) -> int:
    c = config.model.video
    pooled = (c.size // (c.patch * c.merge)) ** 2 * c.narrow
    stem = 6 * c.patch**2 * c.stem_width + c.merge**2 * c.stem_width * c.space_width
    space = ATTENDING * c.space_blocks * c.space_width**2 + c.space_width * c.narrow
    time = (ATTENDING * c.blocks + CONVOLVING * c.reach + 2) * c.width**2
    return stem + space + time + 3 * pooled * c.width


def _text(config: ConfigDict) -> int:
    c = config.model.text
    return (c.vocabulary + c.length) * c.width + (ATTENDING * c.blocks + 1) * c.width**2


def _tower(config: ConfigDict) -> int:
    """With the heads of the perception stage."""
    c, video, text = config.model.perception, config.model.video.width, config.model.text.width
    tower = (CONVOLVING * c.blocks + 2) * c.width**2 + 2 * c.width * c.embedding
    return tower + (video + text) * c.embedding + 2 * video * 3 * c.picture**2


def _dit(config: ConfigDict) -> int:
    c, video, text = config.model.dit, config.model.video.width, config.model.text.width
    streams = 3 * c.joint_blocks + c.audio_blocks
    ends = 7 * c.width**2 + (2 * video + text + 512) * c.width
    return MODULATED * streams * c.width**2 + ends


PARAMETERS = {"codec": _codec, "video": _video, "text": _text, "tower": _tower, "dit": _dit}


def stacks(config: ConfigDict) -> tuple[Stack, ...]:
    """The stacks whose activations a step of the config's stage keeps for its backward pass."""
    return STACKS[config.stage](config)


def _codec_stacks(config: ConfigDict) -> tuple[Stack, ...]:
    c, count = config.model.codec, latents(config)
    return (
        Stack("convolving", 2 * c.frame_blocks, count * c.stride, c.frame_width),
        Stack("convolving", 2 * c.blocks, count, c.width),
    )


def _perception_stacks(config: ConfigDict) -> tuple[Stack, ...]:
    """Twice what is seen where it is also seen degraded."""
    v, t, count = config.model.video, config.model.text, frames(config)
    times = 2 if config.data.loader.degrade else 1
    patches = (v.size // (v.patch * v.merge)) ** 2
    return (
        # A frame's patches attend to each other alone.
        Stack(
            "attending",
            times * v.space_blocks,
            count * patches,
            v.space_width,
            v.space_heads,
            patches,
        ),
        Stack("convolving", times * v.reach, count, v.width),
        Stack("attending", times * v.blocks, count, v.width, v.heads, count),
        Stack("attending", t.blocks, t.length, t.width, t.heads, t.length),
    )


def _diffusion_stacks(config: ConfigDict) -> tuple[Stack, ...]:
    c, model = config.model.dit, config.model
    seen = math.ceil(frames(config) / model.video.semantic_frames)
    tokens = latents(config) + seen + model.text.length
    return (Stack("modulated", c.joint_blocks + c.audio_blocks, tokens, c.width, c.heads, tokens),)


STACKS = {
    "codec": _codec_stacks,
    "perception": _perception_stacks,
    "diffusion": _diffusion_stacks,
}


def _codec_ends(config: ConfigDict) -> float:
    loss, judges = config.codec_loss, config.model.discriminators
    samples = config.data.loader.seconds * config.model.codec.sample_rate
    heard = loss.mel or loss.stft or loss.phase
    spectra = SPECTRA * len(loss.windows) * config.model.codec.channels if heard else 0
    # Feature maps: strides of 3 from the waveform, of 2 from a spectrogram of 2 numbers a sample.
    maps = 0.5 * len(judges.periods) + 2 * len(judges.windows)
    judged = JUDGED * judges.width * maps if loss.adversarial else 0
    return 4 * samples * (spectra + judged)


def _perception_ends(config: ConfigDict) -> float:
    """Every frame is compared with all others of the batch, both ways."""
    times = 2 if config.data.loader.degrade else 1
    compared = math.ceil(frames(config) / config.perception_loss.every) ** 2
    pixels = 3 * config.model.video.size**2 * frames(config)
    return 4 * (times * PIXELS * pixels + CONTRAST * compared * config.run.batch_size)


def ends(config: ConfigDict) -> int:
    """Bytes that a step keeps of an example outside of the stacks: pixels, spectra, comparisons."""
    return round(ENDS[config.stage](config))


ENDS = {"codec": _codec_ends, "perception": _perception_ends, "diffusion": lambda config: 0}
