import os
import subprocess
import sys

import pytest
from pod_cloud import LAUNCH

from configs.hardware import DEVICES
from launch.xla_flags import environment


def shell(*arguments, then="env"):
    """What a shell has in its environment after `eval "$(xla_flags.py ..)"`."""
    script = f'set -e; flags=$("$0" "$@"); eval "$flags"; {then}'
    program = [sys.executable, str(LAUNCH / "xla_flags.py")]
    quoted = script.replace('"$0"', " ".join(program))
    return subprocess.run(
        ["bash", "-c", quoted, "-", *arguments],
        env=os.environ | {"PYTHONPATH": str(LAUNCH.parent)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("accelerator", "kind", "slices"),
    [("v6e-256", "v6e", 2), ("v5litepod-16", "v5e", 2), ("h100", "h100", 1)],
)
def test_a_shell_gets_the_flags_of_the_table(monkeypatch, accelerator, kind, slices):
    for name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS"):
        monkeypatch.delenv(name, raising=False)
    done = shell(accelerator, str(slices))
    expected = environment(kind, slices)
    assert expected
    for name, value in expected.items():
        assert f"{name}={value}" in done.stdout.splitlines()


def test_flags_that_are_there_already_stay_and_win(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/here --mine='a b'")
    (line,) = [line for line in shell("h100").stdout.splitlines() if line.startswith("XLA_FLAGS=")]
    assert line.endswith("--xla_dump_to=/here --mine='a b'")
    assert environment("h100", 1)["XLA_FLAGS"] in line


def test_flags_are_for_the_kind_of_device():
    for kind, device in DEVICES.items():
        on_tpu = device.attention == "splash"
        for slices in (1, 2):
            found = environment(kind, slices)
            assert all(flag in " ".join(found.values()) for flag in device.flags)
            assert set(found) <= {"LIBTPU_INIT_ARGS" if on_tpu else "XLA_FLAGS"}


def test_a_kind_that_the_table_lacks_has_none():
    assert environment("tpu9", 4) == {}


@pytest.mark.parametrize("arguments", [[], ["v6e", "two"], ["v6e", "1", "2"]])
def test_bad_input_is_one_line(arguments):
    done = shell(*arguments)
    assert done.returncode == 2
    assert done.stderr == "v2a: error: usage: xla_flags.py ACCELERATOR [SLICES]\n"
