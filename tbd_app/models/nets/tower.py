"""CLIP's picture tower as a frozen backbone: built by open_clip, without its projection, float32 or held in bfloat16.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021
(arXiv 2103.00020).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, cast

import open_clip
import torch
from open_clip.transformer import PatchDropout, QuickGELU, ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from tbd_app.errors import WrongBackbone
from tbd_app.models import weights
from tbd_app.models.nets.base import Detector
from tbd_app.models.tensors import Stored
from tbd_app.types import RANDOM, Backbone

# A tower needs no words: the text side of open_clip's CLIP, as small as it can be built, and dropped at once.
_NO_TEXT = open_clip.CLIPTextCfg(context_length=1, vocab_size=1, width=64, heads=1, layers=1)


_blank: ContextVar[bool] = ContextVar("blank", default=False)


@contextmanager
def blank() -> Iterator[None]:
    """Meanwhile towers are built without numbers, in a tenth of the time, for whoever loads public ones into them next."""
    token = _blank.set(True)
    try:
        yield
    finally:
        _blank.reset(token)


class _Unfilled(TorchFunctionMode):
    """New tensors keep what memory held: drawing a tower's 86 million numbers takes longer than reading them."""

    draws = (Tensor.uniform_, Tensor.normal_, nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self.draws:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


class HeldNorm(nn.LayerNorm):
    """A LayerNorm in the precision of what it is given; its own numbers may stay float32, as training needs them."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  PyTorch's name
        weight, bias = self.weight.to(input.dtype), self.bias.to(input.dtype)
        return F.layer_norm(input, self.normalized_shape, weight, bias, self.eps)


class HeldBlock(ResidualAttentionBlock):
    """open_clip's block computes its attention by `attend`.

    Its own multiplies batches of transposed tokens, which a CPU does ten times as slowly in bfloat16.
    """

    def forward(
        self,
        q_x: Tensor,
        k_x: Tensor | None = None,
        v_x: Tensor | None = None,
        attn_mask: Tensor | None = None,
    ) -> Tensor:
        if not (k_x is v_x is attn_mask is None):
            raise ValueError("a picture tower's blocks read their own tokens, all of them")
        return attend(self, q_x)[0]


def attend(block: ResidualAttentionBlock, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A CLIP block that also shows its queries, keys and values.

    Args:
        block: of open_clip.
        x: (N,L,d).

    Returns:
        The block's output (N,L,d), then queries, keys and values (N,L,h,d/h).
    """
    attention = block.attn
    qkv = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = qkv.unflatten(-1, (3, attention.num_heads, -1)).unbind(dim=-3)
    mixed = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
    x = x + attention.out_proj(mixed.transpose(1, 2).flatten(-2))
    return x + block.mlp(block.ln_2(x)), q, k, v


def build_tower(name: str, small: Mapping[str, Any] | None = None) -> VisionTransformer:
    """A tower with random weights, the same ones at every call, all frozen; under `blank` with any.

    Args:
        name: open_clip's architecture.
        small: fields of open_clip's vision config in place of its own, such as layers=2, for tests and toys.
    """
    config = open_clip.get_model_config(name)
    if config is None:
        raise WrongBackbone(f"open_clip knows no architecture {name!r}.")
    vision = config["vision_cfg"] | dict(small or {})
    # A toy's checkpoint names its backbone `RANDOM`: the seed is what makes that a name. `torch.manual_seed` would
    # seed the GPUs as well, and for good.
    with torch.random.fork_rng(devices=[]), _Unfilled() if _blank.get() else nullcontext():
        torch.default_generator.manual_seed(0)
        clip = open_clip.CLIP(
            config["embed_dim"], vision, _NO_TEXT, quick_gelu=config.get("quick_gelu", False)
        )
    tower = clip.visual
    if not isinstance(tower, VisionTransformer):
        raise WrongBackbone(f"{name} is no vision transformer.")
    tower.register_parameter("proj", None)
    for module in tower.modules():
        if isinstance(module, nn.LayerNorm):
            module.__class__ = HeldNorm
        elif isinstance(module, ResidualAttentionBlock):
            module.__class__ = HeldBlock
    return tower.requires_grad_(False)


class ClipDetector(Detector):
    """Base of the detectors on a CLIP tower, whose checkpoints hold only what they train.

    Args:
        backbone: which tower, and which public weights it takes.
        pretrained: fetch those weights from the hub; else seeded random ones.
        small: see `build_tower`.

    Attributes:
        trained_keys: of the state dict; all that a checkpoint holds. Set by `_settle`.
        held: precision of all that stays frozen, and so of the tower's arithmetic; see `hold`.
    """

    backbone: VisionTransformer
    backbone_prefix = "visual."
    trained_keys: tuple[str, ...] = ()
    held: torch.dtype = torch.float32
    _stands_on: Backbone | None = None
    _hashed: tuple[list[tuple[int, int]], str] | None = None

    def __init__(self, *, backbone: Backbone, pretrained: bool, small: Mapping[str, Any] | None) -> None:
        super().__init__()
        self._public = backbone
        self._tag = RANDOM
        # Asked for first, so that their absence is known before a large network is built.
        self._public_file = weights.fetch_backbone(backbone, download=True) if pretrained else None
        self.backbone = build_tower(backbone.name, small)  # pyright: ignore[reportIncompatibleVariableOverride]

    def _settle(self) -> None:
        """The end of every constructor, when all layers are there and have their `requires_grad`."""
        self.trained_keys = tuple(key for key, p in self.named_parameters() if p.requires_grad)
        if self._public_file is not None:
            weights.load_backbone_file(self, self._public_file)

    @property
    def width(self) -> int:
        return self.backbone.conv1.out_channels

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.backbone.grid_size

    @property
    def blocks(self) -> list[ResidualAttentionBlock]:
        return cast(list[ResidualAttentionBlock], list(self.backbone.transformer.resblocks))

    @property
    def n_heads(self) -> int:
        return self.blocks[0].attn.num_heads

    def train(self, mode: bool = True) -> ClipDetector:
        """Training mode; in the tower only what drops patches differs (`drop_patches`)."""
        super().train(mode)
        self.backbone.eval()
        if isinstance(self.backbone.patch_dropout, PatchDropout):
            self.backbone.patch_dropout.train(mode)
        return self

    def drop_patches(self, share: float) -> None:
        """In training the tower sees each picture without that share of its patches: a step costs less.

        Source: Liu et al., "PatchDropout: Economizing Vision Transformers Using Patch Dropout", WACV 2023
        (arXiv 2208.07220); Li et al., "Scaling Language-Image Pre-training via Masking", CVPR 2023 (arXiv 2212.00794).
        """
        self.backbone.patch_dropout = PatchDropout(share)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory: blocks are computed again in the backward pass."""
        self.backbone.set_grad_checkpointing(enable)

    def hold(self, dtype: torch.dtype) -> ClipDetector:
        """Cast all that stays frozen, once, in place; what is trained keeps float32 and is cast where it is used.

        Autocast would cast the tower's 86 million numbers again at every call. The name of what the model stands on
        stays that of the float32 numbers.
        """
        if dtype != self.held:
            self._stands_on, self.held = self.standing_on(), dtype
            for parameter in self.frozen().values():
                parameter.data = parameter.data.to(dtype)
        return self

    def frozen(self) -> dict[str, nn.Parameter]:
        """The parameters that stay as they are, by name."""
        return {key: p for key, p in self.named_parameters() if key not in self.trained_keys}

    def stand_beside(self, other: ClipDetector) -> None:
        """Take the numbers of a model with the same names in `frozen`, as it holds them; nothing may change them."""
        theirs = other.frozen()
        for key, parameter in self.frozen().items():
            parameter.data = theirs[key].data
        self._stands_on, self.read_from = other.standing_on(), other.read_from
        self._tag, self.held = other._tag, other.held

    def embed(self, frames: Tensor) -> Tensor:
        """Frames (N,3,S,S) to the tokens that enter the first block (N,1+P,d), class token first."""
        patches = self.backbone.conv1(frames.to(self.held)).flatten(2).transpose(1, 2)
        first = self.backbone.class_embedding.to(self.held).expand(len(patches), 1, -1)
        return self.backbone.ln_pre(torch.cat([first, patches], dim=1) + self.backbone.positional_embedding)

    def cam_layer(self) -> nn.Module:
        # The class token reads the patches for the last time behind this norm.
        return self.blocks[-1].ln_1

    def cam_tokens(self, activation: Tensor) -> Tensor:
        return activation[:, 1:].transpose(1, 2).unflatten(-1, self.grid)

    def stored_state(self) -> dict[str, Tensor]:
        state = self.state_dict()
        return {key: state[key] for key in self.trained_keys}

    @property
    def activation(self) -> str:
        """What the tower computes, whatever its name says."""
        return "quick_gelu" if isinstance(self.blocks[0].mlp.gelu, QuickGELU) else "gelu"

    def standing_on(self) -> Backbone:
        """The tower as it is, its weights by the hash of all that stays frozen."""
        if self._stands_on is not None:
            return self._stands_on
        repo = self._public.repo if self._tag == self._public.tag else ""
        return Backbone(self._public.name, self._tag, self.activation, repo, self._hash())

    def _hash(self) -> str:
        """Of all that stays frozen; of tensors that nothing wrote to since, the one that was made before."""
        frozen = {
            key: tensor
            for key, tensor in self.backbone.state_dict().items()
            if f"backbone.{key}" not in self.trained_keys
        }
        written = [(tensor.data_ptr(), tensor._version) for tensor in frozen.values()]
        if self._hashed is None or self._hashed[0] != written:
            found = hashlib.sha256()
            for key, tensor in frozen.items():
                found.update(key.encode())
                found.update(tensor.cpu().contiguous().numpy())
            self._hashed = written, found.hexdigest()
        return self._hashed[1]

    def load_backbone(self, state: Stored, file: str, tag: str | None = None) -> None:
        tag = tag or self._public.tag
        known = open_clip.get_pretrained_cfg(self._public.name, tag)
        needed = "quick_gelu" if known.get("quick_gelu", False) else "gelu"
        if known and needed != self.activation:
            raise WrongBackbone(
                f"The {tag} weights of {self._public.name} were trained with {needed}, and the tower computes "
                f"{self.activation}: its scores would be wrong."
            )
        if self.held != torch.float32:
            raise ValueError("public weights are loaded before the tower is cast by hold()")
        super().load_backbone({key: t for key, t in state.items() if key != "proj"}, file, tag)
        self._tag = tag
