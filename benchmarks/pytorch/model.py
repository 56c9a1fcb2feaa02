"""The AudioDiT of `v2a_jax/models/audio_dit.py` in PyTorch, with the same names of its parts.

Attention is PyTorch's `scaled_dot_product_attention`, norms are its `rms_norm`. Conditions are a
dict of tensors by the names of `v2a_jax.types.Conditions`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from v2a_jax.models.audio_dit import BYTES, DiTConfig

Given = dict[str, Tensor]
LONGEST, SHORTEST = 60.0, 0.08  # periods of rotary positions, in seconds


def modulate(x_BTD: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """AdaLN."""
    return F.rms_norm(x_BTD, x_BTD.shape[-1:], eps=1e-6) * (1 + scale) + shift


def depthwise(x_BTD: Tensor, taps_KD: Tensor) -> Tensor:
    """Each channel convolved with its own taps, as shifted products that a compiler fuses."""
    halo, length = taps_KD.shape[0] // 2, x_BTD.shape[1]
    padded_BTD = F.pad(x_BTD, (0, 0, halo, halo))
    return sum(padded_BTD[:, k : k + length] * taps for k, taps in enumerate(taps_KD))


def turns(seconds_T: Tensor, head: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions, [T,head/2] each."""
    half = torch.arange(head // 2, device=seconds_T.device) / max(1, head // 2 - 1)
    angle_TH = 2 * math.pi * seconds_T[:, None] / (SHORTEST * (LONGEST / SHORTEST) ** half)
    return angle_TH.cos(), angle_TH.sin()


def rotate(x_BNTH: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions."""
    (cos, sin), (a, b) = turn, x_BNTH.float().chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x_BNTH.dtype)


class MLP(nn.Module):
    """Linear, GELU, Linear."""

    def __init__(self, width: int, hidden: int, out: int):
        super().__init__()
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class QKV(nn.Module):
    """Queries, keys and values [B,N,T,H] with QK-norm; rotated when the tokens have times."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, head = heads, width // heads
        self.project = nn.Linear(width, 3 * width)
        self.q_norm, self.k_norm = nn.RMSNorm(head, eps=1e-6), nn.RMSNorm(head, eps=1e-6)

    def forward(self, x_BTD: Tensor, turn: tuple[Tensor, Tensor] | None) -> list[Tensor]:
        split = self.project(x_BTD).unflatten(-1, (3, self.heads, -1)).transpose(1, 3)
        q, k, v = split.unbind(2)
        q, k = self.q_norm(q), self.k_norm(k)
        return [q, k, v] if turn is None else [rotate(q, turn), rotate(k, turn), v]


class Stream(nn.Module):
    """One stream's half of a block."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.modulation = nn.Linear(width, 6 * width)
        self.qkv = QKV(width, heads)
        self.out = nn.Linear(width, width)
        self.mlp = MLP(width, 4 * width, width)

    def before(self, x_BTD: Tensor, c_BTD: Tensor, turn: tuple | None) -> tuple[list, tuple]:
        """Queries, keys, values, and the six modulations."""
        parts = self.modulation(F.silu(c_BTD)).chunk(6, -1)
        return self.qkv(modulate(x_BTD, parts[0], parts[1]), turn), parts

    def after(self, x_BTD: Tensor, attended_BNTH: Tensor, parts: tuple) -> Tensor:
        """The stream after attention and MLP, both gated."""
        x_BTD = x_BTD + parts[2] * self.out(attended_BNTH.transpose(1, 2).flatten(2))
        return x_BTD + parts[5] * self.mlp(modulate(x_BTD, parts[3], parts[4]))


class JointBlock(nn.Module):
    """Audio, video and text attend together."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.streams = nn.ModuleList(Stream(width, heads) for _ in range(3))

    def forward(self, xs: tuple, cs: tuple, given_turns: tuple, mask_B11S: Tensor) -> tuple:
        every = zip(self.streams, xs, cs, given_turns, strict=True)
        prepared = [stream.before(x, c, turn) for stream, x, c, turn in every]
        q, k, v = (torch.cat(parts, 2) for parts in zip(*(p[0] for p in prepared), strict=True))
        joint = F.scaled_dot_product_attention(q, k, v, attn_mask=mask_B11S)
        pieces = joint.split([x.shape[1] for x in xs], 2)
        every = zip(self.streams, xs, pieces, prepared, strict=True)
        return tuple(stream.after(x, piece, p[1]) for stream, x, piece, p in every)


class AudioBlock(nn.Module):
    """Audio alone: depthwise convolution, attention, MLP."""

    def __init__(self, width: int, heads: int, kernel: int):
        super().__init__()
        self.taps = nn.Parameter(torch.zeros(kernel, width))
        self.stream = Stream(width, heads)

    def forward(self, x_BTD: Tensor, c_BTD: Tensor, turn: tuple) -> Tensor:
        x_BTD = x_BTD + depthwise(x_BTD, self.taps)
        (q, k, v), parts = self.stream.before(x_BTD, c_BTD, turn)
        return self.stream.after(x_BTD, F.scaled_dot_product_attention(q, k, v), parts)


class AudioDiT(nn.Module):
    """(x[B,T,latent] at time t[B], conditions) -> velocity [B,T,latent]."""

    def __init__(self, config: DiTConfig):
        super().__init__()
        c = self.config = config
        self.enter = nn.Linear(c.latent, c.width)
        self.time = MLP(256, c.width, c.width)
        self.sync = MLP(c.video_width, c.width, c.width)
        self.semantic = nn.Linear(c.video_width, c.width)
        self.text = nn.Linear(c.text_width, c.width)
        self.summary = MLP(2 * c.width, c.width, c.width)
        self.characters = nn.Parameter(torch.zeros(BYTES, c.width))
        self.character_taps = nn.Parameter(torch.zeros(2, 7, c.width))
        self.no_sync = nn.Parameter(torch.zeros(c.video_width))
        self.no_semantic = nn.Parameter(torch.zeros(c.video_width))
        self.no_text = nn.Parameter(torch.zeros(c.text_width))
        self.joint = nn.ModuleList(JointBlock(c.width, c.heads) for _ in range(c.joint_blocks))
        self.alone = nn.ModuleList(
            AudioBlock(c.width, c.heads, c.kernel) for _ in range(c.audio_blocks)
        )
        self.final = nn.Linear(c.width, 2 * c.width)
        self.leave = nn.Linear(c.width, c.latent)

    def forward(self, x_BTL: Tensor, t_B: Tensor, given: Given) -> Tensor:
        c, device = self.config, x_BTL.device
        seconds_T = (torch.arange(x_BTL.shape[1], device=device) + 0.5) / c.latent_rate
        semantic_BSD, text_BLD, mask_B11S, global_B1D = self._context(x_BTL, t_B, given)
        local_BTD = global_B1D + self._along_audio(seconds_T, given)
        count = torch.arange(semantic_BSD.shape[1], device=device)
        seen_S = (count + 0.5) * c.semantic_frames / c.sync_rate
        head = c.width // c.heads
        given_turns = (turns(seconds_T, head), turns(seen_S, head), None)
        streams = (self.enter(x_BTL), semantic_BSD, text_BLD)
        for block in self.joint:
            streams = block(streams, (local_BTD, global_B1D, global_B1D), given_turns, mask_B11S)
        x_BTD = streams[0]
        for block in self.alone:
            x_BTD = block(x_BTD, local_BTD, given_turns[0])
        return self.leave(modulate(x_BTD, *self.final(F.silu(local_BTD)).chunk(2, -1))).float()

    def _context(self, x_BTL: Tensor, t_B: Tensor, given: Given) -> tuple:
        """Video and text tokens, the mask of all keys, and the clip's condition [B,1,D]."""
        semantic_BSD = self.semantic(_or(given["use_video"], given["semantic"], self.no_semantic))
        text_BLD = self.text(_or(given["use_text"], given["text"], self.no_text))
        first_L = torch.arange(text_BLD.shape[1], device=x_BTL.device) == 0
        mask_BL = (given["text_mask"] & given["use_text"][:, None]) | first_L
        weight_BL1 = mask_BL[..., None].to(text_BLD.dtype)
        mean_text_BD = (text_BLD * weight_BL1).sum(1) / weight_BL1.sum(1)
        summary_BD = self.summary(torch.cat([semantic_BSD.mean(1), mean_text_BD], -1))
        always = x_BTL.shape[1] + semantic_BSD.shape[1]
        mask_BS = F.pad(mask_BL, (always, 0), value=True)
        global_B1D = (self.time(_fourier(t_B)) + summary_BD)[:, None]
        return semantic_BSD, text_BLD, mask_BS[:, None, None], global_B1D

    def _along_audio(self, seconds_T: Tensor, given: Given) -> Tensor:
        """What each latent's own time says: sync tokens and transcript, [B,T,D]."""
        sync_BFD = self.sync(_or(given["use_video"], given["sync"], self.no_sync))
        frames = torch.arange(sync_BFD.shape[1], device=seconds_T.device)
        place_T = (seconds_T * self.config.sync_rate).clamp(0, len(frames) - 1)
        weights_TF = (1 - (place_T[:, None] - frames).abs()).clamp(min=0)
        sync_BTD = weights_TF.to(sync_BFD.dtype) @ sync_BFD
        spoken_BM = given["transcript"] * given["use_transcript"][:, None]
        x_BTD = F.embedding(_stretch(spoken_BM, len(seconds_T)), self.characters)
        for taps in self.character_taps:
            x_BTD = x_BTD + F.gelu(depthwise(x_BTD, taps), approximate="tanh")
        return sync_BTD + x_BTD * given["use_transcript"][:, None, None]


def _or(use_B: Tensor, given_BTD: Tensor, otherwise_D: Tensor) -> Tensor:
    return torch.where(use_B[:, None, None], given_BTD, otherwise_D)


def _fourier(t_B: Tensor) -> Tensor:
    frequencies = torch.exp(-math.log(1e4) * torch.arange(128, device=t_B.device) / 128)
    angles = 1000.0 * t_B[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], -1)


def _stretch(ids_BM: Tensor, length: int) -> Tensor:
    """Ids spread evenly over `length` places, the filler 0 between them."""
    size_B1 = (ids_BM != 0).sum(1, keepdim=True).clamp(min=1)
    place_T = torch.arange(length, device=ids_BM.device)
    index_BT = place_T * size_B1 // length
    before_BT = (place_T - 1) * size_B1 // length
    chosen_BT = ids_BM.gather(1, index_BT)
    return torch.where((index_BT != before_BT) | (place_T == 0), chosen_BT, 0).long()
