"""The training step and the sampler of `../ours.py` in PyTorch, as fast as it does them by itself.

Blocks are compiled, and AdamW and all that goes over many tensors is fused. In bfloat16 weights
stay float32 and autocast casts them, as the step of ours does.
"""

import contextlib
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from pytorch.model import AudioDiT, Given
from pytorch.weights import copied, tensors
from v2a_jax.models.system import System
from v2a_jax.training.ema import gamma_of
from v2a_jax.types import Conditions, Encoded, Params

# The order in which kernels of attention are taken; each is passed over where it can't run.
KERNELS = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]


def made(config: Any, params: Params, device: str, *, compiled: bool) -> AudioDiT:
    """The model with these weights; its blocks are compiled once for all layers of a kind."""
    model = AudioDiT(System.from_config(config).dit_config)
    copied(params, model)
    if compiled:
        for block in [*model.joint, *model.alone]:
            block.compile(dynamic=False)
    return model.to(device)


@contextlib.contextmanager
def precision(dtype: str, device: str) -> Any:
    """The dtype of products, and the kernels of attention, in this context."""
    short = torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16")
    with short, sdpa_kernel(KERNELS, set_priority=True):
        yield


class Training:
    """Steps of a run of this config, beginning with these weights."""

    def __init__(
        self, config: Any, batch: Encoded, params: Params, device: str, *, compiled: bool = True
    ):
        self.config, self.device, self.step = config, device, 0
        self.model = made(config, params, device, compiled=compiled)
        self.data = torch.tensor(batch.latents, device=device)
        self.given = tensors(batch.given, device)
        self.averages = [torch.zeros_like(leaf) for leaf in self.model.parameters()]
        settings = config.optimizer
        kernels = [leaf for leaf in self.model.parameters() if leaf.ndim == 2]
        others = [leaf for leaf in self.model.parameters() if leaf.ndim != 2]
        self.optimizer = torch.optim.AdamW(
            [dict(params=kernels), dict(params=others, weight_decay=0.0)],
            lr=settings.learning_rate,
            betas=(settings.b1, settings.b2),
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def __call__(self) -> float:
        """Takes a step, and waits for it; its loss."""
        self.step += 1
        self.optimizer.zero_grad(set_to_none=True)
        with precision(self.config.dtype, self.device):
            loss = self.loss()
        loss.backward()
        leaves = list(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(leaves, self.config.optimizer.clip_norm)
        self.optimizer.step()
        beta = (1 - 1 / self.step) ** (gamma_of(self.config.ema.sigma_rel[0]) + 1)
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, leaves, 1 - beta)
        return loss.item()

    def loss(self) -> Tensor:
        """Flow matching at drawn times, from drawn noise, conditions dropped."""
        path, drop, data = self.config.path, self.config.drop, self.data
        rows = len(data)
        t_B = torch.sigmoid(path.mean + path.std * torch.randn(rows, device=self.device))
        t_B = t_B / (t_B + path.shift * (1 - t_B))
        noise = torch.randn_like(data)
        chance = torch.tensor([drop.video, drop.text, drop.transcript], device=self.device)
        keep_B3 = torch.rand(rows, 3, device=self.device) >= chance
        given = dict(self.given)
        for place, name in enumerate(("use_video", "use_text", "use_transcript")):
            given[name] = given[name] & keep_B3[:, place]
        t_B11 = t_B[:, None, None]
        made = self.model(torch.lerp(noise, data, t_B11), t_B, given)
        return (made - (data - noise)).square().mean()


BRANCHES = 4


class Sampler:
    """The solver with guidance, from given noise."""

    def __init__(self, config: Any, params: Params, device: str, *, compiled: bool = True):
        self.config, self.device = config, device
        self.model = made(config, params, device, compiled=compiled)

    @torch.inference_mode()
    def __call__(self, noise_BTL: Tensor, given: Conditions) -> Tensor:
        """Latents, computed to the end."""
        settings, x_BTL = self.config.sampler, noise_BTL
        every = branches(tensors(given, self.device))
        times = torch.linspace(0, 1, settings.steps + 1).tolist()
        times = [t / (t + self.config.path.shift * (1 - t)) for t in times]
        for t, following in zip(times[:-1], times[1:], strict=True):
            with precision(self.config.dtype, self.device):
                t_B = torch.full((BRANCHES * len(x_BTL),), t, device=self.device)
                made = self.model(x_BTL.repeat(BRANCHES, 1, 1), t_B, every)
            v_0, v_V, v_VT, v_VTS = made.chunk(BRANCHES)
            v = v_0 + settings.video_scale * (v_V - v_0) + settings.text_scale * (v_VT - v_V)
            v = v + settings.transcript_scale * (v_VTS - v_VT)
            x_BTL = x_BTL + (following - t) * v
        if self.device == "cuda":
            torch.cuda.synchronize()
        return x_BTL


def branches(given: Given) -> Given:
    """Nothing, video alone, with the prompt, and with the transcript, along the batch axis."""
    off, on, text = torch.zeros_like(given["use_video"]), given["use_video"], given["use_text"]
    uses = dict(
        use_video=torch.cat([off, on, on, on]),
        use_text=torch.cat([off, off, text, text]),
        use_transcript=torch.cat([off, off, off, given["use_transcript"]]),
    )
    others = {name: x for name, x in given.items() if name not in uses}
    return uses | {name: torch.cat([x] * BRANCHES) for name, x in others.items()}
