import json
import os
import subprocess
import sys

import pytest
from pod_cloud import LAUNCH

from launch.gke_jobset import Job, jobset, parse_topology
from launch.xla_flags import environment
from v2a_jax.errors import UserError

COMMAND = ("v2a", "train", "--config=configs/small.py:codec", "--workdir=/shared/a b")


def manifest(**changes):
    given = {
        "name": "small",
        "image": "registry/v2a:1",
        "command": COMMAND,
        "slice": parse_topology("v5e:4x4"),
        "slices": 1,
        "spot": False,
        "restarts": 7,
        "grace_s": 300,
        "claim": None,
        "key_secret": None,
    }
    return jobset(Job(**(given | changes)))


def parts(made):
    """The job of a slice, its pod, and its container."""
    (replicated,) = made["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    return replicated, job, job["template"]["spec"], container


@pytest.mark.parametrize(
    ("topology", "accelerator", "hosts", "chips"),
    [
        ("v5e:1x1", "tpu-v5-lite-podslice", 1, 1),
        ("v5e:2x2", "tpu-v5-lite-podslice", 1, 4),
        ("v5e:16x16", "tpu-v5-lite-podslice", 64, 4),
        ("v6e:4x8", "tpu-v6e-slice", 8, 4),
        ("v4:2x2x2", "tpu-v4-podslice", 2, 4),
        ("v5p:8x8x8", "tpu-v5p-slice", 128, 4),
        ("tpu7x:2x2x1", "tpu7x", 1, 4),
    ],
)
def test_a_pod_a_host_with_all_chips_of_the_slice(topology, accelerator, hosts, chips):
    replicated, job, pod, container = parts(manifest(slice=parse_topology(topology), slices=3))
    assert replicated["replicas"] == 3
    assert job["completions"] == job["parallelism"] == hosts
    assert container["resources"]["limits"] == {"google.com/tpu": chips}
    assert pod["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": accelerator,
        "cloud.google.com/gke-tpu-topology": topology.partition(":")[2],
    }
    assert container["command"] == list(COMMAND)


@pytest.mark.parametrize(
    "topology",
    ["", "4x4", "v9:4x4", "v5e", "v5e:4", "v5e:4x4x4", "v5p:4x4", "v5e:0x4", "v5e:4x", "v5e:3x3"],
)
def test_a_topology_that_is_none_is_refused(topology):
    with pytest.raises(UserError, match=f"--topology={topology}"):
        parse_topology(topology)


def test_a_failure_restarts_all_jobs_and_bad_input_none():
    made = manifest()
    _, job, pod, container = parts(made)
    policy = made["spec"]["failurePolicy"]
    assert policy["maxRestarts"] == 7
    assert policy["rules"] == [
        {"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}
    ]
    assert (job["backoffLimit"], pod["restartPolicy"]) == (0, "Never")  # Kubernetes asks for Never
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["containerName"] == container["name"]
    assert 2 in rule["onExitCodes"]["values"]
    assert not {0, 1, 3, 137, 143} & set(rule["onExitCodes"]["values"])


def test_the_key_is_a_file_for_its_owner_only():
    _, _, pod, container = parts(manifest(key_secret="mark"))
    (volume,), (mount,) = pod["volumes"], container["volumeMounts"]
    assert volume["secret"] == {"secretName": "mark", "defaultMode": 0o400}
    assert volume["name"] == mount["name"]
    (variable,) = container["env"]
    assert variable["name"] == "V2A_WATERMARK_KEY_FILE"
    assert variable["value"].startswith(mount["mountPath"] + "/")


def test_compiler_flags_are_those_of_the_table():
    container = parts(manifest(slice=parse_topology("v6e:4x4"), slices=2))[3]
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    assert given == environment("v6e", 2)
    assert given


def test_shared_storage_and_spot_nodes_are_asked_for():
    _, _, pod, container = parts(manifest(claim="files", spot=True))
    assert pod["nodeSelector"]["cloud.google.com/gke-spot"] == "true"
    (volume,), (mount,) = pod["volumes"], container["volumeMounts"]
    assert volume["persistentVolumeClaim"] == {"claimName": "files"}
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/shared")


def command_line(*arguments):
    return subprocess.run(
        [sys.executable, LAUNCH / "gke_jobset.py", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(LAUNCH.parent)},
    )


def test_the_command_writes_what_kubectl_reads(golden):
    done = command_line(
        "--name=small", "--image=registry/v2a:1", "--topology=v5e:4x4", "--slices=2", "--spot",
        "--claim=shared", "--key_secret=mark", "--", *COMMAND
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kind"] == "JobSet"
    golden("gke_jobset", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image=i", "--topology=v5e:2x2", "--", "true"], "--name is needed"),
        (["--name=a", "--topology=v5e:2x2", "--", "true"], "--image is needed"),
        (["--name=a", "--image=i", "--", "true"], "--topology is needed"),
        (["--name=A", "--image=i", "--topology=v5e:2x2", "--", "true"], "--name=A is not a name"),
        (["--name=a", "--image=i", "--topology=v5e:2x2"], "a command is needed after --"),
        (["--slices=0"], "flag --slices=0"),
    ],
)
def test_bad_input_is_one_line(arguments, message):
    done = command_line(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
