"""What a prediction returns: one `Results` per image, holding payloads."""

from ultralytics.engine.results.base import Payload, Style
from ultralytics.engine.results.results import Results
from ultralytics.engine.results.semantic import SemanticMask

__all__ = ["Payload", "Results", "SemanticMask", "Style"]
