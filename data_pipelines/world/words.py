"""Small pieces of English for captions."""

from collections.abc import Sequence

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number(count: int) -> str:
    """A count in words, as far as they go."""
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def times(count: int) -> str:
    """How often."""
    return {1: "once", 2: "twice"}.get(count, f"{number(count)} times")


def plural(noun: str, count: int) -> str:
    """A regular noun in agreement with a count."""
    return noun if count == 1 else noun + "s"


def a(phrase: str) -> str:
    """With the indefinite article."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def listing(phrases: Sequence[str]) -> str:
    """One, one and two, or one, two and three."""
    head, last = ", ".join(phrases[:-1]), phrases[-1]
    return f"{head} and {last}" if head else last
