"""Asking a model: what is sent, what comes back, and everything that may go wrong on the way."""

import base64
import datetime
import email.utils
import io
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.io.wavfile
from chat_server import GOOD, TOLD, Reply, completion, serving
from PIL import Image

from data_pipelines import schema
from data_pipelines.annotate.address import KEY
from data_pipelines.annotate.chat import MOST_BYTES, Chat, Fault, Pace, Service
from data_pipelines.annotate.endpoint import CONFIDENCE, Endpoint
from data_pipelines.annotate.protocol import View
from data_pipelines.prepare.windows import Window
from data_pipelines.records import RecordSource
from data_pipelines.sources import SourceClip
from v2a_jax.errors import UserError

SECRET = "sk-Zx9.secret_of-mine"
AUDIO = np.sin(np.arange(16000) / 20).astype(np.float32)[:, None]
VIDEO = np.repeat(np.arange(25, dtype=np.uint8)[:, None, None, None] * 10, 16, 1)
VIDEO = np.ascontiguousarray(np.broadcast_to(VIDEO, (25, 16, 16, 3)))


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    with serving() as state:
        yield state


def service(**changes):
    values = dict(requests_a_minute=1e6, workers=1, timeout=5.0, attempts=4, backoff=0.01)
    return Service(**(values | dict(insecure=False, cache=None) | changes))


def chat(server, **changes):
    return Chat(server.url, service(**changes))


@pytest.fixture
def annotator(server, tmp_path):
    return Endpoint(chat=chat(server), model="m", answers=tmp_path / "answers")


def view(audio=AUDIO, video=VIDEO):
    return View(
        clip=SourceClip(uid="a", dataset="test", media="a.mp4"),
        window=Window(start=0.0, offset=0.0, frames=25, whole=True),
        video=video,
        fps=25.0,
        audio=audio,
        sample_rate=16000,
    )


def test_pictures_and_sound_are_sent_and_the_answer_becomes_fields(annotator, server):
    told = annotator.annotate(view())
    assert told.captions == {"full": "Eine Glocke läutet, twice.", "short": "bell"}
    assert (told.origin, told.confidence) == ("endpoint:m", CONFIDENCE)
    assert told.labels == ("bell", "street") and told.transcript == "hello you"
    assert told.words == (("hello", 0.1, 0.3),) and not told.fault
    assert server.keys == [f"Bearer {SECRET}"]
    (asked,) = (json.loads(body) for body in server.bodies)
    text, *pictures, sound = asked["messages"][0]["content"]
    assert asked["model"] == "m" and "1.00 seconds" in text["text"]
    data = base64.b64decode(sound["input_audio"]["data"])
    rate, samples_NC = scipy.io.wavfile.read(io.BytesIO(data))
    np.testing.assert_allclose(samples_NC / 32767, AUDIO[:, 0], atol=1e-4)
    urls = [picture["image_url"]["url"] for picture in pictures]
    files = [base64.b64decode(url.removeprefix("data:image/jpeg;base64,")) for url in urls]
    shown = [np.asarray(Image.open(io.BytesIO(file))).mean() for file in files]
    assert rate == 16000 and shown == pytest.approx([30, 90, 150, 210], abs=6)


@pytest.mark.parametrize(("audio", "video", "parts"), [(None, VIDEO, 5), (AUDIO, None, 2)])
def test_what_is_not_there_is_not_sent(annotator, server, audio, video, parts):
    annotator.annotate(view(audio, video))
    assert len(json.loads(server.bodies[0])["messages"][0]["content"]) == parts


def test_nothing_is_asked_twice(annotator, server, tmp_path):
    first = annotator.annotate(view())
    assert annotator.annotate(view()) == first and len(server.bodies) == 1
    annotator.annotate(view(AUDIO * 0.5))
    Endpoint(chat=annotator.chat, model="other", answers=annotator.answers).annotate(view())
    assert len(server.bodies) == len(set(server.names())) == 3
    for path in annotator.answers.rglob("*.json"):
        path.write_bytes(b'{"description": 1}')
    assert annotator.annotate(view()) == first and len(server.bodies) == 4
    assert annotator.annotate(view()) == first and len(server.bodies) == 4


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(annotator, server, status):
    server.replies = [Reply(status=status), Reply(status=status)]
    assert annotator.annotate(view()).captions and len(server.bodies) == 3


@pytest.mark.parametrize("dated", [False, True])
def test_the_server_is_left_alone_as_long_as_it_asks(annotator, server, dated):
    date = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
    asked = email.utils.format_datetime(date, usegmt=True) if dated else "1"
    server.replies = [Reply(status=429, Retry_After=asked)]
    assert annotator.annotate(view()).captions
    assert 0.9 <= server.times[1] - server.times[0] < 3


