"""What an audit takes for a fault: the thresholds of its findings, with their bounds."""

import dataclasses
import math

from data_pipelines.provenance.policy import check_policy
from v2a_jax.errors import UserError

_BOUNDS = {
    "stillness": (0, 255),
    "black_level": (0, 255),
    "still_share": (0.0, 1.0),
    "black_share": (0.0, 1.0),
    "silence_db": (-150.0, 0.0),
    "silent_share": (0.0, 1.0),
    "clipped_share": (0.0, 1.0),
    "constant": (0.0, 1.0),
    "bandwidth": (0.0, 1.0),
    "offset_seconds": (0.0, 10.0),
    "offset_confidence": (0.0, 10.0),
    "picture_bits": (0.0, 0.5),
    "sound_bits": (0.0, 0.5),
    "repeated_share": (0.0, 1.0),
    "transcript_share": (0.0, 1.0),
    "pictures": (0, 100),
    "chunk_clips": (1, 100_000),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditConfig:
    """Thresholds; a value at one is a finding.

    stillness, still_share    a frame is still when no cell of a 32x32 grid changes by more than
                              `stillness` (of 255); share of a clip's frames that may be
    black_level, black_share  a frame is black when no cell is brighter; share that may be
    silence_db, silent_share  50 ms are silent below this level, dB of full scale; share that may be
    clipped_share             of samples in runs at full scale
    constant                  mean of the samples (DC), of full scale
    bandwidth                 of half the sample rate: below it, the sound was upsampled
    offset_seconds            between picture and sound, where `offset_confidence` is reached
    picture_bits, sound_bits  share of fingerprint bits in which copies may differ
    repeated_share            of all clips that may have one and the same caption or transcript
    transcript_share          of clips with a transcript, from which on one that has none is a gap
    policy                    what the provenance of a clip must allow
    pictures                  clips of each kind of finding that are shown
    chunk_clips               clips a worker takes at once
    """

    stillness: int
    still_share: float
    black_level: int
    black_share: float
    silence_db: float
    silent_share: float
    clipped_share: float
    constant: float
    bandwidth: float
    offset_seconds: float
    offset_confidence: float
    picture_bits: float
    sound_bits: float
    repeated_share: float
    transcript_share: float
    policy: str
    pictures: int
    chunk_clips: int


def validate(config: AuditConfig) -> None:
    """UserError that names the first field out of bounds."""
    for name, (low, high) in _BOUNDS.items():
        value = getattr(config, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise UserError(f"audit: {name} is {value}; it must lie in [{low}, {high}]")
    check_policy(config.policy)
