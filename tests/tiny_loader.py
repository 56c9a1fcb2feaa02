"""A loader of examples of 0.16 s, of clips small enough to be made while a test waits."""

from data_pipelines.transforms import LoaderConfig

FORM = dict(fps=25, size=32, sample_rate=16000)
LOADER = LoaderConfig(
    seconds=0.16,
    channels=1,
    caption_length=2,
    transcript_length=2,
    captions={"full": 1.0},
    degrade=False,
    max_severity=0.7,
    threads=2,
    prefetch=2,
    **FORM,
)
