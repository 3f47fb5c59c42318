"""Events of training, validation, prediction and export, and the functions a user hangs on them.

Event names are public: users hook them by string.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ultralytics.errors import ConfigError, unknown_name
from ultralytics.utils.log import LOGGER

EVENTS = (
    "on_pretrain_routine_start",
    "on_pretrain_routine_end",
    "on_train_start",
    "on_train_epoch_start",
    "on_train_batch_start",
    "optimizer_step",
    "on_before_zero_grad",
    "on_train_batch_end",
    "on_train_epoch_end",
    "on_fit_epoch_end",
    "on_model_save",
    "on_train_end",
    "on_params_update",
    "teardown",
    "on_val_start",
    "on_val_batch_start",
    "on_val_batch_end",
    "on_val_end",
    "on_predict_start",
    "on_predict_batch_start",
    "on_predict_postprocess_end",
    "on_predict_batch_end",
    "on_predict_end",
    "on_export_start",
    "on_export_end",
)

Callback = Callable[[Any], object]
"""Takes the trainer, validator, predictor or exporter the event happens in."""


class CallbackList:
    """Functions by event, run in the order they were added.

    Attributes:
        failed: which function raised what, in words; None as long as none did.

    Example:
        >>> callbacks = CallbackList()
        >>> callbacks.add("on_train_end", lambda trainer: seen.append(trainer))
        >>> seen = []
        >>> callbacks.run("on_train_end", "the trainer")
        >>> seen
        ['the trainer']
    """

    def __init__(self) -> None:
        self.failed: str | None = None
        self._functions: dict[str, list[Callback]] = {event: [] for event in EVENTS}

    def add(self, event: str, function: Callback) -> None:
        """Hang a function on an event."""
        self._of(event).append(function)

    def clear(self, event: str) -> None:
        """Take all functions off an event."""
        self._of(event).clear()

    def reset(self) -> None:
        """Take all functions off all events."""
        for functions in self._functions.values():
            functions.clear()

    def run(self, event: str, subject: Any) -> None:
        """Call the functions of an event; an exception in one of them is the user's: it is named, and passes on."""
        for function in tuple(self._of(event)):  # a function may add or clear
            try:
                function(subject)
            except Exception as error:
                name = getattr(function, "__qualname__", repr(function))
                self.failed = f"The callback '{name}' of the event '{event}' raised {type(error).__name__}"
                LOGGER.error(f"{self.failed}: {error}")
                raise

    def functions(self, event: str) -> tuple[Callback, ...]:
        """List what hangs on an event."""
        return tuple(self._of(event))

    def _of(self, event: str) -> list[Callback]:
        if event not in self._functions:
            raise ConfigError(unknown_name("event", event, EVENTS))
        return self._functions[event]


class CallbackOwner:
    """Base of an object with callbacks that are its user's to change."""

    callbacks: CallbackList

    def add_callback(self, event: str, function: Callable) -> None:
        """Call `function` with the trainer, validator or predictor at an event."""
        self.callbacks.add(event, function)

    def clear_callback(self, event: str) -> None:
        """Forget the callbacks of an event."""
        self.callbacks.clear(event)

    def reset_callbacks(self) -> None:
        """Forget all callbacks."""
        self.callbacks.reset()
