"""Media that nobody has prepared yet as an audit's collection: the windows a preparation would cut.

The clips of the source are listed once, in a plan on disk, as for a preparation.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.audit.finding import Finding
from data_pipelines.audit.subjects import Subject
from data_pipelines.prepare.config import PrepareConfig, validate
from data_pipelines.prepare.media import Media, open_media
from data_pipelines.prepare.plan import Plan, make_plan
from data_pipelines.prepare.run import Corpus
from data_pipelines.prepare.windows import Window, cut
from data_pipelines.provenance import ledger
from data_pipelines.sources import SourceClip
from v2a_jax.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unprepared:
    """See `Collection`; `folder` holds the plan, `form` is what a preparation would make."""

    title: str
    folder: Path
    form: PrepareConfig

    @classmethod
    def plan(
        cls, corpus: Corpus, folder: Path, form: PrepareConfig, *, chunk_clips: int
    ) -> "Unprepared":
        """Lists the clips of a corpus in `folder`; UserError for a bad form, source or path."""
        validate(form)
        make_plan(folder, corpus.absolute().clips(), shard_clips=chunk_clips, options={})
        return cls(title=f"{corpus.source}: {corpus.path}", folder=folder, form=form)

    @property
    def require(self) -> tuple[str, ...]:
        """See `Collection`."""
        return self.form.require

    def sizes(self) -> list[int]:
        """See `Collection`."""
        return Plan(self.folder).sizes()

    def read(self, chunk: int) -> Iterator[Subject | Finding]:
        """See `Collection`."""
        for clip in Plan(self.folder).clips(chunk):
            yield from self._windows(clip)

    def again(self, chunk: int, name: str) -> Subject | None:
        """See `Collection`."""
        for clip in Plan(self.folder).clips(chunk):
            if name.startswith(f"{clip.provenance_id}@"):
                for one in self._windows(clip):
                    if isinstance(one, Subject) and one.name == name:
                        return one
        return None

    def faults(self, clips: Iterable[str]) -> Iterator[Finding]:
        """What the source could not use."""
        for one in Plan(self.folder).dropped():
            told = " ".join(text for text in (f"{one.reason}:", one.where, one.detail) if text)
            yield Finding(clip=one.uid or one.where, kind="missing", detail=told)

    def rights(self) -> Mapping[str, Mapping[str, Any]] | None:
        """See `Collection`."""
        plan = Plan(self.folder)
        clips = (clip for chunk in range(len(plan.sizes())) for clip in plan.clips(chunk))
        return {clip.provenance_id: ledger.asset_row(clip, "", []) for clip in clips}

    def dropped(self) -> Mapping[str, int]:
        """Nothing: what a source drops are findings."""
        return {}

    def _windows(self, clip: SourceClip) -> Iterator[Subject | Finding]:
        """Every window that a preparation would keep; a clip with none is a finding."""
        name, count = clip.provenance_id, 0
        if "://" not in clip.media and not Path(clip.media).is_file():
            yield Finding(clip=name, kind="missing", detail=f"no file at {clip.media}")
            return
        try:
            media = open_media(clip, self.form)
            for window in cut(clip, media.duration, self.form):
                if window.frames >= self.form.min_seconds * self.form.fps:
                    count += 1
                    yield self._subject(clip, media, window)
        except (UserError, RuntimeError, OSError) as error:
            yield Finding(clip=name, kind="undecodable", detail=str(error))
            return
        if not count:
            shortest = self.form.min_seconds
            yield Finding(
                clip=name,
                kind="incomplete",
                detail=f"{media.duration:.2f} s is too short",
                value=media.duration,
                threshold=shortest,
            )

    def _subject(self, clip: SourceClip, media: Media, window: Window) -> Subject:
        video, audio = media.read(window.start, window.frames, self.form)
        return Subject(
            name=f"{clip.provenance_id}@{window.start:.3f}",
            clip=clip.provenance_id,
            asset=media.asset,
            start=window.start,
            video=video,
            fps=float(self.form.fps),
            audio=audio,
            sample_rate=self.form.sample_rate,
            captions=clip.captions or ((", ".join(clip.labels),) if clip.labels else ()),
            transcript=clip.transcript,
        )
