import stat
import time

import pytest
from pod_cloud import SECRET, SETTINGS

PLAY = ["run", "--", "bash", "-c"]
# First sleeps until it is killed; in a pod that was asked for again, it is done at once.
RESUMES = '[ "$(grep -c "queued-resources create" "$FAKE_CLOUD/calls")" -gt 1 ] || sleep 1000'


def only_error(errors):
    """The one line that says what is wrong."""
    (line,) = [line for line in errors.splitlines() if "error: " in line]
    return line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "unknown command ''"),
        (["lift"], "unknown command 'lift'"),
        (["create", "--name="], "--name (or POD_NAME) is ''"),
        (["create", "--name=Pod_1"], "'Pod_1'"),
        (["create", "--zone=$(id)"], "--zone"),
        (["create", "--accelerator=16"], "--accelerator is '16'"),
        (["create", "--runtime="], "--runtime is needed"),
        (["create", "--slices=0"], "--slices is 0"),
        (["create", "--slices=two"], "--slices is 'two'"),
        (["create", "--tier=cheap"], "--tier is 'cheap'"),
        (["run", "--nfs=share", "--", "true"], "--nfs is 'share'"),
        (["create", "--spot"], "unknown argument '--spot'"),
        (["create", "pod"], "unknown argument 'pod'"),
        (["delete", "--", "true"], "delete takes no command"),
        (["run"], "run needs '-- COMMAND ..'"),
        (["run", "--poll=1.5", "--", "true"], "--poll is '1.5'"),
        (["run", "--key=/missing", "--", "true"], "no watermark key at /missing"),
        (["sync", "--key=/missing"], "no watermark key at /missing"),
    ],
)
def test_bad_input_is_one_line_and_no_call(cloud, arguments, message):
    status, shown, errors = cloud(*arguments)
    assert status == 2
    assert errors.startswith("tpu_pod: error: ")
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert not shown
    assert not cloud.calls("")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("create", ["create"]),
        ("create_two_slices", ["create", "--slices=2", "--tier=reserved"]),
        ("sync", ["sync"]),
        (
            "run",
            [
                "run",
                "--nfs=10.0.0.2:/share",
                "--",
                "v2a",
                "train",
                "--config=configs/small.py:codec",
                "--workdir=/a b",
            ],
        ),
        ("status", ["status"]),
        ("logs", ["logs", "--lines=7"]),
        ("stop", ["stop"]),
        ("delete", ["delete"]),
    ],
)
def test_a_dry_run_prints_every_command_and_runs_none(cloud, golden, name, arguments):
    action, *others = arguments
    status, shown, _ = cloud(action, "--dry_run", *others, POD_KEY="/keys/mine")
    assert status == 0
    assert not cloud.calls("")
    golden(name, shown)


def test_creating_waits_and_a_second_time_does_nothing(cloud):
    cloud.write("next_states", "WAITING_FOR_RESOURCES\nPROVISIONING\nACTIVE\n")
    status, _, errors = cloud("create", "--slices=3")
    assert status == 0
    assert "the pod is PROVISIONING" in errors
    (call,) = cloud.calls("create")
    assert "--node-count=3 --node-prefix=pod --spot" in call
    assert cloud("create", "--slices=3")[0] == 0
    assert len(cloud.calls("create")) == 1


def test_a_quota_error_is_the_last_line_that_gcloud_says(cloud):
    cloud.write("refuse_create", "RESOURCE_EXHAUSTED: quota of 0 v5e chips")
    status, _, errors = cloud("create")
    assert status == 1
    assert "quota of 0 v5e chips" in only_error(errors)


def test_a_request_of_ours_that_fails_is_not_repeated(cloud):
    cloud.write("next_states", "WAITING_FOR_RESOURCES\nFAILED\n")
    status, _, errors = cloud("create")
    assert status == 1
    assert "not enough of it in this zone" in only_error(errors)
    assert len(cloud.calls("create")) == 1


@pytest.mark.parametrize("left", ["FAILED", "SUSPENDED"])
def test_what_an_earlier_request_left_is_asked_for_anew(cloud, left):
    cloud("create")
    cloud.write("next_states", f"{left}\n")
    assert cloud("create")[0] == 0
    assert len(cloud.calls("delete")) == 1
    assert len(cloud.calls("create")) == 2


@pytest.mark.slow
def test_the_key_reaches_all_workers_and_nobody_else(cloud):
    cloud("create", "--slices=2")
    assert cloud("sync")[0] == 0
    assert len(cloud.workers()) == 4
    for worker in cloud.workers():
        key = worker / ".config/v2a/watermark.key"
        assert key.read_text() == SECRET
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
        assert (worker / "v2a/launch/worker.sh").exists()
    assert SECRET not in (cloud.folder / "calls").read_text()


