"""Section `audiowmark`: the open watermark of that name beside ours, on the same attacked clips.

It is run as a command (short payload of 16 bits), with its search for the speed where speed or
pitch may have changed. What counts for both is that the payload is right.
"""

import dataclasses
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from marking import survival
from marking.attacks import registry
from marking.marked import Settings, mark
from marking.nmr import noise_to_mask
from marking.survival import Task
from marking.tables import share, table

COMMAND = "audiowmark"
SHORT = ("--short", "16", "--quiet")
SECONDS, RATE, CLIPS = 10.0, 48000, 24
SPEED_GROUPS = ("time", "chains")  # attacks after which the speed is searched


def available() -> bool:
    """Whether the command is installed."""
    return shutil.which(COMMAND) is not None


def compare(settings: Settings, task: Task) -> list[dict]:
    """Two rows for each attack on a clip, and two on how the marks sound."""
    marked = mark(dataclasses.replace(settings, seconds=SECONDS), task.clip, RATE, task.number)
    message = f"{marked.payload:04x}"
    with tempfile.TemporaryDirectory() as folder:
        theirs = _add(marked.plain, message, Path(folder))
        nmr = {
            tool: noise_to_mask(marked.plain, wave, RATE)
            for tool, wave in (("ours", marked.wave), (COMMAND, theirs))
        }
        rows = [{"tool": tool, "attack": "", "nmr": level} for tool, level in nmr.items()]
        for group, attacks in registry().items():
            for name, attack in attacks.items():
                if not re.search(settings.only, name):
                    continue
                found = survival.row(task, marked, group, name, attack)
                wave, rate = survival.attacked(task, theirs, name, attack)
                speed = group in SPEED_GROUPS
                right = _reads(wave, rate, message, Path(folder), speed=speed)
                rows.append({"tool": "ours", "attack": name, "right": found["bit_errors"] == 0})
                rows.append({"tool": COMMAND, "attack": name, "right": right})
    return rows


def report(rows: Sequence[dict]) -> str:
    """Payload right after each attack, and the noise-to-mask ratio, of both."""
    tools = ("ours", COMMAND)

    def column(attack: str, tool: str) -> list[dict]:
        return [row for row in rows if row["tool"] == tool and attack in (row["attack"], "all")]

    lines = []
    for attack in (*dict.fromkeys(row["attack"] for row in rows if row["attack"]), "all"):
        hits = ([row["right"] for row in column(attack, tool) if "right" in row] for tool in tools)
        lines.append([attack, *map(share, hits)])
    levels = (np.median([row["nmr"] for row in column("", tool)]) for tool in tools)
    lines.append(["median NMR, dB", *(f"{level:.1f}" for level in levels)])
    return table(("attack", *(f"{tool}, payload right, %" for tool in tools)), lines)


def _add(plain: np.ndarray, message: str, folder: Path) -> np.ndarray:
    source, target = folder / "plain.wav", folder / "marked.wav"
    soundfile.write(source, plain, RATE, subtype="PCM_24")
    subprocess.run([COMMAND, "add", *SHORT, str(source), str(target), message], check=True)
    return soundfile.read(target, dtype="float32", always_2d=True)[0]


def _reads(wave: np.ndarray, rate: int, message: str, folder: Path, *, speed: bool) -> bool:
    source = folder / "attacked.wav"
    soundfile.write(source, np.clip(wave, -1, 1), rate, subtype="PCM_24")
    search = ["--detect-speed"] if speed else []
    command = [COMMAND, "cmp", *SHORT, *search, str(source), message]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
