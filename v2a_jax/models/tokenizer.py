"""Text to ids: SentencePiece with byte fallback, trained on the corpus; transcripts as bytes."""

import io
from collections.abc import Iterable, Sequence

import numpy as np
import sentencepiece

from v2a_jax.errors import UserError

SMALLEST_VOCABULARY = 280  # padding, unknown and the 256 bytes, and room for some pieces


class Tokenizer:
    """A trained SentencePiece model; id 0 is padding."""

    def __init__(self, model: bytes):
        self.model = model
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise UserError("the text tokenizer is not a SentencePiece model") from error

    @property
    def vocabulary(self) -> int:
        """Number of ids."""
        return self._processor.GetPieceSize()

    def encode(self, text: str) -> list[int]:
        """Ids of a text, as many as it takes."""
        return self._processor.EncodeAsIds(text)


def train_tokenizer(sentences: Iterable[str], vocabulary: int) -> Tokenizer:
    """The tokenizer of a corpus, the same for the same corpus; UserError when it has no words."""
    if vocabulary < SMALLEST_VOCABULARY:
        raise UserError(f"vocabulary={vocabulary} is below {SMALLEST_VOCABULARY}")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=vocabulary,
            hard_vocab_limit=False,
            byte_fallback=True,
            character_coverage=1.0,
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError("no text tokenizer can be trained: the data have no captions") from error
    return Tokenizer(model.getvalue())


def transcript_ids(text: str) -> list[int]:
    """Its UTF-8 bytes + 1."""
    return [byte + 1 for byte in text.encode("utf-8")]


def padded(ids: Sequence[int], length: int) -> np.ndarray:
    """int32[length]: ids cut to the length, or followed by zeros."""
    out = np.zeros(length, np.int32)
    out[: len(ids)] = ids[:length]
    return out
