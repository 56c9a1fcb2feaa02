"""Models: audio codec, video tokenizer, text encoder, audio diffusion transformer."""
