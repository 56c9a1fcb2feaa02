"""What an audit finds, and the rules that make a finding of a clip's measures."""

import dataclasses
from collections.abc import Iterator, Mapping

from data_pipelines.audit.config import AuditConfig

KINDS = {
    "missing": "media or annotations that are not there, or say nothing of use",
    "undecodable": "media or records that cannot be decoded, or hold no numbers",
    "incomplete": "clips without picture or sound, or too short",
    "index": "the index names other clips than the records",
    "leak": "clips that are also in a set of data they must be kept apart from",
    "duplicate": "clips that are in the set twice",
    "silent": "nothing is heard",
    "clipping": "the sound is cut off at full scale",
    "constant": "the sound has a constant part",
    "bandwidth": "the highs are missing: the sound was upsampled from a lower rate",
    "still": "the picture stands still",
    "black": "the picture is black",
    "offset": "picture and sound are apart in time",
    "licence": "the provenance does not allow what the policy asks for",
    "caption": "no caption, or one that very many clips have",
    "transcript": "no transcript where most clips have one, or one that very many have",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong with one clip.

    `value` and `threshold` are numbers where the kind has them; `other` is the copy of a clip.
    """

    clip: str
    kind: str
    detail: str
    value: float | None = None
    threshold: float | None = None
    other: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """A measure that is a fault from `threshold`, a field of the config, on; or up to it."""

    kind: str
    measure: str
    threshold: str
    says: str
    up_to: bool = False

    def broken(self, value: float, config: AuditConfig) -> bool:
        """Whether a clip with this value is faulty."""
        threshold = getattr(config, self.threshold)
        return value <= threshold if self.up_to else abs(value) >= threshold


RULES = (
    Rule(
        kind="silent",
        measure="silent",
        threshold="silent_share",
        says="{:.0%} of the sound is silent",
    ),
    Rule(
        kind="clipping",
        measure="clipped",
        threshold="clipped_share",
        says="{:.2%} of the samples are clipped",
    ),
    Rule(
        kind="constant",
        measure="constant",
        threshold="constant",
        says="{:.1%} of full scale is constant",
    ),
    Rule(
        kind="bandwidth",
        measure="bandwidth",
        threshold="bandwidth",
        says="nothing above {:.0%} of the band",
        up_to=True,
    ),
    Rule(
        kind="still",
        measure="still",
        threshold="still_share",
        says="{:.0%} of the frames are still",
    ),
    Rule(
        kind="black",
        measure="black",
        threshold="black_share",
        says="{:.0%} of the frames are black",
    ),
    Rule(
        kind="offset",
        measure="offset",
        threshold="offset_seconds",
        says="the sound comes {:+.2f} s after the picture",
    ),
)


def judged(clip: str, measures: Mapping[str, float], config: AuditConfig) -> Iterator[Finding]:
    """Findings of the rules that a clip's measures break; what is not measured breaks none."""
    for rule in RULES:
        value = measures.get(rule.measure)
        if value is not None and rule.broken(value, config):
            yield Finding(
                clip=clip,
                kind=rule.kind,
                detail=rule.says.format(value),
                value=value,
                threshold=getattr(config, rule.threshold),
            )
