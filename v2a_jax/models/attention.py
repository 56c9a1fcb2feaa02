"""Attention's one door: softmax(q k' / sqrt(H)) v, by the kernel that fits the devices.

`reference` is plain einsums, `cudnn` NVIDIA's fused kernel, `splash` the TPU's (Pallas). Softmax is
in float32 in all of them. Over a mesh axis `context`, tokens split in time meet in attention by
all-to-all (DeepSpeed-Ulysses, Jacobs et al. 2023): each device exchanges its share of the tokens
for a share of the heads, and any kernel runs on whole sequences. A ring would send keys and values
`context` - 1 times, needs its own softmax and can't use these kernels; its only gain, more devices
than heads, is one that clips of minutes don't ask for.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.pallas.ops.tpu.splash_attention import (
    splash_attention_kernel,
    splash_attention_mask,
)
from jax.sharding import PartitionSpec

from v2a_jax.config import require
from v2a_jax.sharding import in_mesh, mesh_size, resplit, split_of
from v2a_jax.types import Array

# Keys below which a TPU is better off without the kernel: its blocks would be mostly padding.
SPLASH_KEYS = 256
BLOCK, LANES = 512, 128  # the largest block of tokens, and what a block is a multiple of
CUDNN_DTYPES = ("bfloat16", "float16")

QKV = tuple[Array, Array, Array]


def attend_jointly(streams: Sequence[QKV], mask_BS: Array | None, kernel: str) -> list[Array]:
    """All streams' tokens attend to each other; each stream's come back split as they came.

    `mask_BS` admits keys, the streams' one after another.
    """
    whole = [[_by_heads(x) for x in qkv] for qkv in streams]
    q, k, v = (jnp.concatenate(parts, axis=1) for parts in zip(*whole, strict=True))
    joint = attend(q, k, v, mask_BS, kernel)
    ends = np.cumsum([q.shape[1] for q, _, _ in streams])
    pieces = jnp.split(joint, ends[:-1], axis=1)
    return [_as_before(x, q) for x, (q, _, _) in zip(pieces, streams, strict=True)]


def attend(
    q_BTNH: Array, k_BSNH: Array, v_BSNH: Array, mask_BS: Array | None, kernel: str = "reference"
) -> Array:
    """softmax(q k' / sqrt(H)) v, over the keys that `mask_BS` admits (one at least in each row).

    `kernel` is a key of KERNELS, or `auto`; UserError when it can't take what it is given.
    """
    chosen = choose(q_BTNH, k_BSNH) if kernel == "auto" else kernel
    require(
        chosen != "cudnn" or platform() == "gpu",
        f"stack.attention=cudnn needs a GPU, and the devices are of the kind {platform()}",
    )
    require(
        chosen != "cudnn" or _suits_cudnn(q_BTNH),
        f"stack.attention=cudnn is for dtype=bfloat16 and heads a multiple of 8 wide, not for "
        f"{q_BTNH.dtype} and {q_BTNH.shape[-1]}",
    )
    run = KERNELS[chosen]
    if chosen == "reference" or not in_mesh():
        return run(q_BTNH, k_BSNH, v_BSNH, mask_BS)
    return _on_each_device(run, q_BTNH, k_BSNH, v_BSNH, mask_BS)


def choose(q_BTNH: Array, k_BSNH: Array) -> str:
    """The kernel for these arrays on the devices of the mesh in context."""
    if platform() == "tpu" and k_BSNH.shape[1] >= SPLASH_KEYS:
        return "splash"
    return "cudnn" if platform() == "gpu" and _suits_cudnn(q_BTNH) else "reference"


def platform() -> str:
    """`cpu`, `gpu` or `tpu`: that of the mesh in context, which may be of devices not here."""
    device = jax.sharding.get_abstract_mesh().abstract_device
    return jax.default_backend() if device is None else device.platform


def reference(q_BTNH: Array, k_BSNH: Array, v_BSNH: Array, mask_BS: Array | None) -> Array:
    """Plain einsums; the logits of all pairs of tokens are in memory."""
    # Queries are fewer to scale than pairs; a CPU is quicker where a head's tokens lie together.
    scaled_BTNH = q_BTNH * jnp.asarray(q_BTNH.shape[-1] ** -0.5, q_BTNH.dtype)
    q_BNTH, k_BNSH, v_BNSH = (x.swapaxes(1, 2) for x in (scaled_BTNH, k_BSNH, v_BSNH))
    logits_BNTS = jnp.einsum("bnth,bnsh->bnts", q_BNTH, k_BNSH, preferred_element_type=jnp.float32)
    if mask_BS is not None:
        logits_BNTS = jnp.where(mask_BS[:, None, None, :], logits_BNTS, -1e30)
    weights_BNTS = jax.nn.softmax(logits_BNTS, axis=-1).astype(v_BSNH.dtype)
    return jnp.einsum("bnts,bnsh->bnth", weights_BNTS, v_BNSH).swapaxes(1, 2)


def cudnn(
    q_BTNH: Array,
    k_BSNH: Array,
    v_BSNH: Array,
    mask_BS: Array | None,
    implementation: str = "cudnn",
) -> Array:
    """cuDNN's fused attention. Attention doesn't know the order of its keys: those admitted are
    brought to the front and counted, which spares the kernel a bias for all pairs of tokens."""
    lengths_B = None
    if mask_BS is not None:
        order_BS = jnp.argsort(~mask_BS, axis=1, stable=True)[..., None, None]
        k_BSNH, v_BSNH = (jnp.take_along_axis(x, order_BS, axis=1) for x in (k_BSNH, v_BSNH))
        lengths_B = mask_BS.sum(axis=1, dtype=jnp.int32)
    return jax.nn.dot_product_attention(
        q_BTNH,
        k_BSNH,
        v_BSNH,
        key_value_seq_lengths=lengths_B,
        implementation=implementation,
    )


def splash(q_BTNH: Array, k_BSNH: Array, v_BSNH: Array, mask_BS: Array | None) -> Array:
    """The TPU's fused attention, on tokens padded to whole blocks; padding is a segment that no
    query belongs to. Elsewhere it is interpreted, which is slow, and shows what a TPU would do."""
    (batch, length, heads, width), keys = q_BTNH.shape, k_BSNH.shape[1]
    (block_q, padded_q), (block_kv, padded_kv) = _blocks(length), _blocks(keys)
    admitted = jnp.ones((batch, keys), bool) if mask_BS is None else mask_BS
    segments = splash_attention_kernel.SegmentIds(
        q=jnp.ones((batch, padded_q), jnp.int32),
        kv=jnp.pad(admitted.astype(jnp.int32), ((0, 0), (0, padded_kv - keys))),
    )
    every = splash_attention_mask.FullMask((padded_q, padded_kv))
    kernel = splash_attention_kernel.make_splash_mha_single_device(
        splash_attention_mask.MultiHeadMask([every] * heads),
        block_sizes=splash_attention_kernel.BlockSizes(
            block_q=block_q,
            block_kv=block_kv,
            block_q_dkv=block_q,
            block_kv_dkv=block_kv,
            block_q_dq=block_q,
            block_kv_dq=block_kv,
        ),
        interpret=platform() != "tpu",
    )
    q, k, v = (
        jnp.pad(x.swapaxes(1, 2), ((0, 0), (0, 0), (0, padded - x.shape[1]), (0, 0)))
        for x, padded in ((q_BTNH, padded_q), (k_BSNH, padded_kv), (v_BSNH, padded_kv))
    )
    made_BNTH = jax.vmap(kernel)(q * jnp.asarray(width**-0.5, q.dtype), k, v, segments)
    return made_BNTH[:, :, :length].swapaxes(1, 2)


KERNELS: dict[str, Callable[..., Array]] = {
    "reference": reference,
    "cudnn": cudnn,
    "splash": splash,
}


def _suits_cudnn(q_BTNH: Array) -> bool:
    return q_BTNH.dtype in CUDNN_DTYPES and q_BTNH.shape[-1] % 8 == 0


def _blocks(length: int) -> tuple[int, int]:
    """The size of a block, and `length` padded to whole ones: few, large and almost full."""
    count = -(-length // BLOCK)
    size = -(-length // (count * LANES)) * LANES
    return size, size * count


def _on_each_device(
    run: Callable, q_BTNH: Array, k_BSNH: Array, v_BSNH: Array, mask_BS: Array | None
) -> Array:
    """A kernel that knows no mesh, run on each device's own rows and heads."""
    parts = split_of(q_BTNH)
    split, rows = PartitionSpec(*parts), PartitionSpec(parts[0], None)
    given = (q_BTNH, k_BSNH, v_BSNH)
    masks = () if mask_BS is None else (jax.sharding.reshard(mask_BS, rows),)
    return jax.shard_map(
        lambda q, k, v, *masks: run(q, k, v, *(masks or (None,))),
        in_specs=(split,) * 3 + (rows,) * len(masks),
        out_specs=split,
        check_vma=False,  # Pallas and cuDNN calls don't say over which axes their results vary
    )(*given, *masks)


def _by_heads(x_BTNH: Array) -> Array:
    """All tokens of a share of the heads, where there are several shares of the time."""
    if mesh_size("context") == 1:
        return x_BTNH
    shares, heads = mesh_size("context") * mesh_size("tensor"), x_BTNH.shape[2]
    require(
        heads % shares == 0,
        f"dit.heads={heads} does not divide by mesh.context x mesh.tensor = {shares}",
    )
    return resplit(x_BTNH, {1: None, 2: "attending heads"})


def _as_before(x_BTNH: Array, like_BTNH: Array) -> Array:
    """`x` split as `like` is."""
    if mesh_size("context") == 1:
        return x_BTNH
    return jax.sharding.reshard(x_BTNH, PartitionSpec(*split_of(like_BTNH)))