@pytest.mark.slow
def test_a_run_from_nothing_to_its_end(cloud):
    says = 'echo "worker $WORKER of $0 with $FLAGS_OF in $(cat "$HOME/mounted")"'
    flags = ["--slices=2", "--nfs=10.0.0.2:/share"]
    status, _, errors = cloud("run", *flags, *PLAY[1:], says, "two words")
    assert status == 0, errors
    _, shown, _ = cloud("logs")
    for worker in range(4):
        assert f"worker {worker} of two words with v5litepod-16/2 in mount" in shown
    assert shown.count("mount -t nfs 10.0.0.2:/share /mnt/v2a") == 4
    _, shown, _ = cloud("status")
    assert shown.startswith("pod ACTIVE\n")
    assert shown.count("ended 0") == 4
    assert cloud("delete")[0] == 0
    assert cloud("delete")[0] == 0
    assert len(cloud.calls("delete")) == 1
    assert cloud("status")[1] == "pod NONE\n"
    for action in ("sync", "logs", "stop"):
        assert cloud(action)[0] == 1


@pytest.mark.slow
def test_a_pod_that_is_taken_away_is_asked_for_again_and_goes_on(cloud):
    cloud.write("next_states", "ACTIVE\nACTIVE\nSUSPENDING\nSUSPENDED\n")
    status, _, errors = cloud(*PLAY, RESUMES)
    assert status == 0, errors
    assert "the pod is SUSPENDED" in errors
    assert len(cloud.calls("create")) == 2
    assert all((worker / ".config/v2a/watermark.key").exists() for worker in cloud.workers())


@pytest.mark.slow
def test_a_worker_that_is_silent_for_a_moment_is_asked_again(cloud):
    cloud("create")
    cloud("sync")
    cloud.write("ssh_fails", "-\n-\n1\n1\n")  # a look at what is there, the start, two states
    status, _, errors = cloud(*PLAY, "true")
    assert status == 0, errors


@pytest.mark.slow
def test_a_worker_that_stays_silent_ends_the_command_alone(cloud):
    cloud("create")
    cloud("sync")
    cloud.write("ssh_fails", "-\n-\n" + "1\n" * 5)
    status, _, errors = cloud(*PLAY, "true")
    assert status == 1
    assert "a worker does not answer" in only_error(errors)
    assert not cloud.calls("delete")


def test_a_worker_that_cannot_be_reached_for_syncing_is_one_line(cloud):
    cloud("create")
    cloud.write("ssh_fails", "0\n" * 5)
    status, _, errors = cloud("sync")
    assert status == 1
    assert "sync: a worker does not answer" in only_error(errors)


@pytest.mark.slow
def test_machines_that_are_just_coming_up_are_waited_for(cloud):
    cloud.write("ssh_fails", "0\n" * 4)  # is it synced, and three of five times that it is begun
    status, _, errors = cloud(*PLAY, "true")
    assert status == 0, errors


@pytest.mark.parametrize(("times", "status"), [(4, 0), (5, 1)])
def test_the_service_may_be_unavailable_for_a_while(cloud, times, status):
    cloud("create")
    cloud.write("describe_fails", "once\n" * times)
    found, _, errors = cloud("create")
    assert found == status
    if status:
        assert "UNAVAILABLE" in only_error(errors)
    assert len(cloud.calls("create")) == 1


@pytest.mark.slow
def test_a_crash_of_one_stops_the_others_and_is_repeated_so_often(cloud):
    crash = 'echo started; [ "$WORKER" = 0 ] || exec sleep 1000; kill -s ABRT $$'
    status, _, errors = cloud("run", "--restarts=2", *PLAY[1:], crash)
    assert status == 1
    assert "crashed 3 times" in only_error(errors)
    _, shown, _ = cloud("logs")
    assert shown.count("started") == 6
    assert cloud("status")[1].count("stopped") == 1


@pytest.mark.slow
@pytest.mark.parametrize("refusal", ["exit 2", "no-such-command-at-all"])
def test_what_a_worker_refuses_is_not_repeated(cloud, refusal):
    status, _, errors = cloud(*PLAY, refusal)
    assert status == 2
    assert "refused its command" in only_error(errors)
    assert len([call for call in cloud.calls("ssh") if "worker.sh start" in call]) == 1


@pytest.mark.slow
def test_stopping_lets_all_workers_save_and_ends_the_command_that_follows(cloud):
    saves = "trap 'echo saved; exit 1' TERM; while :; do sleep 0.1; done"
    following = cloud.start(*PLAY, saves)
    deadline = time.monotonic() + 100
    while cloud("status")[1].count("running") < 2:
        assert time.monotonic() < deadline
    status, shown, _ = cloud("stop")
    assert status == 0
    assert shown.count("stopped") == 2
    assert cloud("logs")[1].count("saved") == 2
    _, errors = following.communicate(timeout=100)
    assert following.returncode == 1
    assert "the run was stopped" in only_error(errors)
    assert cloud("stop")[0] == 0


def test_settings_are_taken_from_flags_before_the_environment(cloud):
    cloud("create", "--name=other", "--zone=europe-west4-b")
    assert cloud.calls("create")[0].startswith("compute tpus queued-resources create other ")
    assert "--zone=europe-west4-b" in cloud.calls("create")[0]
    assert SETTINGS["POD_ZONE"] not in cloud.calls("create")[0]
