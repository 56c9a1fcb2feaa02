"""The TFDS front door to clip records; read and written without TensorFlow."""

from data_pipelines.tfds_builder.clips_dataset_builder import Builder, TfdsSource, write_tfds

__all__ = ["Builder", "TfdsSource", "write_tfds"]