def test_a_wait_that_is_too_long_ends_the_preparation(annotator, server):
    server.replies = [Reply(status=429, Retry_After="86400")]
    with pytest.raises(UserError, match=r"HTTP status 429, asks to wait 86400 s"):
        annotator.annotate(view())
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (Reply(b"<html>"), "not a chat completion"),
        (Reply(b'{"choices": []}'), "not a chat completion"),
        (Reply(b"[" * 100_000), "not a chat completion"),
        (Reply(completion("I hear a bell.")), "answer is not JSON"),
        (Reply(b" " * (MOST_BYTES + 1)), "answer of over"),
        (Reply(status=400), "HTTP status 400"),
        (Reply(status=413), "HTTP status 413"),
        (Reply(completion({"description": f"the key is {SECRET}"})), "answer repeats the key"),
    ],
)
def test_a_useless_answer_is_a_fault_of_this_window_alone(annotator, server, reply, fault):
    server.replies = [reply]
    told = annotator.annotate(view())
    assert fault in told.fault and not told.captions
    assert not list(annotator.answers.rglob("*.json"))
    assert annotator.annotate(view()).captions


def test_a_request_on_which_the_server_always_breaks_is_such_a_fault(server):
    server.replies = [Reply(status=500)] * 4
    with pytest.raises(Fault, match="HTTP status 500"):
        chat(server).complete(b"{}")
    assert len(server.bodies) == 4


@pytest.mark.parametrize(
    ("replies", "problem"),
    [
        ([Reply(SECRET.encode(), status=401)], "HTTP status 401"),
        ([Reply(status=404)], "HTTP status 404"),
        ([Reply(status=302, Location="http://127.0.0.1:1/")], "HTTP status 302"),
        ([Reply(status=503)] * 2, "HTTP status 503"),
        ([Reply(pause=0.5)] * 2, "no answer in time"),
        ([Reply(GOOD.body, pause=0.06, pieces=50)] * 2, "no answer in time"),
    ],
)
def test_an_endpoint_that_does_not_work_is_told_by_its_address(server, replies, problem):
    server.replies = list(replies)
    timeout = 0.2 if problem == "no answer in time" else 60.0
    with pytest.raises(UserError, match=problem) as raised:
        chat(server, attempts=2, timeout=timeout).complete(b"{}")
    assert server.url in str(raised.value) and SECRET not in str(raised.value)
    assert "\n" not in str(raised.value) and len(server.bodies) == len(replies)


def test_nobody_there_is_told_by_the_address(monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UserError, match=f"{url}: Connection refused"):
        Chat(url, service(attempts=2)).complete(b"{}")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.org/v1", "not encrypted"),
        ("https://me:hidden@example.org/v1", "without user"),
        ("https://example.org/v1?key=hidden", "without user"),
        ("ftp://example.org", "no address"),
        ("example.org/v1", "no address"),
        ("https://example.org:hidden/", "no address"),
        ("https://a b/", "no address"),
    ],
)
def test_addresses_that_are_not_asked(url, why):
    with pytest.raises(UserError, match=why) as raised:
        Chat(url, service())
    assert "hidden" not in str(raised.value)


def test_plain_http_to_another_machine_can_be_allowed():
    assert Chat("http://example.org/v1/", service(insecure=True)).url == "http://example.org/v1"


def test_bad_keys_and_numbers_are_refused_without_being_told(server, monkeypatch):
    with pytest.raises(UserError, match="attempts is 0"):
        chat(server, attempts=0)
    monkeypatch.setenv(KEY, "two\nlines")
    with pytest.raises(UserError, match=KEY) as raised:
        chat(server)
    assert "lines" not in str(raised.value)


def test_requests_keep_their_pace_and_workers_share_it(server):
    paced = chat(server, requests_a_minute=600, workers=2)
    began = time.monotonic()
    for _ in range(3):
        paced.complete(b"{}")
    assert (np.subtract(server.times, began) > [0.19, 0.39, 0.59]).all()


def test_only_workers_that_have_a_shard_share_the_pace(asked, server, tmp_path):
    """A million of them would take two minutes for each of the eight requests."""
    began = time.monotonic()
    asked(service=service(requests_a_minute=5e5, workers=10**6), shard_clips=4)
    assert len(server.bodies) == 8 and time.monotonic() - began < 60


def test_an_annotator_goes_to_another_process_without_the_key(annotator):
    data = pickle.dumps(annotator)
    assert SECRET.encode() not in data
    assert pickle.loads(data).annotate(view()) == annotator.annotate(view())
    began = time.monotonic()
    pickle.loads(pickle.dumps(Pace(0.1))).wait()
    assert time.monotonic() - began > 0.09


