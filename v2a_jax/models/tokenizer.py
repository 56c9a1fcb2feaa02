"""Text to ids: SentencePiece with byte fallback, trained on the corpus; transcripts as bytes."""

import io
from collections.abc import Iterable

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

    def row(self, text: str, length: int) -> np.ndarray:
        """int32[length], padded with 0; UserError when the text is longer."""
        ids = self.encode(text)
        if len(ids) > length:
            raise UserError(
                f"the prompt is too long: {len(ids)} tokens, at most {length} "
                f"({len(text)} characters: '{text[:30]}...')"
            )
        return np.array(ids + [0] * (length - len(ids)), np.int32)


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


def transcript_row(text: str, length: int) -> np.ndarray:
    """int32[length]: UTF-8 bytes + 1, padded with 0; UserError when the text is longer."""
    spoken = text.encode("utf-8")
    if len(spoken) > length:
        raise UserError(f"the transcript is too long: {len(spoken)} bytes, at most {length}")
    return np.array([byte + 1 for byte in spoken] + [0] * (length - len(spoken)), np.int32)
