"""A compiled program as data: its instructions in order, and how often each of them runs.

Read from the text of optimised HLO, https://openxla.org/xla/operation_semantics; shapes in it are
those of one chip.
"""

import dataclasses
import math
import re
from collections.abc import Iterator

ARRAY = re.compile(r"\b([a-z][a-z0-9]*)\[([\d,]*)\](\{[^}]*\})?")
COMPUTATION = re.compile(r"(ENTRY )?%?([^\s(]+) .*\{$")
BRANCHES = re.compile(r"(?:branch_computations|called_computations)=\{([^}]*)\}")
SINGLE = re.compile(r"\b(calls|body|condition|true_computation|false_computation)=%?([\w.-]+)")
TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
ON_CHIP = re.compile(r"S\([1-9]\d*\)")  # a memory space other than the chip's HBM


@dataclasses.dataclass(frozen=True, slots=True)
class Instruction:
    """One line: `name = shape opcode(operands), attributes`; a parameter's operand is its place,
    and a constant's its value."""

    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    attributes: str


@dataclasses.dataclass(frozen=True)
class Module:
    """Instructions of each computation by its name; `entry` is the one that is run."""

    computations: dict[str, list[Instruction]]
    entry: str

    def runs(self) -> dict[str, int]:
        """How often each computation is run; a loop whose length is not known counts once."""
        counts: dict[str, int] = dict.fromkeys(self.computations, 0)

        def visit(name: str, times: int) -> None:
            counts[name] += times
            for instruction in self.computations[name]:
                each = self.trips(instruction) if instruction.opcode == "while" else 1
                for called in calls(instruction):
                    if called in counts:
                        visit(called, times * each)

        visit(self.entry, 1)
        return counts

    def trips(self, loop: Instruction) -> int:
        """Turns of a loop: as the compiler says, or the number that its condition counts up to."""
        if found := TRIPS.search(loop.attributes):
            return int(found[1])
        names = re.findall(r"condition=%?([\w.-]+)", loop.attributes)
        bounds = [1]
        for name in names:
            for one in self.computations[name]:
                names += calls(one)
                if one.opcode == "constant" and one.operands[0].isdecimal():
                    bounds.append(int(one.operands[0]))
        return max(bounds)


def calls(instruction: Instruction) -> Iterator[str]:
    """Computations that an instruction runs; those that reduce are not counted."""
    for _, name in SINGLE.findall(instruction.attributes):
        yield name
    for names in BRANCHES.findall(instruction.attributes):
        for name in names.split(","):
            yield name.strip().lstrip("%")


def parse(text: str) -> Module:
    """The module that `Compiled.as_text()` describes."""
    computations: dict[str, list[Instruction]] = {}
    entry, body = "", None
    for line in text.splitlines():
        if not line.startswith(" "):
            found = COMPUTATION.match(line)
            if found and "=" not in found[2]:
                body = computations.setdefault(found[2], [])
                entry = found[2] if found[1] else entry
        elif body is not None and " = " in line:
            body.append(_instruction(line))
    return Module(computations, entry)


def _instruction(line: str) -> Instruction:
    name, rest = line.strip().removeprefix("ROOT ").split(" = ", 1)
    end = _closing(rest) + 1 if rest.startswith("(") else rest.index(" ")
    shape, rest = rest[:end], rest[end:].lstrip()
    opcode, rest = rest.split("(", 1)
    end = _closing("(" + rest) - 1
    told = rest[:end]
    verbatim = opcode in ("parameter", "constant")
    operands = (told,) if verbatim else tuple(re.findall(r"%([\w.-]+)", told))
    return Instruction(name.lstrip("%"), shape, opcode, operands, rest[end + 1 :])


def _closing(text: str) -> int:
    """Where the parenthesis that `text` begins with is closed."""
    depth = 0
    for found in re.finditer(r"[()]", text):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.start()
    raise ValueError(f"unbalanced: {text[:80]}")


def array_bytes(shape: str, *, hbm_only: bool = False) -> list[int]:
    """Bytes of each array of a shape; `hbm_only` counts those as 0 that are kept on the chip."""
    return [
        0 if hbm_only and ON_CHIP.search(layout) else _bits(kind) * _size(dims) // 8
        for kind, dims, layout in ARRAY.findall(shape)
    ]


def _size(dims: str) -> int:
    return math.prod(int(size) for size in dims.split(",")) if dims else 1


def _bits(kind: str) -> int:
    """Bits of one number: bf16 16, f8e4m3 8, c64 64 (two of f32), pred 8."""
    if kind == "pred":
        return 8
    found = re.match(r"[a-z]+(\d+)", kind)
    return int(found[1]) if found else 0
