"""The manifest beside each result: all that decides how it came out, and what it is."""

import dataclasses
import importlib.metadata
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from v2a_jax.media.files import atomic_output, file_sha256
from v2a_jax.sampling.delivery import Delivery
from v2a_jax.sampling.generator import Generator
from v2a_jax.sampling.note import Note, quality
from v2a_jax.sampling.results import manifest_of
from v2a_jax.sampling.wish import SETTINGS, Wish

PACKAGES = ("v2a-jax", "jax", "flax", "numpy", "av")


def request(
    generator: Generator, video: pathlib.Path, wish: Wish, delivery: Delivery
) -> dict[str, Any]:
    """What a soundtrack is made from: enough to make it again, and nothing secret.

    The seed is the first variation's.
    """
    own, signed = dataclasses.asdict(generator.config) | wish.settings, delivery.credentials
    return {
        "source": {"name": video.name, "sha256": file_sha256(video)},
        "bundle_sha256": generator.bundle.digest,
        **wish.texts()._asdict(),
        "cues": [dataclasses.asdict(cue) for cue in wish.cues],
        "boundaries": wish.boundaries,
        "seed": wish.seed,
        "best_of": wish.best_of,
        **{name: own[name] for name in SETTINGS},
        "original": delivery.original,
        "loudness": delivery.loudness,
        "stems": delivery.stem_suffix if delivery.stems else None,
        "certificate_sha256": signed.fingerprint if signed else None,
        "sample_rate": generator.sample_rate,
        "watermark": {"key_id": generator.key.key_id, "payload": generator.payload},
    }


def choices(notes: Sequence[Note], variation: int) -> list[dict[str, Any]]:
    """For each window, which seed's sound was kept, and how well every candidate agreed."""
    return [
        {
            "start": note.start,
            "seed": note.seeds[variation],
            "agreements": note.agreements[variation],
        }
        for note in notes
        if note.agreements[variation]
    ]


def write_manifest(
    out: pathlib.Path, asked: dict[str, Any], samples: int, notes: Sequence[Note], variation: int
) -> None:
    """Writes the manifest of a finished result of so many generated samples."""
    told = {
        **asked,
        "samples": samples,
        "choices": choices(notes, variation),
        "quality": quality(notes),
        "output": {"name": out.name, "sha256": file_sha256(out)},
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    with atomic_output(manifest_of(out)) as file:
        file.write(json.dumps(told, indent=2, sort_keys=True).encode() + b"\n")


def is_finished(out: pathlib.Path, asked: dict[str, Any]) -> bool:
    """Whether a result is there, is what its manifest says, and that is what is asked for."""
    try:
        told = json.loads(manifest_of(out).read_bytes())
        same = all(told[name] == value for name, value in asked.items())
        return same and told["output"]["sha256"] == file_sha256(out)
    except (OSError, ValueError, KeyError, TypeError):
        return False
