"""`tfds:NAME`: a TFDS dataset in ArrayRecord files, prepared below --input; no TensorFlow needed.

Of an example's features it takes `audio`, `video` (with `fps`), `caption` or `description`,
`transcript` or `text`, `label` or `labels`, where they are.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.tables import BAD_ROW, bad_row
from data_pipelines.sources.tfds_examples import Examples, address, version_folder
from v2a_jax.errors import UserError

CAPTIONS = ("caption", "description")
TRANSCRIPTS = ("transcript", "text", "normalized_text", "sentence")
LABELS = ("label", "labels")


def read(request: Request) -> Iterator[Found]:
    """A clip for each example of each split; it refers to the example, and holds no media."""
    if not request.argument:
        raise UserError("--source=tfds:NAME needs the dataset's name")
    folder = version_folder(request.path, request.argument)
    for split in Examples.splits(folder):
        examples = Examples(folder, split)
        if not examples.heard and not examples.seen:
            raise UserError(f"{folder}: its examples have neither audio nor video")
        for index in range(len(examples)):
            try:
                yield _clip(request.argument, examples, index)
            except BAD_ROW as error:
                yield bad_row(address(folder, split, index), error)


def _clip(name: str, examples: Examples, index: int) -> SourceClip:
    example = examples.annotations(index)
    labels = [one for key in LABELS if key in example for one in np.atleast_1d(example[key])]
    return SourceClip(
        uid=f"{examples.split}/{index:09d}",
        dataset=f"tfds-{name.replace('/', '-')}",
        media=address(examples.folder, examples.split, index),
        captions=tuple(filter(None, (_text(example.get(key, "")) for key in CAPTIONS))),
        transcript=next((_text(example[key]) for key in TRANSCRIPTS if key in example), ""),
        labels=tuple(filter(None, map(_text, labels))),
        split={"validation": "val"}.get(examples.split, examples.split),
        rights=_rights(example),
    )


def _rights(example: dict[str, Any]) -> Rights:
    """What a record of ours tells of its licence; another dataset's examples tell nothing."""
    try:
        told = json.loads(_text(example["annotations"]))
        licence, provenance = told["meta"]["licence"], told["provenance"]
    except BAD_ROW:
        return Rights()
    evidence = provenance if licence == "procedural" else ""
    return Rights(licence=licence, evidence=evidence, consent="contract" if evidence else "none")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
