"""What soundtracks are made from: for each condition the clips, their words, and what is seen."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.evaluation.clips import Clip, has_face, is_timed, negative_prompt, off_screen

CONDITIONS = (
    *("prompted", "again", "unprompted", "short"),
    *("negative", "negative_seen", "negative_absent", "still", "damaged"),
)
SEVERITY = 0.5  # of the damage done to pictures
Damage = Callable[..., np.ndarray]  # video uint8[F,H,W,3], severity=0..1, rng= -> as the video


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """How many clips, from the first that can on, have other sounds than that of their caption.

    variations  one of another seed
    negatives   one against what is seen; and as many one against what they lack
    wordings    one of the short caption, and one of no words
    stills      one of a face that stands still
    damaged     one of a damaged picture
    """

    variations: int
    negatives: int
    wordings: int
    stills: int
    damaged: int

    def __post_init__(self) -> None:
        """UserError for a number that cannot be one of clips."""
        for name, count in vars(self).items():
            if count < 0:
                raise UserError(f"evaluation.protocol.{name}={count} is less than 0")


class Words(NamedTuple):
    """What a generator is told."""

    prompt: str = ""
    negative: str = ""
    transcript: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Take:
    """One condition: words by position of the clip, and the picture uint8[F,H,W,3] at one."""

    words: Mapping[int, Words]
    picture: Callable[[int], np.ndarray]


def takes(
    clips: Sequence[Clip], amounts: Amounts, artefacts: Mapping[str, Damage]
) -> dict[str, Take]:
    """One of each of `CONDITIONS`; the artefacts take turns, without any nothing is damaged."""
    words = {
        i: Words(clip.captions.get("full", ""), "", clip.transcript) for i, clip in enumerate(clips)
    }

    def first(count: int, asks: Callable[[Clip], bool]) -> list[int]:
        return list(itertools.islice((i for i, clip in enumerate(clips) if asks(clip)), count))

    worded = first(amounts.wordings, _has_wordings)
    unheard = sorted({*first(len(clips), off_screen), *worded})
    broken = first(amounts.damaged if artefacts else 0, is_timed)
    seen = functools.partial(Take, picture=lambda i: clips[i].video)
    return {
        "prompted": seen(words=words),
        "again": seen(words={i: words[i] for i in first(amounts.variations, lambda _: True)}),
        "unprompted": seen(words=dict.fromkeys(unheard, Words())),
        "short": seen(words={i: Words(prompt=clips[i].captions["short"]) for i in worded}),
        "negative": seen(words=_opposed(words, enumerate(map(negative_prompt, clips)))),
        "negative_seen": seen(
            words=_opposed(words, enumerate(map(_seen, clips)), amounts.negatives)
        ),
        "negative_absent": seen(words=_opposed(words, _absent(clips), amounts.negatives)),
        "still": Take(
            words=dict.fromkeys(first(amounts.stills, has_face), Words()),
            picture=lambda i: np.broadcast_to(clips[i].video[:1], clips[i].video.shape),
        ),
        "damaged": Take(
            words={i: words[i] for i in broken},
            picture=_damaged(clips, dict(zip(broken, itertools.cycle(artefacts.values())))),
        ),
    }


def _has_wordings(clip: Clip) -> bool:
    """Whether a wording could make a difference that can be heard."""
    asked = bool(off_screen(clip)) or is_timed(clip)
    return asked and not clip.transcript and bool(clip.captions.get("short"))


def _opposed(
    words: Mapping[int, Words], texts: Iterable[tuple[int, str]], most: int | None = None
) -> dict[int, Words]:
    """The same words with a negative prompt, of the first clips that have one."""
    both = ((i, words[i]._replace(negative=text)) for i, text in texts)
    # What prompt and negative prompt share cancels: a prompt against itself asks for nothing.
    meant = ((i, each) for i, each in both if each.negative not in ("", each.prompt))
    return dict(sorted(itertools.islice(meant, most)))


def _seen(clip: Clip) -> str:
    """The bare caption of what is seen, but of speech: its words are still to be said."""
    return "" if clip.transcript else clip.captions.get("onscreen", "")


def _absent(clips: Sequence[Clip]) -> Iterator[tuple[int, str]]:
    """One of the lists of what a clip lacks: of clips with timed sounds and of others, in turn."""
    able = [i for i, clip in enumerate(clips) if clip.labels and clip.negatives]
    kinds = [i for i in able if is_timed(clips[i])], [i for i in able if not is_timed(clips[i])]
    for i in itertools.chain.from_iterable(itertools.zip_longest(*kinds)):
        if i is not None:
            yield i, clips[i].negatives[i % len(clips[i].negatives)]


def _damaged(clips: Sequence[Clip], damages: Mapping[int, Damage]) -> Callable[[int], np.ndarray]:
    """Pictures with each its own damage, always the same."""

    def picture(i: int) -> np.ndarray:
        return damages[i](clips[i].video, severity=SEVERITY, rng=np.random.default_rng(i))

    return picture
