"""Annotators: what is told of a window's sound, each statement with its origin and confidence.

protocol   what an annotator sees, what it tells, and how several are asked
sidecar    what the dataset itself says, and captions made of its labels
describe   sentences from what `hearing` measures in the signal
endpoint   a model behind an OpenAI-compatible address: `request`, `chat`, `answer`
choose     from names to annotators
"""
