"""Neural networks: architectures as data, modules, kernels, losses, checkpoints."""

from ultralytics.nn.registry import register_module

__all__ = ["register_module"]
