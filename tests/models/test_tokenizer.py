import numpy as np
import pytest
from tiny_system import CORPUS, tiny_tokenizer

from v2a_jax.errors import UserError
from v2a_jax.models.tokenizer import Tokenizer, padded, train_tokenizer, transcript_ids


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.mark.parametrize("text", ["a ball bounces", "naïve 鐘の音 🎺", "tab\tand\x07bell"])
def test_any_text_has_ids_of_known_pieces(tokenizer, text):
    ids = tokenizer.encode(text)
    assert ids and all(1 < id_ < tokenizer.vocabulary for id_ in ids)  # 0 pads, 1 is unknown


def test_different_words_have_different_ids(tokenizer):
    texts = ["a siren", "a sirem", "siren", "鐘", "鏡"]
    assert len({tuple(tokenizer.encode(text)) for text in texts}) == len(texts)


def test_ids_are_followed_by_zeros_or_cut():
    assert padded([3, 4], 4).tolist() == [3, 4, 0, 0]
    assert padded([3, 4], 2).tolist() == [3, 4]
    assert padded([3, 4], 1).tolist() == [3]
    assert padded([], 2).dtype == np.int32 and not padded([], 2).any()


def test_training_is_a_function_of_the_corpus(tokenizer):
    assert tiny_tokenizer().model == tokenizer.model
    assert (
        train_tokenizer(CORPUS[:40] + ["other words entirely"] * 40, 290).model != tokenizer.model
    )


def test_a_vocabulary_too_small_for_bytes_and_a_damaged_model_are_refused(tokenizer):
    with pytest.raises(UserError, match="vocabulary=279"):
        train_tokenizer(CORPUS, 279)
    for damaged in (b"", b"not a model", tokenizer.model[: len(tokenizer.model) // 2]):
        with pytest.raises(UserError, match="SentencePiece"):
            Tokenizer(damaged)


def test_an_empty_corpus_is_refused():
    for corpus in ([], ["", " "]):
        with pytest.raises(UserError, match="no captions"):
            train_tokenizer(corpus, 290)


@pytest.mark.parametrize("text", ["", "hello", "zwölf Boxkämpfer", "\x00 nul"])
def test_a_transcript_is_its_bytes(text):
    ids = transcript_ids(text)
    assert bytes(id_ - 1 for id_ in ids).decode() == text and all(ids)
