"""Everything networks are made of; importing registers the modules for architecture files."""

from ultralytics.nn.modules.block import C2PSA, C3, SPPF, Attention, Bottleneck, C2f, C3k, C3k2, PSABlock
from ultralytics.nn.modules.conv import Concat, Conv, DWConv
from ultralytics.nn.modules.head import Head, SemanticSegment

__all__ = [
    "C2PSA",
    "C3",
    "SPPF",
    "Attention",
    "Bottleneck",
    "C2f",
    "C3k",
    "C3k2",
    "Concat",
    "Conv",
    "DWConv",
    "Head",
    "PSABlock",
    "SemanticSegment",
]
