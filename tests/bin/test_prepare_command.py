"""`v2a prepare`: bad input told in one line, before anything is made."""

import pytest


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "needs --source=NAME"),
        (("--workers=0",), "--workers is at least 1"),
        (("--licence_evidence=https://example.org",), "--licence_evidence needs --licence"),
        (("--consent=contract",), "--consent needs --licence"),
        (("--licence=CC0",), "--licence needs --licence_evidence"),
        (("--licence=CC0", "--licence_evidence=x", "--consent=perhaps"), "perhaps"),
        (("--size=1",), "size is 1"),
        (("more",), "unexpected argument"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(v2a, tmp_path, given, told):
    needed = ("--source=folder", f"--input={tmp_path}", f"--out={tmp_path / 'out'}")
    status, lines = v2a("prepare", *(needed if given else ()), *given)
    assert status == 2 and len(lines) == 1 and told in lines[0]
    assert not list(tmp_path.iterdir())
