"""A local server that speaks the chat-completions protocol, and misbehaves as it is told."""

import contextlib
import hashlib
import http.server
import json
import threading
import time

TOLD = {
    "description": "Eine Glocke läutet,\n twice.",
    "short": "bell",
    "labels": ["bell", "bell", "street"],
    "transcript": "hello you",
    "words": [{"word": "hello", "start": 0.1, "end": 0.3}, {"word": "you", "start": 0.4, "end": 9}],
}


def completion(content):
    """The body of a chat completion that says `content`."""
    text = content if isinstance(content, str) else json.dumps(content)
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


class Reply:
    """What is sent: `pause` seconds before, and between pieces of the body."""

    def __init__(self, body=b"", status=200, pause=0.0, pieces=1, **headers):
        self.body, self.status, self.pause, self.pieces = body, status, pause, pieces
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


GOOD = Reply(completion(TOLD | {"words": TOLD["words"][:1]}))


class Server:
    """`replies` are given one by one, then `GOOD`; `bodies`, `keys` and `times` are as received."""

    def __init__(self):
        self.replies, self.bodies, self.keys, self.times = [], [], [], []
        self.lock = threading.Lock()

    def names(self):
        """Digest of each request, as answers are named."""
        prefix = self.url.encode() + b"\n"
        return [hashlib.sha256(prefix + body).hexdigest() for body in self.bodies]

    def take(self, body, key):
        with self.lock:
            self.bodies.append(body)
            self.keys.append(key)
            self.times.append(time.monotonic())
            return self.replies.pop(0) if self.replies else GOOD


@contextlib.contextmanager
def serving():
    """A server on this machine, until the end of the block."""
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            wrong = self.path != "/v1/chat/completions"
            reply = state.take(body, self.headers["Authorization"])
            with contextlib.suppress(OSError):
                self.answer(Reply(status=404) if wrong else reply)

        def answer(self, reply):
            time.sleep(reply.pause)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            size = -(-len(reply.body) // reply.pieces) or 1
            for first in range(0, len(reply.body), size):
                self.wfile.write(reply.body[first : first + size])
                self.wfile.flush()
                time.sleep(reply.pause)

        def log_message(self, *_):
            """Nothing is printed."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
