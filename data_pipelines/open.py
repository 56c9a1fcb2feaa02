"""From a config to its clips, its tokenizer and its loader."""

import pathlib
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from data_pipelines.features.example import FeatureExample
from data_pipelines.features.origin import check_origin
from data_pipelines.features.source import FeatureSource, is_store
from data_pipelines.loader import Loader, Source, Stream, read_ahead
from data_pipelines.provenance.allowed import AllowedSource, allowed
from data_pipelines.provenance.policy import check_policy
from data_pipelines.records import RecordSource
from data_pipelines.transforms import LoaderConfig
from data_pipelines.world.config import WorldConfig
from data_pipelines.world.source import WorldSource, world_caption
from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.models.tokenizer import Tokenizer, train_tokenizer

WORLD = "world"
TOKENIZER = "tokenizer.model"


def open_source(config: Any, split: str) -> Source:
    """The clips of `config.data.SPLIT`: `world`, or what may be read of a folder of records."""
    place = config.data[split]
    check_policy(config.data.policy)
    if place == WORLD:
        name = {"train": "train", "validation": "val"}[split]
        return WorldSource(build(WorldConfig, config.data.world, split=name))
    if not pathlib.Path(place).is_dir():
        raise UserError(f"data.{split}: no folder of records at '{place}'")
    if is_store(place):
        raise UserError(
            f"data.{split}: '{place}' holds features, without pixels and sound: they can only be "
            "data.train of the stage diffusion"
        )
    return allowed(RecordSource(place), config.data.policy, config.data.ledger)


def has_features(config: Any) -> bool:
    """Whether `config.data.train` is a store of features; UserError when that is damaged."""
    return config.data.train != WORLD and is_store(config.data.train)


def open_features(config: Any) -> tuple[FeatureSource, Source]:
    """The store at `config.data.train`, and what may be read of it."""
    store = FeatureSource(config.data.train)
    return store, allowed(store, config.data.policy, config.data.ledger)


def provenance(config: Any, source: Source) -> dict[str, Any]:
    """What a run keeps of where its clips come from: JSON values."""
    if isinstance(source, AllowedSource):
        return source.provenance
    described = {} if isinstance(source, WorldSource) else source.description["provenance"]
    licences = described.get("licences", {"procedural": len(source)})
    return {"policy": config.data.policy, "records": len(source), "licences": licences}


def tokenizer_for(config: Any, workdir: pathlib.Path, source: Source) -> Tokenizer:
    """The tokenizer of this run, trained on the captions of the first clips when there is none."""
    path = (pathlib.Path(config.earlier) if config.earlier else workdir) / TOKENIZER
    if path.exists():
        return Tokenizer(path.read_bytes())
    tokenizer = train_tokenizer(
        _sentences(source, config.data.tokenizer_clips), config.model.text.vocabulary
    )
    if tokenizer.vocabulary > config.model.text.vocabulary:
        raise UserError(f"the tokenizer has {tokenizer.vocabulary} ids, the model fewer")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")  # hosts may have equal process ids
    draft.write_bytes(tokenizer.model)
    draft.replace(path)
    return tokenizer


def _sentences(source: Source, clips: int) -> Iterator[str]:
    """Every wording of the first clips; the world's need no rendering."""
    for index in range(min(clips, len(source))):
        if isinstance(source, WorldSource):
            captions = world_caption(source.config, index)
        else:
            record = source[index]
            captions = {"caption": record.caption} | record.captions
        yield from (text for text in captions.values() if text)


def loader_config(config: Any) -> LoaderConfig:
    """What examples are, by the whole configuration."""
    model = config.model
    return build(
        LoaderConfig,
        {**config.data.loader, "captions": dict(config.data.loader.captions)},
        fps=model.video.fps,
        sample_rate=model.codec.sample_rate,
        size=model.video.size,
        channels=model.codec.channels,
        caption_length=model.text.length,
    )


def make_loader(
    config: Any, source: Source, tokenizer: Tokenizer | None, *, part: int = 0, parts: int = 1
) -> Loader:
    """The loader of a stage; without a tokenizer, captions come out empty."""
    return Loader(
        source,
        loader_config(config),
        encode=tokenizer.encode if tokenizer else lambda text: [],
        batch_size=config.run.batch_size,
        seed=config.seed,
        part=part,
        parts=parts,
        damaged=config.data.damaged,
    )


def make_feature_loader(
    config: Any,
    store: FeatureSource,
    clips: Source,
    wanted: Mapping[str, Any],
    *,
    part: int = 0,
    parts: int = 1,
) -> Stream:
    """The loader of `clips`, which may be read of `store`: the examples `make_loader` would draw.

    UserError when the store was made by other than the `wanted` origin.
    """
    check_origin(store.directory, store.origin, wanted)
    settings = loader_config(config)
    return Stream(
        clips,
        FeatureExample(config=settings, shapes=store.shapes, dtype=store.dtype),
        batch_size=config.run.batch_size,
        seed=config.seed,
        reading=read_ahead(settings),
        part=part,
        parts=parts,
        damaged=config.data.damaged,
    )
