"""What is said: digits, commands, and sentences of a small grammar, with their pronunciation."""

import numpy as np

DIGITS = {
    "zero": "z ih r ow",
    "one": "w ah n",
    "two": "t uw",
    "three": "th r iy",
    "four": "f ao r",
    "five": "f ay v",
    "six": "s ih k s",
    "seven": "s eh v ax n",
    "eight": "ey t",
    "nine": "n ay n",
}
_VERBS = {
    "open": "ow p ax n",
    "close": "k l ow z",
    "push": "p uh sh",
    "pull": "p uh l",
    "turn": "t er n",
    "take": "t ey k",
    "move": "m uw v",
    "find": "f ay n d",
    "watch": "w aa t sh",
    "show": "sh ow",
}
_NOUNS = {
    "light": "l ay t",
    "door": "d ao r",
    "box": "b aa k s",
    "ball": "b ao l",
    "cup": "k ah p",
    "book": "b uh k",
    "dog": "d ao g",
    "cat": "k ae t",
    "house": "hh aw s",
    "tree": "t r iy",
}
_ADJECTIVES = {
    "red": "r eh d",
    "green": "g r iy n",
    "blue": "b l uw",
    "white": "w ay t",
    "black": "b l ae k",
    "big": "b ih g",
    "small": "s m ao l",
    "hot": "hh aa t",
    "cold": "k ow l d",
    "new": "n uw",
}
_ORDERS = {
    "yes": "y eh s",
    "no": "n ow",
    "up": "ah p",
    "down": "d aw n",
    "left": "l eh f t",
    "right": "r ay t",
    "on": "aa n",
    "off": "ao f",
    "stop": "s t aa p",
    "go": "g ow",
}
_SMALL = {"the": "dh ax", "is": "ih z", "and": "ae n d", "please": "p l iy z", "now": "n aw"}

COMMANDS = _VERBS | _NOUNS | _ADJECTIVES | _ORDERS
PRONOUNCED = {word: tuple(sounds.split()) for word, sounds in (DIGITS | COMMANDS | _SMALL).items()}
KINDS = ("digits", "commands", "sentence")
_PATTERNS = (
    "V the N",
    "V the A N",
    "the N is A",
    "please V the N now",
    "the A N is A and A",
    "V the A N and the N now",
)
_SLOTS = {"V": tuple(_VERBS), "N": tuple(_NOUNS), "A": tuple(_ADJECTIVES)}


def text(rng: np.random.Generator, kind: str, words: int) -> tuple[str, ...]:
    """At least `words` words of `kind`; a sentence may be followed by others."""
    if kind != "sentence":
        source = tuple(DIGITS if kind == "digits" else COMMANDS)
        return tuple(source[k] for k in rng.integers(len(source), size=words))
    said: list[str] = []
    while len(said) < words:
        pattern = _PATTERNS[rng.integers(len(_PATTERNS))].split()
        said += [_SLOTS[s][rng.integers(len(_SLOTS[s]))] if s in _SLOTS else s for s in pattern]
    return tuple(said)
