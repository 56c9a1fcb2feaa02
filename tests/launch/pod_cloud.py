"""A folder that stands for the cloud, a small tree to launch, and `tpu_pod.sh` run upon them."""

import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).parent
LAUNCH = HERE.parents[1] / "launch"
SECRET = "5ec2e7" * 10 + "5ec2"
SETTINGS = {
    "POD_NAME": "pod",
    "POD_PROJECT": "my-project",
    "POD_ZONE": "us-west4-a",
    "POD_ACCELERATOR": "v5litepod-16",
    "POD_RUNTIME": "v2-alpha-tpuv5-lite",
    "POD_POLL": "0",
}
# Installing is left to real pods: these take the place of pip and uv there.
TOOLS = {
    "python3": 'if [ "$1" = launch/xla_flags.py ]; then echo "export FLAGS_OF=$2/$3"; fi\n',
    "uv": 'if [ "$1" = venv ]; then mkdir -p .venv/bin; fi\n',
    "mountpoint": 'test -e "$HOME/mounted"\n',
    "sudo": 'if [ "$1" = mount ]; then echo "$*" >>"$HOME/mounted"; fi\n',
}


def executable(path, text):
    """Writes a bash script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/usr/bin/env bash\n" + text)
    path.chmod(0o755)


class Cloud:
    """The fake's folder, and tpu_pod.sh from a copied tree."""

    def __init__(self, folder):
        self.folder, self.tree = folder / "cloud", folder / "tree"
        self.key = folder / "watermark.key"
        self.key.write_text(SECRET)
        for name, text in TOOLS.items():
            executable(self.folder / "bin" / name, text)
        shutil.copytree(LAUNCH, self.tree / "launch", ignore=shutil.ignore_patterns("__*"))
        for command in (["init", "--quiet"], ["add", "."]):
            subprocess.run(["git", "-C", self.tree, *command], check=True)
        self.environment = {
            **os.environ,
            **SETTINGS,
            "POD_KEY": str(self.key),
            "FAKE_CLOUD": str(self.folder),
            "PATH": f"{HERE}:{os.environ['PATH']}",
        }

    def start(self, *arguments, **environment):
        """tpu_pod.sh in the background."""
        return subprocess.Popen(
            [self.tree / "launch" / "tpu_pod.sh", *arguments],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments, **environment):
        """Exit status, stdout and stderr of tpu_pod.sh."""
        running = self.start(*arguments, **environment)
        shown, errors = running.communicate(timeout=120)
        assert SECRET not in shown + errors
        return running.returncode, shown, errors

    def write(self, name, text):
        """What the fake reads: see its head."""
        (self.folder / name).write_text(text)

    def calls(self, verb):
        """The calls of one verb of `gcloud compute tpus queued-resources`."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.startswith(f"compute tpus queued-resources {verb} ")]

    def workers(self):
        """Home folders of all workers."""
        return sorted(self.folder.glob("node*/worker*"))

    def end(self):
        """Kills what the workers still run."""
        for pid in self.folder.glob("node*/worker*/v2a/.run/pid"):
            group = f"-{pid.read_text().strip()}"
            subprocess.run(["kill", "-s", "KILL", "--", group], check=False, capture_output=True)
