"""What is asked of a soundtrack's timing and of what is seen to sound: onsets and materials."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from v2a_jax.evaluation import material
from v2a_jax.evaluation.clips import Clip, has_onsets, is_timed, off_screen
from v2a_jax.evaluation.examination import SHARE, Examination, Figure
from v2a_jax.evaluation.onsets import detect_onsets, event_times, match_onsets
from v2a_jax.types import Event

TOLERANCES_MS = (25, 50, 100)
ON_TIME = "onset_f1_50ms"  # the figure that stands for timing where one must


def onsets() -> Examination:
    """`onset_*`: are sounds where the events are? On clips without off-screen sound."""
    figures = {
        f"onset_f1_{ms}ms": Figure(over=2 * k, under=2 * k + 1, unit="share", ideal=1.0)
        for k, ms in enumerate(TOLERANCES_MS)
    }
    last = 2 * len(TOLERANCES_MS)
    errors = {
        "onset_error": Figure(over=last, under=last + 1, unit="ms", ideal=0.0),
        "onset_lag": Figure(over=last + 2, under=last + 1, unit="ms", ideal=0.0, size=last),
    }
    return Examination(
        figures=figures | errors,
        needs="with on-screen events and no off-screen sound",
        asks=is_timed,
        terms=onset_terms,
    )


def onsets_of(label: str) -> Examination:
    """`{label}_onset_f1_50ms`: the same of the clips with that sound alone."""
    question = onsets()
    return dataclasses.replace(
        question,
        figures={f"{label}_{ON_TIME}": question.figures[ON_TIME]},
        needs=f"with the sound of {label} alone",
        asks=lambda clip: clip.labels == (label,) and has_onsets(clip),
    )


def onset_terms(sound_N: np.ndarray, clip: Clip) -> Sequence[float]:
    """F1's numerator and denominator at each tolerance; total error in ms, pairs, total lag."""
    detected_D = detect_onsets(sound_N, clip.sample_rate)
    true_E = event_times(clip.events)
    matches = [match_onsets(detected_D, true_E, ms / 1000) for ms in TOLERANCES_MS]
    late_ms = 1000.0 * matches[-1].errors
    shares = [term for match in matches for term in match.f1_terms]
    return [*shares, np.abs(late_ms).sum(), len(late_ms), late_ms.sum()]


def materials(judge: material.MaterialClassifier) -> Examination:
    """`material_accuracy`: does each isolated event sound of what it is made of?"""

    def events(clip: Clip) -> list[Event]:
        return material.judged_events(clip.events, len(clip.audio) / clip.sample_rate)

    def terms(sound_N: np.ndarray, clip: Clip) -> Sequence[float]:
        judged = events(clip)
        times = [event.time for event in judged]
        heard = judge.classify(material.features(sound_N, clip.sample_rate, times))
        right = sum(h == event.material for h, event in zip(heard, judged, strict=True))
        return right, len(judged)

    return Examination(
        figures={"material_accuracy": SHARE},
        needs="with an isolated event of a known material",
        asks=lambda clip: not off_screen(clip) and bool(events(clip)),
        terms=terms,
    )


def conflict(judge: material.MaterialClassifier) -> Examination:
    """`conflict_seen`, `conflict_told`: where the words name another material, which one is heard?

    They need not add up to 1: a third material may be heard.
    """

    def events(clip: Clip) -> list[tuple[Event, str]]:
        other = told(clip)
        judged = material.judged_events(clip.events, len(clip.audio) / clip.sample_rate)
        return [(event, other[event.material]) for event in judged if event.material in other]

    def terms(sound_N: np.ndarray, clip: Clip) -> Sequence[float]:
        pairs = events(clip)
        times = [event.time for event, _ in pairs]
        heard = judge.classify(material.features(sound_N, clip.sample_rate, times))
        seen = sum(h == event.material for h, (event, _) in zip(heard, pairs, strict=True))
        named = sum(h == other for h, (_, other) in zip(heard, pairs, strict=True))
        return seen, len(pairs), named

    return Examination(
        figures={
            "conflict_seen": SHARE,
            "conflict_told": Figure(over=2, under=1, unit="share", ideal=0.0),
        },
        needs="whose words name another material than is seen",
        asks=lambda clip: not off_screen(clip) and bool(events(clip)),
        terms=terms,
    )


def told(clip: Clip) -> dict[str, str]:
    """By the material that is seen, the one that the caption names instead, where it is one."""
    factors, named = clip.meta.get("factors", {}), {}
    for name, value in factors.items():
        if name.endswith("material.told"):
            named.setdefault(factors[name.removesuffix(".told")], set()).add(value)
    return {seen: others.pop() for seen, others in named.items() if len(others) == 1}
