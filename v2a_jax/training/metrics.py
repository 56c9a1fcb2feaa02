"""What a run writes down: JSON lines, and TensorBoard scalars, pictures and audio.

Resuming at a step first drops the lines after it, so that every step is logged once.
"""

import json
import math
import pathlib
from collections.abc import Mapping

import numpy as np
import scipy.signal
from matplotlib import colormaps
from tensorboardX import SummaryWriter

FLOOR_DB = -80.0


class MetricsWriter:
    """Writes under `workdir`: `metrics.jsonl`, `evaluation.jsonl` and `tensorboard/`."""

    def __init__(self, workdir: pathlib.Path, start_step: int, sample_rate: int):
        self._sample_rate = sample_rate
        self._files = {}
        for kind in ("metrics", "evaluation"):
            path = workdir / f"{kind}.jsonl"
            drop_after(path, start_step)
            self._files[kind] = open(path, "a", encoding="utf-8")  # noqa: SIM115 (closed in close)
        self._board = SummaryWriter(str(workdir / "tensorboard"), purge_step=start_step + 1)

    def scalars(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        """One line of `kind` ("metrics" or "evaluation") for a step."""
        finite = {k: v if math.isfinite(v) else None for k, v in values.items()}
        self._files[kind].write(json.dumps({"step": step, **finite}) + "\n")
        self._files[kind].flush()
        self.board(step, {f"{kind}/{name}": value for name, value in values.items()})

    def board(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers for TensorBoard alone, which takes finite ones."""
        for name, value in values.items():
            if math.isfinite(value):
                self._board.add_scalar(name, value, step)

    def samples(self, step: int, audio: Mapping[str, np.ndarray]) -> None:
        """Audio float32[K,N,C] by name, as sound and as spectrograms one above the other."""
        for name, waves in audio.items():
            pictures = [spectrogram_picture(wave.mean(-1), self._sample_rate) for wave in waves]
            picture = np.concatenate(pictures)
            self._board.add_image(f"samples/{name}", picture, step, dataformats="HWC")
            for k, wave in enumerate(waves):
                clipped = np.clip(wave, -1.0, 1.0)
                self._board.add_audio(f"samples/{name}/{k}", clipped, step, self._sample_rate)

    def close(self) -> None:
        """Flushes and closes the files."""
        for file in self._files.values():
            file.close()
        self._board.close()


def drop_after(path: pathlib.Path, step: int) -> None:
    """Keeps only whole lines of a JSON-lines file that belong to steps up to `step`."""
    if not path.exists():
        return
    kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(f"{line}\n" for line in kept))
    temporary.replace(path)


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except ValueError:  # the last line of a process that was killed while it wrote
        return float("inf")


def spectrogram_picture(wave_N: np.ndarray, sample_rate: int) -> np.ndarray:
    """uint8[bins,frames,3] log spectrogram from 0 dB down to -80 dB, low frequencies below."""
    window = min(2 ** round(np.log2(sample_rate * 0.032)), len(wave_N))
    _, _, spectrum = scipy.signal.stft(wave_N, sample_rate, nperseg=window)
    level = 20.0 * np.log10(np.maximum(np.abs(spectrum[::-1]), 10 ** (FLOOR_DB / 20)))
    level = np.clip(1.0 - level / FLOOR_DB, 0.0, 1.0)
    return (colormaps["magma"](level)[..., :3] * 255).astype(np.uint8)
