"""Public networks that models stand on and whose checkpoints leave them out. No torch in here."""

from __future__ import annotations

from tbd_app.types import Backbone

# OpenAI's towers, by the names of open_clip; the hub holds them as safetensors.
CLIP_B32 = Backbone("ViT-B-32-quickgelu", "openai", "quick_gelu", "timm/vit_base_patch32_clip_224.openai")
CLIP_B16 = Backbone("ViT-B-16-quickgelu", "openai", "quick_gelu", "timm/vit_base_patch16_clip_224.openai")
# The same B/16 as int8 numbers with a scale a row, small enough to come with the project (training/prepare/clip_tower.py).
CLIP_B16_INT8 = Backbone("ViT-B-16-quickgelu", "openai-int8", "quick_gelu")
CLIP_L14 = Backbone("ViT-L-14-quickgelu", "openai", "quick_gelu", "timm/vit_large_patch14_clip_224.openai")

BACKBONES = {(b.name, b.tag): b for b in (CLIP_B32, CLIP_B16, CLIP_B16_INT8, CLIP_L14)}
