"""Sections `attacks` and `mixes`: every clip marked, attacked in every way, and searched."""

import dataclasses
import re
import zlib

import numpy as np

from marking import changes, ours
from marking.attacks import Attack, of, registry
from marking.clips import Clip, made
from marking.marked import Marked, Settings, mark
from marking.neural import neural_codec

MIX_LEVELS = (0, -6, -12)  # dB of the marked sound over the other


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """A clip at a rate; `music` and `track` are what it is mixed with."""

    number: int
    clip: Clip
    rate: int
    music: Clip
    track: Clip


def tasks(clips: list[Clip], rates: list[int]) -> list[Task]:
    """Each clip at each rate, beside music and the track of a film, or of the world without one."""
    films = [clip for clip in clips if clip.kind == "film"]

    def track(clip: Clip, number: int) -> Clip:
        others = [film for film in films if film != clip] or [made("world", 1000 + number)]
        return others[number % len(others)]

    return [
        Task(
            number=number,
            clip=clip,
            rate=rate,
            music=made("notes", 1000 + number),
            track=track(clip, number),
        )
        for rate in rates
        for number, clip in enumerate(clips)
    ]


def survive(settings: Settings, section: str, task: Task) -> list[dict]:
    """A row for each attack, or for each mix, on a clip."""
    marked = mark(settings, task.clip, task.rate, task.number)
    if section == "mixes":
        groups = {"mixes": _mixes(settings, task, marked.plain)}
    else:
        groups = registry()
        if settings.bundle:
            groups["encoders"]["neural codec"] = neural_codec(settings.bundle)
    return [
        row(task, marked, group, name, attack)
        for group, attacks in groups.items()
        for name, attack in attacks.items()
        if re.search(settings.only, name)
    ]


def row(task: Task, marked: Marked, group: str, name: str, attack: Attack) -> dict:
    """What detection says of the marked clip after an attack."""
    wave, rate = attacked(task, marked.wave, name, attack)
    found = ours.outcome(ours.detect(wave, marked.key, sample_rate=rate), marked.payload)
    place = dict(group=group, attack=name, clip=task.clip.name, kind=task.clip.kind)
    return place | dict(rate=task.rate) | dataclasses.asdict(found)


def attacked(task: Task, wave: np.ndarray, name: str, attack: Attack) -> tuple[np.ndarray, int]:
    """The wave after an attack, whose chances are always the same for a clip, and its rate."""
    rng = np.random.default_rng(zlib.crc32(f"{name} {task.clip.name}".encode()))
    return attack(wave, task.rate, rng)


def _mixes(settings: Settings, task: Task, plain: np.ndarray) -> dict[str, Attack]:
    others = {
        "music": task.music.render(settings.seconds, task.rate),
        "original track": task.track.render(settings.seconds, task.rate),
        "itself unmarked": plain,
    }
    return {
        f"{name}, {db} dB": of(changes.mixed, other=other, db=db)
        for name, other in others.items()
        for db in MIX_LEVELS
    }
