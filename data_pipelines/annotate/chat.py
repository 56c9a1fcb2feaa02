"""A client of chat-completions endpoints: paced, patient, and careful with the key.

What a server says beside its answer is not shown, for it may repeat the key. Redirections are not
followed: they could carry it to another host.

    408 429 502 503 504, no connection, no answer in time   again; at last the endpoint has failed
    500                                                     again; at last the request has
    400 413 415 422, no chat completion, an answer too long the request has failed
    any other status                                        the endpoint has failed
"""

import dataclasses
import datetime
import email.utils
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines.annotate.address import KEY, check_url, is_local, key
from v2a_jax.errors import UserError

MOST_BYTES = 1 << 20  # of an answer
MOST_WAIT = 300.0  # seconds that a server may ask to be left alone
_AGAIN = frozenset((408, 429, 500, 502, 503, 504))
_OF_THE_REQUEST = frozenset((400, 413, 415, 422, 500))
_BOUNDS = {
    "requests_a_minute": (0.01, 1e6),
    "workers": (1, 1e6),
    "timeout": (0.01, 3600),
    "attempts": (1, 100),
    "backoff": (0, 60),
}


class Fault(Exception):
    """One request has no useful answer; others may have."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Service:
    """How an endpoint is asked; no answer depends on it.

    requests_a_minute  of all workers together; each takes its share
    workers            processes that ask, or the most there may be
    timeout            seconds for one answer
    attempts           of one request, before it is given up
    backoff            seconds before the second attempt; each later wait is twice as long
    insecure           whether another machine may be asked without encryption
    cache              folder of answers that outlives the preparation; None for its own
    """

    requests_a_minute: float
    workers: int
    timeout: float
    attempts: int
    backoff: float
    insecure: bool
    cache: Path | None


class Pace:
    """Keeps requests `interval` seconds apart, the first from now.

    Unpickled, it begins anew: no worker can know when another object sent the last request.
    """

    def __init__(self, interval: float) -> None:
        self._interval, self._next = interval, time.monotonic() + interval

    def wait(self) -> None:
        """Returns when a request may be sent."""
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self._interval

    def __reduce__(self) -> tuple[type["Pace"], tuple[float]]:
        return Pace, (self._interval,)


class Chat:
    """One endpoint, at its base address (as in `https://host/v1`); picklable."""

    def __init__(self, url: str, service: Service) -> None:
        """UserError for an address or a key that cannot be used, and numbers out of bounds."""
        for name, (low, high) in _BOUNDS.items():
            if not low <= (value := getattr(service, name)) <= high:
                raise UserError(f"endpoint: {name} is {value}; it must lie in [{low}, {high:g}]")
        check_url(url, insecure=service.insecure)
        key()
        self.url, self._service = url.rstrip("/"), service
        self._pace = Pace(60.0 * service.workers / service.requests_a_minute)

    def complete(self, body: bytes) -> str:
        """What the model says to a request in JSON.

        Fault when this request has failed; UserError when the endpoint has.
        """
        wait = self._service.backoff
        for left in reversed(range(self._service.attempts)):
            self._pace.wait()
            try:
                return _content(self._post(body))
            except urllib.error.HTTPError as error:
                asked = self._refused(error, left)
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    raise self._failure(_reason(error)) from None
                asked = 0.0
            time.sleep(max(wait, asked))
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    def _refused(self, error: urllib.error.HTTPError, left: int) -> float:
        """Seconds that the server asks to wait before one of the attempts `left`; else raises."""
        asked, problem = _retry_after(error.headers), f"HTTP status {error.code}"
        error.close()
        if error.code in _AGAIN and left and asked <= MOST_WAIT:
            return asked
        if error.code in _OF_THE_REQUEST:
            raise Fault(problem) from None
        if error.code in (401, 403):
            problem += f" (is {KEY} right?)"
        raise self._failure(problem + f", asks to wait {asked:.0f} s" * bool(asked)) from None

    def _failure(self, problem: str) -> UserError:
        return UserError(
            f"endpoint {self.url}: {problem}; what is done is kept: the same command goes on"
        )

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key():
            headers["Authorization"] = f"Bearer {key()}"
        request = urllib.request.Request(f"{self.url}/chat/completions", body, headers)
        direct = [urllib.request.ProxyHandler({})] if is_local(self.url) else []
        opener = urllib.request.build_opener(_NoRedirect(), *direct)
        until = time.monotonic() + self._service.timeout
        with opener.open(request, timeout=self._service.timeout) as response:
            return _read(response, until)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: a redirection is an error."""


def _read(response: http.client.HTTPResponse, until: float) -> bytes:
    """The body; Fault when it is too long, TimeoutError when it comes too slowly."""
    data = bytearray()
    while piece := response.read1(65536):
        data += piece
        if len(data) > MOST_BYTES:
            raise Fault(f"answer of over {MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise TimeoutError
    return bytes(data)


def _content(data: bytes) -> str:
    """The message of a chat completion; Fault when there is none."""
    try:
        content = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        content = None
    if not isinstance(content, str):
        raise Fault("not a chat completion")
    return content


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait: a number or a date, else 0."""
    told = headers.get("Retry-After", "")
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        date = email.utils.parsedate_to_datetime(told)
    except (ValueError, TypeError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    return max(0.0, (date - datetime.datetime.now(datetime.UTC)).total_seconds())


def _reason(error: Exception) -> str:
    """One line of a network failure."""
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    return getattr(inner, "strerror", None) or type(inner).__name__
