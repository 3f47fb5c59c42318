"""Blocks that networks are made of; importing registers them for architecture files."""

from ultralytics.nn.modules.block.attention import C2PSA, Attention, PSABlock
from ultralytics.nn.modules.block.bottleneck import Bottleneck
from ultralytics.nn.modules.block.csp import C3, C2f, C3k, C3k2
from ultralytics.nn.modules.block.pool import SPPF

__all__ = ["C2PSA", "C3", "SPPF", "Attention", "Bottleneck", "C2f", "C3k", "C3k2", "PSABlock"]
