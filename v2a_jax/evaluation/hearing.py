"""Which classes the tagger hears in soundtracks, and how often it imagines one."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from v2a_jax.evaluation.clips import Clip
from v2a_jax.evaluation.scores import Answers, Sampling, Sheet, clip_score
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.evaluation.spectral import mono
from v2a_jax.evaluation.tagger import Tagger
from v2a_jax.evaluation.takes import CONDITIONS

Named = Sequence[tuple[int, str]]  # position of a clip and a class


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hearing:
    """Classes heard, by the name of the soundtracks and position; `names` are all that could be."""

    clips: tuple[Clip, ...]
    names: frozenset[str]
    heard: Mapping[str, Mapping[int, frozenset[str]]]

    def hits(self, tracks: str, named: Named) -> np.ndarray:
        """float[n] of 0 and 1: whether each named class is heard in its clip."""
        return np.array([name in self.heard[tracks][i] for i, name in named], float)

    def rate(self, tracks: str, named: Named) -> float:
        """Share of `hits`; NaN of none."""
        return float(self.hits(tracks, named).mean()) if named else float("nan")

    def false_alarms(self, named: Named) -> float:
        """Share of round-trip clips without a class in which it is heard, averaged over `named`."""
        rates = {
            name: self.rate("round_trip", [(i, name) for i in self.lacking(name)])
            for name in {name for _, name in named}
        }
        return float(np.mean([rates[name] for _, name in named]))

    def lacking(self, name: str) -> list[int]:
        """Positions of the clips without a class."""
        return [i for i, clip in enumerate(self.clips) if name not in clip.labels]

    def known(self, named: Mapping[int, Sequence[str]]) -> Named:
        """Each named class that the tagger could hear, with its position."""
        return [(i, name) for i, names in named.items() for name in names if name in self.names]


def add_rate(
    sheet: Sheet,
    name: str,
    hearing: Hearing,
    named: Named,
    hits: np.ndarray,
    *,
    lower_bound: float,
    upper_bound: float,
    sampling: Sampling,
) -> None:
    """The share of `hits`, float[n] of 0 and 1, one for each of `named`, and the clips' answers."""
    rows = by_clip(named, hits)
    score = clip_score(
        rows, lower_bound=lower_bound, upper_bound=upper_bound, unit="share", sampling=sampling
    )
    ids = tuple(hearing.clips[i].provenance for i in dict.fromkeys(i for i, _ in named))
    sheet.add(name, score, Answers(clips=ids, terms=rows))


def by_clip(named: Named, hits: np.ndarray) -> np.ndarray:
    """Hits and trials of each clip in `named`, float[N,2]: what one clip has is not independent."""
    rows: dict[int, np.ndarray] = {}
    for (position, _), hit in zip(named, hits, strict=True):
        rows[position] = rows.get(position, np.zeros(2)) + (hit, 1.0)
    return np.array(list(rows.values()))


def hear(tracks: Soundtracks, tagger: Tagger) -> Hearing:
    """Listens once to every soundtrack of the model, to the true ones and their round trips."""

    def classes(sounds: Mapping[int, np.ndarray]) -> dict[int, frozenset[str]]:
        if not sounds:
            return {}
        found_BK = tagger.detect([mono(sound) for sound in sounds.values()], tracks.sample_rate)
        names = np.array(tagger.names)
        return {i: frozenset(names[row_K]) for i, row_K in zip(sounds, found_BK, strict=True)}

    every = ("true", "round_trip", *CONDITIONS)
    return Hearing(
        clips=tracks.clips,
        names=frozenset(tagger.names),
        heard={name: classes(getattr(tracks, name)) for name in every},
    )