@pytest.fixture
def films(tmp_path, clip_files):
    """A folder of four clips that differ: eight windows."""
    folder = tmp_path / "films"
    folder.mkdir()
    for index in range(4):
        rate, samples = scipy.io.wavfile.read(clip_files[1])
        scipy.io.wavfile.write(folder / f"{index}.wav", rate, samples // (index + 1))
    return folder


@pytest.fixture
def asked(prepared, films, server, tmp_path):
    """asked(out, **changes): a preparation that asks the server."""

    def run(out=tmp_path / "out", **changes):
        values = dict(annotators=("sidecar", "endpoint"), endpoint=server.url, endpoint_model="m")
        return prepared(films, out, **(values | dict(service=service(), shard_clips=4) | changes))

    return run


def leaks(folder):
    """Files and records that hold the key."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    made = [
        record for path in folder.glob("*/dataset.json") for record in RecordSource(path.parent)
    ]
    return [path for path in files if SECRET.encode() in path.read_bytes()] + [
        record for record in made if SECRET.encode() in schema.encode(record)
    ]


def test_a_window_without_an_answer_is_kept_and_told_of(asked, server, tmp_path):
    server.replies = [Reply(b"nonsense"), Reply(SECRET.encode(), status=400)]
    stages = asked()
    records = list(RecordSource(tmp_path / "out"))
    assert stages[-1]["out"] == len(records) == 8
    lines = (tmp_path / "out" / "untold.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["fault"] for row in rows] == ["not a chat completion", "HTTP status 400"]
    assert [row["record"] for row in rows] == [record.provenance for record in records[:2]]
    assert records[0].meta["faults"] == {"endpoint:m": "not a chat completion"}
    assert records[2].caption == TOLD["description"].replace("\n", "") and not records[0].caption
    assert records[2].meta["told"]["captions"]["origin"] == "endpoint:m"
    assert not leaks(tmp_path)


def test_a_preparation_goes_on_without_asking_again(asked, server, tmp_path):
    server.replies = [GOOD] * 5 + [Reply(SECRET.encode(), status=403)]
    with pytest.raises(UserError, match=f"HTTP status 403 .*{KEY}"):
        asked()
    with pytest.raises(UserError, match=r"annotators="):
        asked(annotators=("endpoint", "sidecar"))
    with pytest.raises(UserError, match=r"endpoint_model=m, not n"):
        asked(endpoint_model="n")
    assert len(server.bodies) == 6 and not leaks(tmp_path)
    asked(service=service(requests_a_minute=1e5))
    assert (len(server.bodies), len(set(server.names()))) == (9, 8)
    assert len(RecordSource(tmp_path / "out")) == 8 and not leaks(tmp_path)


def test_a_cache_of_ones_own_serves_the_next_preparation(asked, server, tmp_path):
    kept = service(cache=tmp_path / "kept")
    asked(service=kept)
    asked(tmp_path / "again", service=kept, annotators=("endpoint",), shard_clips=1)
    assert len(server.bodies) == 8
    captions = [[r.caption for r in RecordSource(tmp_path / name)] for name in ("out", "again")]
    assert captions[0] == captions[1]


@pytest.mark.parametrize(
    "changes",
    [{"annotators": ("sidecar",)}, {"endpoint": ""}, {"endpoint_model": ""}],
)
def test_annotator_address_and_model_go_together(asked, changes):
    with pytest.raises(UserError, match="go together"):
        asked(**changes)


@pytest.mark.slow
def test_killed_with_its_workers_it_asks_only_what_has_no_answer(films, server, tmp_path):
    for index in range(4, 24):
        shutil.copyfile(films / f"{index % 4}.wav", films / f"{index}.wav")
        rate, samples = scipy.io.wavfile.read(films / f"{index}.wav")
        scipy.io.wavfile.write(films / f"{index}.wav", rate, samples[index * 10 :])
    command = [sys.executable, "-m", "v2a_jax.bin.prepare", "--source=folder", f"--input={films}"]
    command += [f"--out={tmp_path / 'out'}", "--seconds=0.64", "--min_seconds=0.2", "--size=32"]
    command += ["--require=audio", "--workers=2", "--shard_clips=2", "--annotators=endpoint"]
    command += [f"--endpoint={server.url}", "--endpoint_model=m", "--endpoint_rate=600"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)
    while len(server.bodies) < 11 and process.poll() is None:
        time.sleep(0.01)
    os.kill(-process.pid, signal.SIGKILL)
    process.communicate()
    known = {path.stem for path in (tmp_path / ".out.prepare" / "answers").rglob("*.json")}
    assert len(known) >= 8 and not (tmp_path / "out").exists()
    before = len(server.bodies)
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert not known & set(server.names()[before:])
    assert len(RecordSource(tmp_path / "out")) == len(set(server.names())) == 48
    assert SECRET not in ended.stdout + ended.stderr and not leaks(tmp_path)
