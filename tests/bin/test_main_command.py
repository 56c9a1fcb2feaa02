import sys

import pytest

from v2a_jax.bin.main import commands, launch, main
from v2a_jax.errors import UserError


@pytest.fixture
def v2a_main(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["v2a", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr()

    return run


def test_help_lists_the_commands(v2a_main):
    for asked in ("--help", "-h", "help"):
        status, output = v2a_main(asked)
        assert status == 0 and not output.err
        assert all(name in output.out for name in commands())
    assert {"train", "export", "sample", "watermark", "detect", "evaluate", "world"} <= set(
        commands()
    )


def test_help_of_a_command_lists_its_flags(v2a):
    status, errors = v2a("watermark", "--help")
    shown = "\n".join(v2a.output)
    assert status == 0 and not errors
    assert all(text in shown for text in ("v2a watermark FILE", "--out", "--payload"))


@pytest.mark.parametrize("name", ["nothing", "main", "__init__", "../evil", "", "--nope"])
def test_an_unknown_command_is_one_line(v2a_main, name):
    status, output = v2a_main(name)
    assert status == 2 and not output.out
    assert len(output.err.splitlines()) == 1 and "train" in output.err


def test_no_command_is_a_mistake(v2a_main):
    assert v2a_main()[0] == 2


def raising(error):
    def run(argv):
        raise error

    return run


@pytest.mark.parametrize("error", [UserError("two\nlines"), OSError("disk full")])
def test_errors_a_user_can_cause_are_one_line(capsys, error):
    with pytest.raises(SystemExit) as ended:
        launch(raising(error), ["v2a test"])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("y"), ZeroDivisionError("z")])
def test_errors_of_the_program_keep_their_traceback(error):
    with pytest.raises(type(error)):
        launch(raising(error), ["v2a test"])


@pytest.mark.parametrize("status", [None, 0, 1, 2])
def test_the_status_of_a_command_is_passed_on(status):
    with pytest.raises(SystemExit) as ended:
        launch(lambda argv: status, ["v2a test"])
    assert ended.value.code == (status or 0)
