"""Pictures and sounds of an example as bytes: spectrograms, film strips, sprites, WAV, overview."""

import base64
import io
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from scipy.io import wavfile

from v2a_jax.evaluation.examples import Example, evenly, track_named
from v2a_jax.evaluation.spectral import mel_power, mono

BANDS = 64
COLUMNS = 640
FLOOR_DB = -80.0
STRIP_FRAMES = 12
SPRITE_COLUMNS = 10
EVENT_COLOUR = "#5ad1ff"  # stands out on every shade of the spectrogram


def spectrogram_levels(audio_NC: np.ndarray, sample_rate: int) -> np.ndarray:
    """Log-mel level 0..1 (-80..0 dB of full scale), float32[bands,columns], low notes first."""
    hop = len(audio_NC) / sample_rate / COLUMNS
    power_TM = mel_power(mono(audio_NC), sample_rate=sample_rate, bands=BANDS, hop=hop)
    level_TM = 10.0 * np.log10(np.maximum(power_TM[:COLUMNS], 10 ** (FLOOR_DB / 10)))
    return np.clip(1.0 - level_TM.T / FLOOR_DB, 0.0, 1.0)


def spectrogram_png(audio_NC: np.ndarray, sample_rate: int) -> bytes:
    """The spectrogram with low notes at the bottom, without axes; it spans the whole sound."""
    levels = spectrogram_levels(audio_NC, sample_rate)[::-1]
    return _encoded((colormaps["magma"](levels)[..., :3] * 255).astype(np.uint8), "PNG")


def strip_jpeg(frames_FHWC: np.ndarray) -> bytes:
    """Twelve frames side by side; each stands for its twelfth of the clip."""
    return _encoded(_strip(frames_FHWC), "JPEG")


def _strip(frames_FHWC: np.ndarray) -> np.ndarray:
    frames = evenly(frames_FHWC, STRIP_FRAMES).copy()
    frames[:, :, -1] = 0  # a thin line between one frame and the next
    return np.concatenate(list(frames), axis=1)


def sprite_jpeg(frames_FHWC: np.ndarray) -> bytes:
    """All frames in rows of ten; the last row is filled up with the last frame."""
    missing = -len(frames_FHWC) % SPRITE_COLUMNS
    frames = np.concatenate([frames_FHWC, np.repeat(frames_FHWC[-1:], missing, axis=0)])
    count, height, width, channels = frames.shape
    grid = frames.reshape(-1, SPRITE_COLUMNS, height, width, channels).swapaxes(1, 2)
    sheet = grid.reshape(count // SPRITE_COLUMNS * height, SPRITE_COLUMNS * width, channels)
    return _encoded(sheet, "JPEG")


def wav_bytes(audio_NC: np.ndarray, sample_rate: int) -> bytes:
    """16-bit WAV, clipped at full scale."""
    buffer = io.BytesIO()
    samples = np.round(np.clip(audio_NC, -1.0, 1.0) * 32_767).astype(np.int16)
    wavfile.write(buffer, sample_rate, samples)
    return buffer.getvalue()


def data_uri(content: bytes, media_type: str) -> str:
    """`content` inside a URI of its own: nothing to fetch."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _encoded(image_HWC: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image_HWC).save(buffer, kind, quality=88, optimize=True)
    return buffer.getvalue()


def write_overview(example: Example, path: str | Path) -> None:
    """PNG of one example: frames, then true and generated sound, with the event times as lines."""
    figure = Figure(figsize=(10, 5.4), dpi=150, layout="constrained", facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(3, 1, sharex=True, height_ratios=[1.0, 1.5, 1.5])
    axes[0].imshow(_strip(example.frames), extent=(0, example.seconds, 0, 1), aspect="auto")
    axes[0].set_title(f"“{example.caption}”", loc="left", fontsize=12, pad=8)
    axes[0].set_yticks([])
    for axis, title in zip(axes[1:], ("True sound", "Generated"), strict=True):
        levels = spectrogram_levels(track_named(example, title).audio, example.sample_rate)
        extent = (0, example.seconds, 0, 1)
        axis.imshow(
            levels, extent=extent, aspect="auto", origin="lower", cmap="magma", vmin=0, vmax=1
        )
        axis.set_ylabel(f"{title}\nlow → high", fontsize=10)
        axis.set_yticks([])
    for axis in axes:
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0, labelsize=9)
        for event in example.events:
            style = "-" if event.onscreen else (0, (2, 2))
            axis.axvline(event.time, color=EVENT_COLOUR, linewidth=1.1, linestyle=style)
    axes[-1].set_xlabel("seconds; blue lines: true event times (dashed: off screen)", fontsize=10)
    canvas.print_png(str(path))
