"""What suits which devices: mesh, remat, accumulation, attention and compiler flags, and why.

A place to start from, by arithmetic on sizes; `v2a plan` compiles the step and says what it takes.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, MutableMapping

from ml_collections import ConfigDict

from configs import sizes
from v2a_jax.errors import UserError

GIB = 2**30
HARDWARE = re.compile(r"(?:(?P<slices>[1-9]\d*)x)?(?P<kind>[a-z]\w*):(?P<count>\d+)")
# Weights, their gradients, two moments and one average, all float32.
STATE_BYTES, FROZEN_BYTES = 20, 4
# Shares of the memory that the state and the activations may take; the rest is the compiler's.
STATE_SHARE, TOTAL_SHARE = 0.4, 0.8
REMATS = ("none", "dots", "full")
# What the backward pass keeps of a block with each of them, in numbers for each number of its
# input: every value; products with weights (modulation 6, q k v 3, out 1, MLP 4 + 1, or MLP 3 + 1
# alone) and the input; the input. Last, what the block takes that is worked on.
KEPT = {"modulated": (40, 16, 1, 64), "attending": (30, 10, 1, 40), "convolving": (20, 6, 1, 24)}
# Tokens below which attention is the plain one also where there is a kernel: see SPLASH_KEYS.
FEW = 256
# Latents a device is left with when time is split; with fewer, split heads and hidden units.
LONG = 1024

# libtpu's own defaults already schedule collectives beside compute (latency hiding, asynchronous
# and fused collectives, collective matmul): only what differs from the defaults is set here.
SLICES = (
    # The gradients' all-reduce over the data centre network starts while layers are still computed.
    "--xla_tpu_enable_data_parallel_all_reduce_opt=true",
    "--xla_tpu_data_parallel_opt_different_sized_ops=true",
)
# A v6e core has 128 MiB of VMEM, of which programs get 16 by default: larger fusions with more.
VMEM = ("--xla_tpu_scoped_vmem_limit_kib=98304",)
# Collectives beside compute; on GPUs this is not everywhere the default.
HIDING = ("--xla_gpu_enable_latency_hiding_scheduler=true",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Device:
    """`memory` in GiB; `near` devices are joined by fast links (0: all of a slice are)."""

    memory: int
    near: int
    attention: str
    flags: tuple[str, ...]


DEVICES = {
    "v4": Device(memory=32, near=0, attention="splash", flags=()),
    "v5e": Device(memory=16, near=0, attention="splash", flags=()),
    "v5p": Device(memory=95, near=0, attention="splash", flags=()),
    "v6e": Device(memory=32, near=0, attention="splash", flags=VMEM),
    # A chip is two devices, of which each has half of the memory.
    "tpu7x": Device(memory=94, near=0, attention="splash", flags=()),
    "a100": Device(memory=80, near=8, attention="cudnn", flags=HIDING),
    "h100": Device(memory=80, near=8, attention="cudnn", flags=HIDING),
    "h200": Device(memory=139, near=8, attention="cudnn", flags=HIDING),
    "cpu": Device(memory=4, near=0, attention="reference", flags=()),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hardware:
    """Settings, by their name in a config, and the reason of each; `flags` by the environment
    variable that takes them."""

    settings: dict[str, int | str]
    reasons: dict[str, str]
    flags: dict[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Size:
    """What memory depends on, of a config's stage."""

    state_bytes: int
    example_bytes: dict[str, int]  # activations of one example, by remat
    latents: int  # along which a clip can be split; 0 where it can't
    heads: int  # the greatest common divisor of what `tensor` splits
    widths: int  # the same of what `fsdp` splits

    @staticmethod
    def of(config: ConfigDict, kernel: str) -> "_Size":
        stage, model = config.stage, config.model
        trained = sum(sizes.parameters(config, part) for part in sizes.TRAINED[stage])
        frozen = sum(sizes.parameters(config, part) for part in sizes.FROZEN[stage])
        return _Size(
            state_bytes=STATE_BYTES * trained + FROZEN_BYTES * frozen,
            example_bytes={remat: _example(config, remat, kernel) for remat in REMATS},
            latents=sizes.latents(config) if stage == "diffusion" else 0,
            heads=math.gcd(*_named(model, "heads")),
            widths=math.gcd(*_named(model, "width")),
        )


def _example(config: ConfigDict, remat: str, kernel: str) -> int:
    """Bytes that a step keeps of one example, and needs to work on its largest block."""
    each, kept, working = 2 if _is_short(config) else 4, 0, 0
    for stack in sizes.stacks(config):
        # Only a fused kernel does without the logits, weights and slopes of all pairs of tokens.
        plain = kernel == "reference" or stack.keys < FEW
        pairs = 3 * stack.pairs if plain else 0
        of_kind = KEPT[stack.kind]
        numbers = of_kind[REMATS.index(remat)] * stack.numbers
        kept += stack.blocks * (numbers + (pairs if remat == "none" else 0))
        working = max(working, of_kind[-1] * stack.numbers + pairs)
    return round(each * (kept + working)) + sizes.ends(config)


def _named(model: ConfigDict, word: str) -> list[int]:
    """All sizes with a word in their name."""
    return [section[name] for section in model.values() for name in section if word in name]


