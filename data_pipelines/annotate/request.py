"""The question put to a model: a fixed prompt, a few pictures and the sound of a window.

It is a chat completion with `image_url` parts (JPEG) and an `input_audio` part (16-bit WAV), all
as data within the JSON. The same window gives the same bytes.
"""

import base64
import io
import json
from typing import Any

import numpy as np
import scipy.io.wavfile
from PIL import Image

from data_pipelines.annotate.protocol import View

PICTURES = 4  # evenly spaced over the window
_QUALITY = 90
PROMPT = """\
The pictures are evenly spaced over a clip of {seconds:.2f} seconds; the audio is its sound.
Tell what is heard, in English. Name only what is heard, not what is merely seen.
Answer with one JSON object and nothing else:
{{"description": one sentence of at most 40 words about all that is heard, in order,
 "short": the same in at most 6 words,
 "labels": list of at most 8 names of sound classes, each of one to three words,
 "transcript": what is said, word for word in its own language, or "",
 "words": list of {{"word": .., "start": seconds, "end": seconds}} of the transcript, or []}}"""


def request(view: View, model: str) -> bytes:
    """The body of the request, in JSON."""
    content = [{"type": "text", "text": PROMPT.format(seconds=view.seconds)}]
    if view.video is not None:
        places = (np.arange(PICTURES) + 0.5) * len(view.video) / PICTURES
        content += [_picture(view.video[int(place)]) for place in places]
    if view.audio is not None:
        content.append(_sound(view.audio, view.sample_rate))
    asked = {
        "model": model,
        "temperature": 0,
        "messages": [{"role": "user", "content": content}],
    }
    return json.dumps(asked, sort_keys=True).encode()


def _picture(picture_HWC: np.ndarray) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(picture_HWC).save(file, "JPEG", quality=_QUALITY)
    url = f"data:image/jpeg;base64,{_text(file)}"
    return {"type": "image_url", "image_url": {"url": url}}


def _sound(audio_NC: np.ndarray, sample_rate: int) -> dict[str, Any]:
    file = io.BytesIO()
    samples_NC = np.round(np.clip(audio_NC, -1.0, 1.0) * 32767).astype(np.int16)
    scipy.io.wavfile.write(file, sample_rate, samples_NC)
    return {"type": "input_audio", "input_audio": {"data": _text(file), "format": "wav"}}


def _text(file: io.BytesIO) -> str:
    return base64.b64encode(file.getvalue()).decode()
