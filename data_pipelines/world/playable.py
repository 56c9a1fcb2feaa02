"""Clips as files to watch: H.264 and AAC in MP4, one clock for both."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_pipelines.schema import ClipRecord

_CRF = "16"  # visually lossless, so that contacts can be read back from the pixels


def write_mp4(record: ClipRecord, path: Path) -> None:
    """Writes one clip with picture and sound."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        rate = Fraction(record.fps).limit_denominator(1001)
        picture = container.add_stream("libx264", rate=rate, options={"crf": _CRF, "bf": "0"})
        picture.height, picture.width = record.video.shape[1:3]
        picture.pix_fmt = "yuv420p"
        picture.thread_count = 1
        layout = "mono" if record.audio.shape[1] == 1 else "stereo"
        track = container.add_stream("aac", rate=record.sample_rate, layout=layout)
        track.bit_rate = 128_000
        for pixels in record.video:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        wave = np.ascontiguousarray(record.audio.T)
        samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
        samples.sample_rate, samples.pts = record.sample_rate, 0
        container.mux(track.encode(samples))
        container.mux(track.encode())
