"""The `v2a` command: `v2a NAME ..` runs `v2a_jax.bin.NAME`, one thin absl app a command."""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

from absl import flags

import v2a_jax.bin
from v2a_jax.errors import UserError

EXIT_BAD_INPUT = 2


def launch(run: Callable[[list[str]], int | None], argv: Sequence[str] | None = None) -> None:
    """Runs a command's `run(positional arguments)`; bad input is one line and exit status 2."""
    arguments = list(sys.argv if argv is None else argv)
    if "--help" in arguments[1:]:
        sys.stdout.write(_help(sys.modules[run.__module__]))
        sys.exit(0)
    try:
        status = run(_parse(arguments))
    except (UserError, flags.Error, OSError, AttributeError, KeyError) as error:
        if isinstance(error, AttributeError | KeyError) and not _from_config(error):
            raise
        sys.stderr.write(f"v2a: error: {_one_line(error)}\n")
        sys.exit(EXIT_BAD_INPUT)
    sys.exit(status or 0)


def _help(command: ModuleType) -> str:
    """What a command does, and its flags."""
    return f"{command.__doc__}\n{flags.FLAGS.module_help(command)}\n"


def _parse(arguments: list[str]) -> list[str]:
    """Positional arguments; UserError for whatever a --config file raises that isn't sound."""
    try:
        return flags.FLAGS(arguments)
    except (UserError, flags.Error, OSError, AttributeError, KeyError):
        raise
    except Exception as error:
        raise UserError(f"--config: {type(error).__name__}: {error}") from error


def no_more(argv: list[str]) -> None:
    """UserError for words that are neither flags nor their values."""
    if argv[1:]:
        raise UserError(f"unexpected argument {argv[1]!r}")


def _one_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"unknown field of --config: {error.args[0]}"
    return " ".join(str(error).split())


def _from_config(error: Exception) -> bool:
    """Whether ml_collections raised it: an unknown `--config.field` is the user's mistake."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and "ml_collections" in frame.tb_frame.f_code.co_filename


def commands() -> list[str]:
    """Names of the commands, in alphabetical order."""
    found = pkgutil.iter_modules(v2a_jax.bin.__path__)
    return sorted(module.name for module in found if module.name != "main")


def main() -> None:
    """Entry point of the console script."""
    names = commands()
    if len(sys.argv) < 2 or sys.argv[1] in ("--help", "-h", "help"):
        sys.stdout.write(f"usage: v2a COMMAND [FLAGS]\ncommands: {' '.join(names)}\n")
        sys.stdout.write("'v2a COMMAND --help' lists a command's flags.\n")
        sys.exit(0 if len(sys.argv) > 1 else EXIT_BAD_INPUT)
    name = sys.argv[1]
    if name not in names:
        sys.stderr.write(f"v2a: error: unknown command '{name}' (one of: {' '.join(names)})\n")
        sys.exit(EXIT_BAD_INPUT)
    module = importlib.import_module(f"v2a_jax.bin.{name}")
    launch(module.run, [f"v2a {name}", *sys.argv[2:]])


if __name__ == "__main__":
    main()
