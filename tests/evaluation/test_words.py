"""Words made of known sounds are recognised in any order, and errors are counted."""

import numpy as np
import pytest

from v2a_jax.evaluation.words import PAUSE, edits, error_terms, features, make_recogniser

RATE = 16000
WORDS = {"la": (500, 900), "mi": (1500, 700), "do": (300, 2400), "fa": (2000, 1200)}


def say(word: str, seconds: float = 0.3) -> np.ndarray:
    """A glide between two formant-like bands of a buzz."""
    time = np.arange(round(seconds * RATE)) / RATE
    first, last = WORDS[word]
    centre = first + (last - first) * time / seconds
    harmonics = np.arange(1, 30)[:, None] * 120.0
    amps = np.exp(-(((harmonics - centre) / 250.0) ** 2))
    window = np.minimum(1, np.minimum(time, seconds - time) / 0.03)
    return 0.05 * window * (amps * np.sin(2 * np.pi * harmonics * time)).sum(axis=0)


def sentence(words: list[str], seconds: float = 0.3) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """A recording with pauses, and the frames of each word."""
    random, parts, spans, at = np.random.default_rng(len(words)), [], [], 0
    for word in words:
        for part in (np.zeros(round(0.12 * RATE)), say(word, seconds)):
            parts.append(part)
            at += len(part)
        spans.append((round((at - len(part)) / RATE * 100), round(at / RATE * 100)))
    parts.append(np.zeros(round(0.2 * RATE)))
    wave = np.concatenate(parts)
    return wave + 1e-4 * random.standard_normal(len(wave)), spans


@pytest.fixture(scope="module")
def recogniser():
    wave, spans = sentence(list(WORDS))
    cepstra = features(wave, RATE)
    spoken = [(word, cepstra[a:b]) for word, (a, b) in zip(WORDS, spans, strict=True)]
    return make_recogniser([*spoken, (PAUSE, cepstra[:1])])


@pytest.mark.parametrize("seconds", [0.22, 0.3, 0.4])
def test_words_are_recognised_in_another_order_and_pace(recogniser, seconds):
    said = ["do", "la", "la", "fa", "mi", "do"]
    assert recogniser.words(sentence(said, seconds)[0], RATE) == said


def test_noise_alone_has_no_words(recogniser):
    assert recogniser.words(sentence([])[0], RATE) == []


@pytest.mark.parametrize(
    ("said", "true", "count"),
    [("", "a b", 2), ("a b", "", 2), ("a c b", "a b", 1), ("b a", "a b", 2), ("a x", "a b", 1)],
)
def test_edits(said, true, count):
    assert edits(said.split(), true.split()) == count
    assert edits(true.split(), said.split()) == count


def test_error_terms_add_up_over_clips():
    assert error_terms(["a"], ["a", "b"]) == (1.0, 2.0)
