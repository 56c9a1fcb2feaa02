"""A run on TPU slices of Google Kubernetes Engine, as a JobSet manifest on stdout.

    python launch/gke_jobset.py --name=small --image=IMAGE --topology=v5e:4x4 --slices=2 \\
        --claim=shared --key_secret=watermark \\
        -- v2a train --config=configs/small.py:codec --workdir=/shared/small | kubectl apply -f -

The manifest is JSON, which is YAML, of the form that xpk makes: one job a slice, one pod a host,
node selectors of the slice's kind and shape, and a restart of all jobs when one fails. GKE tells
each pod who it is (TPU_WORKER_ID, TPU_WORKER_HOSTNAMES, MEGASCALE_*), and v2a_jax/cluster.py asks
JAX, which knows these.
"""

import dataclasses
import json
import math
import re
import sys
from typing import Any

from absl import flags

from launch.xla_flags import environment
from v2a_jax.bin.main import launch
from v2a_jax.errors import UserError
from v2a_jax.planning.topology import slice_shape

NAME = flags.DEFINE_string("name", None, "Name of the JobSet.")
IMAGE = flags.DEFINE_string("image", None, "Container image with this project and jax[tpu].")
TOPOLOGY = flags.DEFINE_string("topology", None, "One slice, e.g. v5e:4x4, v5p:8x8x8, v6e:16x16.")
SLICES = flags.DEFINE_integer("slices", 1, "How many slices.", lower_bound=1)
SPOT = flags.DEFINE_bool("spot", False, "Run on spot nodes.")
RESTARTS = flags.DEFINE_integer("restarts", 100, "How often all starts again.", lower_bound=0)
GRACE = flags.DEFINE_integer("grace_s", 300, "Seconds to save after SIGTERM.", lower_bound=1)
CLAIM = flags.DEFINE_string("claim", None, "Volume claim of all hosts, mounted as /shared.")
KEY_SECRET = flags.DEFINE_string("key_secret", None, "Secret whose watermark.key is the key.")

CHIPS_A_HOST = 4
ACCELERATORS = {  # gke-tpu-accelerator
    "v4": "tpu-v4-podslice",
    "v5e": "tpu-v5-lite-podslice",
    "v5p": "tpu-v5p-slice",
    "v6e": "tpu-v6e-slice",
    "tpu7x": "tpu7x",
}
# Exit statuses that starting again doesn't cure: bad input, a command that isn't there.
FINAL = (2, 126, 127)
LABEL = r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"  # leaves room for the suffixes of jobs and pods


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slice:
    """One slice: `accelerator` as GKE calls it, its `shape` as 4x4, `hosts` of `chips` each."""

    kind: str
    accelerator: str
    shape: str
    hosts: int
    chips: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What is run where."""

    name: str
    image: str
    command: tuple[str, ...]
    slice: Slice
    slices: int
    spot: bool
    restarts: int
    grace_s: int
    claim: str | None
    key_secret: str | None


def parse_topology(text: str) -> Slice:
    """The slice that e.g. `v5e:4x4` names; UserError where there is none."""
    kind, sizes = slice_shape(text)
    chips = math.prod(sizes)
    each = min(chips, CHIPS_A_HOST)
    shape, accelerator = "x".join(map(str, sizes)), ACCELERATORS[kind]
    return Slice(kind=kind, accelerator=accelerator, shape=shape, hosts=chips // each, chips=each)


def jobset(job: Job) -> dict[str, Any]:
    """The manifest."""
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {
            "name": job.name,
            # A slice is a node pool: jobs must not share one.
            "annotations": {
                "alpha.jobset.sigs.k8s.io/exclusive-topology": "cloud.google.com/gke-nodepool"
            },
        },
        "spec": {
            "failurePolicy": {
                "maxRestarts": job.restarts,
                "rules": [
                    {"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]},
                ],
            },
            "replicatedJobs": [
                {"name": "slice", "replicas": job.slices, "template": {"spec": _slice_job(job)}}
            ],
        },
    }


def _slice_job(job: Job) -> dict[str, Any]:
    """One pod a host; a pod that fails fails the job, hence restarts the set."""
    refused = {"containerName": "v2a", "operator": "In", "values": list(FINAL)}
    return {
        "parallelism": job.slice.hosts,
        "completions": job.slice.hosts,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": refused}]},
        "template": {"spec": _pod(job)},
    }


def _pod(job: Job) -> dict[str, Any]:
    selector = {
        "cloud.google.com/gke-tpu-accelerator": job.slice.accelerator,
        "cloud.google.com/gke-tpu-topology": job.slice.shape,
    }
    if job.spot:
        selector["cloud.google.com/gke-spot"] = "true"
    variables = environment(job.slice.kind, job.slices)
    volumes, mounts = [], []
    if job.claim:
        volumes.append({"name": "shared", "persistentVolumeClaim": {"claimName": job.claim}})
        mounts.append({"name": "shared", "mountPath": "/shared"})
    if job.key_secret:  # a file, for environments are shown by `kubectl describe`
        secret = {"secretName": job.key_secret, "defaultMode": 0o400}
        volumes.append({"name": "key", "secret": secret})
        mounts.append({"name": "key", "mountPath": "/etc/v2a", "readOnly": True})
        variables["V2A_WATERMARK_KEY_FILE"] = "/etc/v2a/watermark.key"
    return {
        "restartPolicy": "Never",
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "terminationGracePeriodSeconds": job.grace_s,
        "nodeSelector": selector,
        "volumes": volumes,
        "containers": [
            {
                "name": "v2a",
                "image": job.image,
                "command": list(job.command),
                "env": [{"name": name, "value": value} for name, value in variables.items()],
                "securityContext": {"privileged": True},  # TPU devices and their locked memory
                "ports": [{"containerPort": port} for port in (8471, 8482)],  # TPU, JAX
                "resources": {"limits": {"google.com/tpu": job.slice.chips}},
                "volumeMounts": mounts,
            }
        ],
    }


def run(argv: list[str]) -> None:
    """Writes the manifest that the flags ask for."""
    for flag in (NAME, IMAGE, TOPOLOGY):
        if not flag.value:
            raise UserError(f"--{flag.name} is needed")
    for flag in (NAME, CLAIM, KEY_SECRET):
        if flag.value and not re.fullmatch(LABEL, flag.value):
            raise UserError(f"--{flag.name}={flag.value} is not a name of lower-case letters")
    if not argv[1:]:
        raise UserError("a command is needed after --")
    job = Job(
        name=NAME.value,
        image=IMAGE.value,
        command=tuple(argv[1:]),
        slice=parse_topology(TOPOLOGY.value),
        slices=SLICES.value,
        spot=SPOT.value,
        restarts=RESTARTS.value,
        grace_s=GRACE.value,
        claim=CLAIM.value,
        key_secret=KEY_SECRET.value,
    )
    sys.stdout.write(json.dumps(jobset(job), indent=2) + "\n")


if __name__ == "__main__":
    launch(run)
