"""Where an endpoint is and the key to it, both checked; neither error repeats what may be secret.

The key is read from the environment when it is used, and kept nowhere: not in an object, a file or
a message.
"""

import os
import re
import urllib.parse

from v2a_jax.errors import UserError

KEY = "V2A_ENDPOINT_KEY"
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))
_TOKEN = re.compile(r"[A-Za-z0-9._~+/:-]+=*")  # of a bearer, RFC 6750


def key() -> str:
    """The key in the environment, '' for none; UserError if it cannot be one."""
    found = os.environ.get(KEY, "")
    if found and not _TOKEN.fullmatch(found):
        raise UserError(f"{KEY} holds characters that no key has")
    return found


def is_local(url: str) -> bool:
    """Whether an address is on this machine."""
    return urllib.parse.urlsplit(url).hostname in _LOCAL


def check_url(url: str, *, insecure: bool) -> None:
    """UserError for no base address as `https://host/v1`, or one without encryption."""
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port
    except ValueError:
        raise UserError("endpoint: what is given is no address") from None
    if parts.username is not None or parts.query or parts.fragment:
        raise UserError(f"endpoint: an address without user, '?' and '#'; the key goes into {KEY}")
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise UserError(f"endpoint: {url!r} is no address of the form https://host/v1")
    if parts.scheme == "http" and not is_local(url) and not insecure:
        raise UserError(f"endpoint: {url} is not encrypted; --endpoint_insecure allows that")
