"""What a compiled program moves: between chips, by kind of collective, and to and from memory.

A collective of payload B over n chips sends, from each chip of a ring, B (n-1)/n bytes to gather,
to reduce and scatter or to exchange all with all, twice that to reduce for all, and B to permute
(Chan et al. 2007, "Collective communication"). B is the larger of what goes in and what comes out.
"""

import dataclasses
import re
from collections import defaultdict

from v2a_jax.planning.hlo import Instruction, Module, array_bytes, calls

KINDS = ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute")
CHANNEL = re.compile(r"channel_id=(\d+)")
GROUPS = re.compile(r"replica_groups=\{\{([\d,]*)\}")
IOTA = re.compile(r"replica_groups=\[\d+,(\d+)\]")
MESH = re.compile(r"replica_groups=mesh\[([^\]]*)\]\s*\{([^}]*)\}")
TRANSFER = re.compile(r'_xla_megascale_transfer_type="(\w+)"')
TARGETS = re.compile(r'_xla_megascale_target="\{([\d,]+)\}')
# Instructions that name data and move none.
STILL = re.compile(
    r"parameter|constant|tuple|get-tuple-element|bitcast|while|conditional|call|after-all|"
    r"iota|partition-id|replica-id|opt-barrier|async-update|.*-done"
)


@dataclasses.dataclass(frozen=True)
class Collective:
    """All collectives of a kind over one network: `ici` within a slice, `dcn` between slices.

    `count` a step, `payload` bytes of one chip, `sent` bytes that a chip of a ring sends.
    """

    kind: str
    network: str
    count: int
    payload: float
    sent: float


def collectives(module: Module) -> tuple[Collective, ...]:
    """What each chip exchanges with others, by kind and network."""
    runs = module.runs()
    # A collective that is overlapped with others' work shows up once for each of its pieces.
    found: dict[tuple, tuple[Instruction, int]] = {}
    for name, body in module.computations.items():
        for one in body:
            if runs[name] and _kind(one):
                channel = CHANNEL.search(one.attributes)
                key = (_kind(one), channel[1]) if channel else (name, one.name)
                times = max(runs[name], found[key][1] if key in found else 0)
                found[key] = one, times
    totals: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for one, times in found.values():
        kind, network = _kind(one)
        payload, sent = _sizes(kind, network, one)
        total = totals[kind, network]
        for place, value in enumerate((1, payload, sent)):
            total[place] += times * value
    return tuple(Collective(*key, int(t[0]), t[1], t[2]) for key, t in sorted(totals.items()))


def _kind(one: Instruction) -> tuple[str, str] | None:
    """Kind and network of a collective, None for other instructions."""
    if one.opcode == "send" and (found := TRANSFER.search(one.attributes)):
        return found[1].lower().replace("_", "-"), "dcn"
    kind = one.opcode.removesuffix("-start")
    return (kind, "ici") if kind in KINDS else None


def _sizes(kind: str, network: str, one: Instruction) -> tuple[float, float]:
    arrays = array_bytes(one.shape)
    if network == "dcn":
        arrays = arrays[:1]  # what is sent, beside a context and a token
    elif one.opcode in ("all-gather-start", "collective-permute-start"):
        arrays = [max(arrays)]  # what goes in and what comes out
    size = group_size(one.attributes)
    payload = sum(arrays) * (size if kind == "reduce-scatter" else 1)
    share = 1.0 if kind == "collective-permute" else (size - 1) / size
    return float(payload), payload * share * (2 if kind == "all-reduce" else 1)


def group_size(attributes: str) -> int:
    """Chips that take part in one group of a collective, in any of the ways in which it is said."""
    if found := TARGETS.search(attributes) or GROUPS.search(attributes):
        return len(found[1].split(","))
    if found := IOTA.search(attributes):
        return int(found[1])
    if found := MESH.search(attributes):
        sizes = dict(re.findall(r"'([^']+)'=(\d+)", found[1]))
        size = 1
        for axis in re.findall(r"'([^']+)'", found[2]):
            size *= int(sizes[axis])
        return size
    return 2


def memory_traffic(module: Module) -> float:
    """Bytes that each chip reads from and writes to its memory in one run.

    Every instruction reads its operands and writes its results, except for what stays on the chip;
    of an array that it only cuts from, or writes a piece into, it touches the piece.
    """
    runs, total = module.runs(), 0.0
    fused = {
        called
        for body in module.computations.values()
        for one in body
        if one.opcode in ("fusion", "custom-call", "async-start")
        for called in calls(one)
    }
    for name, body in module.computations.items():
        if runs[name] and name not in fused:
            shapes = {one.name: one.shape for one in body}
            total += runs[name] * sum(_touched(one, shapes, module) for one in body)
    return total


def _touched(one: Instruction, shapes: dict[str, str], module: Module) -> float:
    if STILL.fullmatch(one.opcode):
        return 0.0
    written = sum(array_bytes(one.shape, hbm_only=True))
    if one.opcode in ("dynamic-slice", "slice", "gather"):
        return 2.0 * written
    if one.opcode == "dynamic-update-slice":
        return 2.0 * sum(array_bytes(shapes[one.operands[1]], hbm_only=True))
    reads = [sum(array_bytes(shapes.get(name, ""), hbm_only=True)) for name in one.operands]
    if one.opcode == "fusion":
        body = module.computations[next(calls(one))]
        reads, written = _fused(body, reads, written)
    return float(sum(reads) + written)


def _fused(body: list[Instruction], reads: list[int], written: int) -> tuple[list[int], int]:
    """Bytes read and written by a fusion, less what it has as operand or result but leaves be."""
    users: dict[str, list[Instruction]] = defaultdict(list)
    for one in body:
        for operand in one.operands:
            users[operand].append(one)
    shapes, reads = {one.name: one.shape for one in body}, list(reads)
    for one in body:
        if one.opcode != "parameter":
            continue
        place, uses = int(one.operands[0]), users[one.name]
        if uses and all(use.opcode == "dynamic-slice" for use in uses):
            reads[place] = min(reads[place], sum(sum(array_bytes(use.shape)) for use in uses))
        elif uses and all(_updates(use, one.name) for use in uses):
            written, reads[place] = max(0, written - reads[place]), 0
            written += sum(sum(array_bytes(shapes[use.operands[1]])) for use in uses)
    return reads, written


def _updates(one: Instruction, array: str) -> bool:
    """Whether an instruction only writes a piece into this array."""
    return one.opcode == "dynamic-update-slice" and one.operands[0] == array
