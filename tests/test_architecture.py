"""The table of rooms in docs/architecture.md says what each imports."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
ROW = re.compile(r"^\| `([^`]+)` \|.*\| ([^|]+) \|$", re.MULTILINE)


def table():
    """Of each row: its rooms, as paths without suffix, and the names of what they import."""
    for names, told in ROW.findall((ROOT / "docs/architecture.md").read_text()):
        first, *others = (name.removesuffix(".py") for name in names.split())
        folder = first.rpartition("/")[0]
        yield (first, *(f"{folder}/{name}" for name in others)), set(told.split(", "))


ROWS = list(table())
EVERYONES, ROOMS = ROWS[0][0], [room for rooms, _ in ROWS for room in rooms]


def room_of(path):
    """The innermost room that a path without suffix lies in, if any."""
    holding = [room for room in ROOMS if f"{path}/".startswith(f"{room}/")]
    return max(holding, key=len, default=None)


def imported(path):
    """Rooms that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{one.name}" for one in node.names]
        else:
            continue
        yield from filter(None, (room_of(name.replace(".", "/")) for name in names))


def files(room):
    """Files that lie in a room, and in none within it."""
    for path in [ROOT / f"{room}.py", *(ROOT / room).rglob("*.py")]:
        if path.is_file() and room_of(path.relative_to(ROOT).with_suffix("").as_posix()) == room:
            yield path


@pytest.mark.parametrize(
    ("rooms", "told"),
    [pytest.param(*row, id=row[0][0]) for row in ROWS[1:] if row[1] != {"everything"}],
)
def test_a_room_imports_what_the_table_says(rooms, told):
    paths = [path for room in rooms for path in files(room)]
    found = {room for path in paths for room in imported(path)} - {*rooms, *EVERYONES}
    if rooms[0].startswith("data_pipelines"):
        found = {room for room in found if not room.startswith("data_pipelines")}
    assert paths
    assert {room.rpartition("/")[2] for room in found} == told - {"nothing"}


def test_the_first_row_imports_itself_alone():
    found = {room for name in EVERYONES for path in files(name) for room in imported(path)}
    assert found <= set(EVERYONES)


def test_every_folder_has_a_row():
    folders = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("v2a_jax/*/*.py")}
    assert folders <= set(ROOMS)
