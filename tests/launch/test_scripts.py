import pathlib
import shutil
import subprocess
import sys

import pytest
from pod_cloud import LAUNCH

SCRIPTS = [*sorted(LAUNCH.glob("*.sh")), LAUNCH / "slurm.sbatch"]
SHELLCHECK = shutil.which("shellcheck", path=pathlib.Path(sys.executable).parent) or shutil.which(
    "shellcheck"
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_bash_reads_it(script):
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing():
    done = subprocess.run([SHELLCHECK, *SCRIPTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
