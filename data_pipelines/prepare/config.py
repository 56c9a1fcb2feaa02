"""What a preparation makes of its clips, and the bounds of its values."""

import dataclasses
import math

from data_pipelines.provenance.policy import check_policy
from v2a_jax.errors import UserError

MODALITIES = ("video", "audio")
FILTERS = ("silent", "still")
BOUNDARIES = ("windows", "shots")
ANNOTATORS = ("sidecar", "labels", "describe", "endpoint")
_BOUNDS = {
    "seconds": (0.1, 600.0),
    "stride": (0.1, 600.0),
    "min_seconds": (0.04, 600.0),
    "fps": (1, 120),
    "size": (8, 1024),
    "sample_rate": (8000, 96000),
    "channels": (1, 2),
    "silence_db": (-200.0, 0.0),
    "stillness": (0, 255),
    "shard_clips": (1, 100_000),
}
_CHOICES = {"require": MODALITIES, "filters": FILTERS, "annotators": ANNOTATORS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """A set of records to be made.

    seconds, stride       length of a window, and from one's beginning to the next's
    min_seconds           what is shorter is dropped
    boundaries            `shots`: a window ends where its shot does, and the next begins with one
    fps, size             of the video; `size` is its width and height in pixels
    sample_rate, channels of the audio
    require               modalities without which a clip is dropped
    filters               `silent`: no sample's level is over `silence_db` (dB of full scale);
                          `still`: no pixel changes by more than `stillness` (of 255)
    annotators            who tells of a window, in order: the first that tells a field has it
    endpoint, endpoint_model   address and model that the annotator `endpoint` asks; '' without it
    policy                what the provenance of a clip must allow
    shard_clips           clips of the source in one shard
    """

    seconds: float
    stride: float
    min_seconds: float
    boundaries: str
    fps: int
    size: int
    sample_rate: int
    channels: int
    require: tuple[str, ...]
    filters: tuple[str, ...]
    silence_db: float
    stillness: int
    annotators: tuple[str, ...]
    endpoint: str
    endpoint_model: str
    policy: str
    shard_clips: int

    @property
    def frames(self) -> int:
        """Video frames of a whole window."""
        return round(self.seconds * self.fps)


def validate(config: PrepareConfig) -> None:
    """UserError that names the first field out of bounds."""
    for name, (low, high) in _BOUNDS.items():
        value = getattr(config, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise UserError(f"prepare: {name} is {value}; it must lie in [{low}, {high}]")
    for name, known in _CHOICES.items():
        given = getattr(config, name)
        wrong = [one for one in given if one not in known or given.count(one) > 1]
        if wrong:
            raise UserError(
                f"prepare: {name} has '{wrong[0]}'; there are {', '.join(known)}, each once"
            )
    if config.boundaries not in BOUNDARIES:
        raise UserError(
            f"prepare: boundaries is '{config.boundaries}', not {' or '.join(BOUNDARIES)}"
        )
    asks = "endpoint" in config.annotators
    if bool(config.endpoint) != asks or bool(config.endpoint_model) != asks:
        raise UserError("prepare: the annotator endpoint, its address and its model go together")
    if config.stride * config.fps < 1 - 1e-9:
        raise UserError(
            f"prepare: stride is {config.stride}, less than a frame of {1 / config.fps:g} s"
        )
    if config.min_seconds > config.seconds:
        raise UserError("prepare: min_seconds is over seconds, so that no window would be left")
    check_policy(config.policy)
