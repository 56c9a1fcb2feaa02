"""The feature store: clips as the frozen codec, tokenizer and text encoder leave them.

`v2a encode` writes one, `schema` says what a clip is in it, and `loader` makes the same batches of
it that training would have made of the clips themselves.
"""
