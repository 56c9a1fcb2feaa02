"""The annotator that asks a model behind any OpenAI-compatible endpoint.

An answer is kept in a file named by the SHA-256 of address and request, so that nothing is asked
twice, in this preparation or another. A window of which the model tells nothing useful is kept,
with the fault noted: its picture and sound are worth as much without a sentence. An endpoint that
does not answer at all ends the preparation instead, for else a whole dataset would go untold; what
is done is kept, and the same command goes on.
"""

import dataclasses
import hashlib
from pathlib import Path

from data_pipelines.annotate.address import key
from data_pipelines.annotate.answer import Answer, read_answer
from data_pipelines.annotate.chat import Chat, Fault
from data_pipelines.annotate.protocol import Annotation, View
from data_pipelines.annotate.request import request
from v2a_jax.media.files import atomic_output

CONFIDENCE = 0.6  # of a sentence by a model that nobody has checked: more than of a bare label


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Asks `model` at the endpoint of `chat`; answers are kept in the folder `answers`."""

    chat: Chat
    model: str
    answers: Path

    def annotate(self, view: View) -> Annotation:
        """See `Annotator`."""
        origin = f"endpoint:{self.model}"
        try:
            answer = self._answer(view)
        except Fault as fault:
            return Annotation(origin=origin, fault=str(fault))
        return Annotation(
            origin=origin,
            confidence=CONFIDENCE,
            captions={"full": answer.description, "short": answer.short},
            labels=answer.labels,
            transcript=answer.transcript,
            words=answer.words,
        )

    def _answer(self, view: View) -> Answer:
        """From its file, or asked; a file that is damaged is asked for again."""
        body = request(view, self.model)
        name = hashlib.sha256(self.chat.url.encode() + b"\n" + body).hexdigest()
        path = self.answers / name[:2] / f"{name}.json"
        try:
            return read_answer(path.read_text(encoding="utf-8"), view.seconds)
        except (FileNotFoundError, UnicodeDecodeError, Fault):
            answer = read_answer(self.chat.complete(body), view.seconds)
        if key() and key() in answer.to_json():
            raise Fault("answer repeats the key")
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_output(path) as file:
            file.write(answer.to_json().encode())
        return answer
