"""Loss terms: pure functions of logits and targets."""

from ultralytics.nn.losses.pixel import cross_entropy, focal, ohem_cross_entropy
from ultralytics.nn.losses.region import dice, lovasz_softmax, tversky

__all__ = ["cross_entropy", "dice", "focal", "lovasz_softmax", "ohem_cross_entropy", "tversky"]
