"""Compiler flags of configs/hardware.py for a shell: `python launch/xla_flags.py v6e-256 2`.

Its words are an accelerator and the number of slices (1). Prints lines of `export NAME='VALUE'`;
none where the defaults are best. Flags that the environment has already stay, and win.
"""

import os
import shlex
import sys

from configs.hardware import DEVICES, compiler_flags, export
from v2a_jax.bin.main import launch
from v2a_jax.errors import UserError

CLOUD_NAMES = {"v5litepod": "v5e"}  # others are called alike by Cloud TPU


def environment(kind: str, slices: int) -> dict[str, str]:
    """Environment variables for devices of a kind; none for one that the table lacks."""
    return compiler_flags(kind, slices) if kind in DEVICES else {}


def run(argv: list[str]) -> None:
    """Writes the flags for an accelerator named as v5litepod-16, v6e-256 or h100."""
    if len(argv) not in (2, 3) or not all(word.isdecimal() for word in argv[2:]):
        raise UserError("usage: xla_flags.py ACCELERATOR [SLICES]")
    family = argv[1].partition("-")[0]
    slices = int(argv[2]) if len(argv) == 3 else 1
    flags, given = environment(CLOUD_NAMES.get(family, family), slices), dict(os.environ)
    export(flags, given)
    for name in flags:
        sys.stdout.write(f"export {name}={shlex.quote(given[name])}\n")


if __name__ == "__main__":
    launch(run)
