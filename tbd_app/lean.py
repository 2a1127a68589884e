"""Imports torchvision and timm without torch's compiler, which they load for two names that nothing here calls.

A start takes a second and 140 MiB less. Whoever asks for the compiler later gets it. Import this before either of them.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

COMPILER, UTILS = "torch._dynamo", "torch._dynamo.utils"


def _import_both() -> None:
    import timm  # noqa: F401
    import torchvision.ops  # noqa: F401


def _disable(function: Any = None, *_: object, **__: object) -> Any:
    """Of `torch.compiler.disable`: a function that nobody compiles, or a decorator that leaves it as it is."""
    return function if callable(function) else _disable


def _is_compile_supported(device: str) -> bool:
    return importlib.import_module(UTILS).is_compile_supported(device)


def _without_compiler() -> None:
    compiler, utils = types.ModuleType(COMPILER), types.ModuleType(UTILS)
    compiler.__dict__.update(__path__=[], utils=utils, disable=_disable)
    utils.__dict__.update(is_compile_supported=_is_compile_supported)
    stand_ins = {COMPILER: compiler, UTILS: utils}
    sys.modules.update(stand_ins)
    try:
        _import_both()
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


if not {COMPILER, "torchvision", "timm"} & sys.modules.keys():
    try:
        _without_compiler()
    except (ImportError, AttributeError):  # other versions, which ask the compiler for more
        _import_both()