def recommended(kind: str, count: int, slices: int, config: ConfigDict) -> Hardware:
    """Settings for training `config` on `count` devices of a kind, in so many slices together.

    UserError for an unknown kind, for a batch that cannot be spread over so many devices, and for
    a model that does not fit them.
    """
    if kind not in DEVICES:
        raise UserError(f"unknown device '{kind}' (one of: {', '.join(DEVICES)})")
    if count < 1 or slices < 1 or count % slices:
        raise UserError(f"{count} device(s) in {slices} slice(s): not a number of devices")
    # cuDNN's kernel is for 16 bits.
    kernel = DEVICES[kind].attention
    kernel = "reference" if kernel == "cudnn" and not _is_short(config) else kernel
    size, batch = _Size.of(config, kernel), config.run.batch_size
    shards, share = _spread(kind, count, batch, slices, size)
    mesh = _mesh(shards, share, DEVICES[kind].memory * GIB, slices, size)
    held = size.state_bytes / (mesh["fsdp"] * mesh["tensor"])
    left, rows = TOTAL_SHARE * DEVICES[kind].memory * GIB - held, batch // shards
    choices = [(1, remat) for remat in REMATS] + [(n, "full") for n in _divisors(rows)]
    fitting = [x for x in choices if size.example_bytes[x[1]] * rows / x[0] / share <= left]
    if not fitting:
        raise UserError(
            f"{held / GIB:.1f} GiB of state and {size.example_bytes['full'] / share / GIB:.2f} GiB "
            f"of an example do not fit a device of kind {kind} with {DEVICES[kind].memory} GiB"
        )
    accumulate, remat = fitting[0]
    example = size.example_bytes[remat] / share / GIB
    chosen = {
        "mesh.data": (mesh["data"], f"{shards} part(s) of a batch of {batch}, as many as can be"),
        "mesh.fsdp": (mesh["fsdp"], f"{held / GIB:.1f} GiB of the state on a device"),
        "mesh.context": (
            mesh["context"],
            f"{size.latents} latents to split, {LONG} a device at least",
        ),
        "mesh.tensor": (mesh["tensor"], f"{share} device(s) for a part, heads by {size.heads}"),
        "model.stack.remat": (remat, f"{example:.2f} GiB an example, {left / GIB:.1f} GiB left"),
        "run.accumulate": (accumulate, f"{rows} example(s) of a step on a device"),
        "model.stack.attention": ("auto", f"{kernel} fits {kind} and {config.dtype}"),
    }
    return Hardware(
        settings={name: value for name, (value, _) in chosen.items()},
        reasons={name: reason for name, (_, reason) in chosen.items()},
        flags=compiler_flags(kind, slices),
    )


def apply(config: ConfigDict, hardware: Hardware) -> None:
    """Changes the config to the settings."""
    config.update_from_flattened_dict(hardware.settings)


def export(flags: Mapping[str, str], environment: MutableMapping[str, str]) -> None:
    """Adds compiler flags to an environment in which JAX has not started; what is there wins."""
    for variable, value in flags.items():
        environment[variable] = f"{value} {environment.get(variable, '')}".strip()


def compiler_flags(kind: str, slices: int = 1) -> dict[str, str]:
    """What differs from the defaults, by the environment variable that takes it."""
    tpu = DEVICES[kind].attention == "splash"
    flags = DEVICES[kind].flags + (SLICES if slices > 1 and tpu else ())
    variable = "LIBTPU_INIT_ARGS" if tpu else "XLA_FLAGS"
    return {variable: " ".join(flags)} if flags else {}


def parse(text: str) -> tuple[str, int, int]:
    """(kind, devices in all, slices) of `v5p:64`, or `2xv5p:64` for two slices of 64 each.

    UserError for anything else.
    """
    found = HARDWARE.fullmatch(text)
    if not found:
        raise UserError(
            f"hardware '{text}' is not KIND:COUNT, e.g. v5p:64, or 2xv5p:64 for two such slices"
        )
    slices = int(found["slices"] or 1)
    return found["kind"], slices * int(found["count"]), slices


def _spread(kind: str, count: int, batch: int, slices: int, size: _Size) -> tuple[int, int]:
    """Parts of the batch, as many as can be, and the devices that share one part."""
    near = DEVICES[kind].near or count // slices
    for share in _divisors(count // slices):
        if share <= near and batch % (count // share) == 0 and size.heads % share == 0:
            return count // share, share
    raise UserError(
        f"run.batch_size={batch}, and heads that divide by {size.heads}, do not spread over "
        f"{count} device(s) of kind {kind} in {slices} slice(s)"
    )


def _mesh(shards: int, share: int, memory: int, slices: int, size: _Size) -> dict[str, int]:
    """Long clips are split in time, else heads; the state no further than it must be."""
    context, tensor = (share, 1) if size.latents >= LONG * share else (1, share)
    splits = [n for n in _divisors(shards // slices) if size.widths % n == 0]
    roomy = [n for n in splits if size.state_bytes / (n * tensor) <= STATE_SHARE * memory]
    fsdp = (roomy or splits[-1:])[0]
    return {"data": shards // fsdp, "fsdp": fsdp, "context": context, "tensor": tensor}


def _is_short(config: ConfigDict) -> bool:
    return config.dtype == "bfloat16"


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]
