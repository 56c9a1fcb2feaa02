"""A model's answer is hostile input: what is not as asked for is a fault, and told as one."""

import json

import pytest

from data_pipelines.annotate.answer import MOST, MOST_LABELS, read_answer
from data_pipelines.annotate.chat import Fault

SECONDS = 2.0
WORD = {"word": "hello", "start": 0.5, "end": 1.0}


def read(**fields):
    return read_answer(json.dumps({"description": "a bell"} | fields), SECONDS)


def test_what_is_missing_or_null_is_empty():
    for told in (read(), read(short=None, labels=None, transcript=None, words=None)):
        assert (told.short, told.labels, told.transcript, told.words) == ("a bell", (), "", ())


def test_an_answer_may_stand_in_a_fence_and_is_read_back_as_it_was():
    told = read(labels=["a", "b\n c", "a", ""], words=[WORD, WORD | {"start": 1, "end": 2.3}])
    assert read_answer(f"```json\n{told.to_json()}\n```", SECONDS) == told
    assert told.labels == ("a", "b c") and told.transcript == "hello hello"
    assert told.words == (("hello", 0.5, 1.0), ("hello", 1.0, 2.0))


def test_white_space_and_joiners_are_no_control_characters():
    assert read(description=" a\tbell\u3000rings\r\n").description == "a bell rings"
    assert read(transcript="می\u200cخواهم").transcript == "می\u200cخواهم"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"description": ""}, "no description"),
        ({"description": None}, "no description"),
        ({"description": ["a bell"]}, "description is no text"),
        ({"description": "a\x1b[2Jbell"}, "control characters"),
        ({"description": "a\u202ebell"}, "control characters"),
        ({"description": "a\ud800bell"}, "control characters"),
        ({"description": "a" * (MOST["description"] + 1)}, "description of 1001 characters"),
        ({"short": 3}, "short is no text"),
        ({"labels": "bell"}, "labels is no list"),
        ({"labels": [{"name": "bell"}]}, "label is no text"),
        ({"labels": ["a"] * (MOST_LABELS + 1)}, "labels is no list of at most"),
        ({"transcript": "\x00"}, "control characters"),
        ({"words": {"hello": 1}}, "words is no list"),
        ({"words": ["hello"]}, "word is no object"),
        ({"words": [WORD | {"start": "0.5"}]}, "time is no number"),
        ({"words": [WORD | {"start": True}]}, "time is no number"),
        ({"words": [WORD | {"end": 10**400}]}, "time is no number"),
        ({"words": [WORD | {"end": None}]}, "time is no number"),
        ({"words": [WORD | {"start": -0.1}]}, "not within the window"),
        ({"words": [WORD | {"start": 1.1}]}, "not within the window"),
        ({"words": [WORD | {"end": 2.6}]}, "not within the window"),
        ({"words": [WORD | {"start": 2.1, "end": 2.2}]}, "not within the window"),
        ({"words": [WORD | {"word": " "}]}, "a word is empty"),
        ({"words": [WORD, WORD | {"start": 0.1}]}, "not in order"),
    ],
)
def test_what_is_not_as_asked_for_is_named(fields, fault):
    with pytest.raises(Fault, match=fault):
        read(**fields)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not JSON"),
        ("a bell", "not JSON"),
        ('{"description": "a bell"} and more', "not JSON"),
        ('{"description": "a", "words": [{"word": "a", "start": NaN, "end": 1}]}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("9" * 5000, "not JSON"),
        ('["a bell"]', "no JSON object"),
    ],
)
def test_what_is_no_object_is_told(text, fault):
    with pytest.raises(Fault, match=fault):
        read_answer(text, SECONDS)
