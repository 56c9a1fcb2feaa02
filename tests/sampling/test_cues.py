import pytest

from v2a_jax.errors import UserError
from v2a_jax.sampling.cues import Cue, cue_for, read_cues

CUES = (
    Cue(start=0.0, end=2.5, prompt="rain"),
    Cue(start=2.5, end=62.25, prompt='a "loud" siren, far', negative_prompt="speech"),
    Cue(start=70.0, end=3601.0, transcript="hello"),
)
SHEETS = {
    "a.json": """[
  {"start": 2.5, "end": "1:02.25", "prompt": "a \\"loud\\" siren, far",
   "negative_prompt": "speech"},
  {"start": 0, "end": 2.5, "prompt": "rain", "transcript": null},
  {"start": "70", "end": "1:00:01", "transcript": "hello"}
]
""",
    "a.csv": """prompt,start, end,negative_prompt,transcript
rain,0,2.5,,
"a ""loud"" siren, far",2.5,1:02.25,speech,

,70,1:00:01,,hello
""",
    "a.srt": """\ufeff1
00:00:00,000 --> 00:00:02,500
rain

2
00:00:02,500 --> 00:01:02,250
a "loud" siren,
far
Negative_prompt: speech


3
00:01:10,000 --> 01:00:01,000
transcript: hello""",
}


@pytest.mark.parametrize("name", SHEETS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_same_cues_in_each_format(tmp_path, name, newline):
    (tmp_path / name).write_bytes(SHEETS[name].replace("\n", newline).encode())
    assert read_cues(tmp_path / name) == CUES


BAD = [
    ("a.json", "{}", ":1: not a JSON list"),
    ("a.json", "", ":1: not a JSON list"),
    ("a.json", "[]", "holds no cue"),
    ("a.json", '[\n{"start": 0, "end": 1, "prompt": "x"},\n{"start": 0 "end": 1}]', ":3: not JSON"),
    ("a.json", '[\n{"start": 0, "end": 1, "prompt": "x"}', ":2: not JSON"),
    ("a.json", '[{"start": 0, "end": 1, "prompt": "x"}]\n\nx', ":3: more text"),
    ("a.json", '[\n\n5]', ":3: not a cue"),
    ("a.json", '[{"start": 0, "end": 1, "prompt": 5}]', ":1: prompt is not text"),
    ("a.json", '[{"start": NaN, "end": 1, "prompt": "x"}]', ":1: start 'nan' is no time"),
    ("a.json", '[{"start": true, "end": 1, "prompt": "x"}]', ":1: start 'True' is no time"),
    ("a.json", '[{"start": 0, "end": 1, "promt": "x"}]', ":1: unknown field 'promt'"),
    ("a.json", "[" * 100000, "not JSON"),
    ("a.csv", "start,prompt\n0,x\n", ":1: the header has no column 'end'"),
    ("a.csv", "", ":1: the header has no column 'start'"),
    ("a.csv", "start,end,prompt\n0,1,x\n\n0,1\n", ":4: a row has as many fields"),
    ("a.csv", "start,end,prompt\n0,1,x\n0,1,x,y\n", ":3: a row has as many fields"),
    ("a.csv", "start,end,prompt\n0,1,x\n1,1,y\n", ":3: ends at 1 s, not after"),
    ("a.csv", "start,end,prompt\n0,1,x\n1,2,\n", ":3: says nothing"),
    ("a.csv", 'start,end,prompt\n0,1,"x\n', "not CSV"),
    ("a.csv", "start,end,prompt\n-1,1,x\n", ":2: start '-1' is no time"),
    ("a.csv", "start,end,prompt\n0,1:75,x\n", ":2: end '1:75' is no time"),
    ("a.csv", "start,end,prompt\n0,inf,x\n", ":2: end 'inf' is no time"),
    ("a.csv", "start,end,prompt\n0,1:2:3:4,x\n", ":2: end '1:2:3:4' is no time"),
    ("a.srt", "1\n00:00:00 -> 00:00:01\nx\n", ":2: no times"),
    ("a.srt", "\n\n00:00:02,0 --> 00:00:01,0\nx", ":3: ends at 1 s"),
    ("a.srt", "1\n00:00:00,0 --> 00:00:01,0\n\n", ":2: says nothing"),
    ("a.srt", "\n \n", "holds no cue"),
    ("a.csv", b"start,end,prompt\n0,1,x\n0,1,\xff\n", ":3: not text in UTF-8"),
    ("a.txt", "", "a cue sheet ends in"),
]  # fmt: skip


@pytest.mark.parametrize("name, text, message", BAD, ids=[m for *_, m in BAD])
def test_a_bad_line_is_told_with_its_number(tmp_path, name, text, message):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=message) as told:
        read_cues(tmp_path / name)
    assert name in str(told.value) and len(str(told.value)) < 300


def test_a_missing_sheet_is_told(tmp_path):
    with pytest.raises(UserError, match=r"no\.srt: no such file"):
        read_cues(tmp_path / "no.srt")


A = Cue(start=0, end=4, prompt="a")
B = Cue(start=3, end=9, prompt="b")
SHORT = Cue(start=5, end=5.5, prompt="short")


@pytest.mark.parametrize(
    "start, end, expected",
    [(0, 2, A), (2, 4.2, A), (3, 8, B), (3, 4, B), (4, 9, B), (5.0, 5.5, SHORT),
     (9, 12, None), (8.9, 12, B), (0, 9, B)],
)  # fmt: skip
def test_a_stretch_takes_the_cue_that_covers_most_of_it(start, end, expected):
    for cues in ((A, B, SHORT), (SHORT, B, A)):
        assert cue_for(cues, start, end) is expected
