"""A batch of videos split over devices gets the soundtracks that one device makes."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent


@pytest.mark.slow
def test_videos_split_over_eight_devices_sound_as_on_one(tmp_path):
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",  # a third of the time to compile
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": f"{HERE.parents[1]}:{HERE.parent}",
    }
    script = [sys.executable, str(HERE / "split_sampler.py"), str(tmp_path / "made.npz")]
    ended = subprocess.run(script, env=environment, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    made = dict(np.load(tmp_path / "made.npz"))
    whole = made.pop("whole")
    assert len(made) == 2
    rows = whole.reshape(-1, *whole.shape[2:])
    assert min(np.abs(a - b).max() for a, b in zip(rows, rows[1:], strict=False)) > 0.01
    # Rounding: a change of every weight by one ulp moves the waveform by 3e-5 of its peak.
    margin = 1e-4 * np.abs(whole).max()
    for name, wave in made.items():
        np.testing.assert_allclose(wave, whole, rtol=0, atol=margin, err_msg=name)
