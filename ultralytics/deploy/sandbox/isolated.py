"""A backend whose runtime lives in an environment, and a process, of its own.

Requests and answers are lines on the process's standard streams; images and outputs go through shared memory, one copy
each way.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections import deque
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any

import numpy as np

from ultralytics import errors
from ultralytics.deploy import base
from ultralytics.deploy.format import Packages
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.sandbox import toolchain
from ultralytics.deploy.sandbox.confinement import end_process, ending, start_worker, tail
from ultralytics.deploy.sandbox.sharing import Sender
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.utils.log import LOGGER

_WORDS = 60  # lines of the runtime's output that are kept for messages
_GRACE = 5.0  # seconds a runtime has to let go of its devices


class IsolatedBackend(base.Backend):
    """Runs an artefact by a backend in another environment; safe to use from several threads, one at a time runs.

    Args:
        path: the artefact.
        backend: "module:Backend" that runs it there.
        packages: what that backend needs.
        policy: see `toolchain.ensure`.
        device: for the backend.
        threads: for the backend.

    Attributes:
        environment: folder of the other environment.

    Raises:
        ModelError: the backend cannot use the artefact.
        RuntimeUnavailable: its process died, or this machine lacks what it needs.
        ToolchainMissing: there is no environment for it, and none may be made.
        MissingDependency: a program that it needs is not installed.
    """

    def __init__(
        self,
        path: Path,
        *,
        backend: str,
        packages: Packages,
        policy: str = "ask",
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        python = toolchain.ensure(packages, policy)
        self.environment = python.parents[1]
        self._path, self._name, self._lock, self._sender = path, packages.name, threading.Lock(), Sender()
        self._words: deque[str] = deque(maxlen=_WORDS)
        scratch = Path(tempfile.mkdtemp(prefix="ultralytics-"))
        request = {
            "mode": "serve", "call": backend, "path": str(path.absolute()), "device": device, "threads": threads,
        }  # fmt: skip
        try:
            self._process = start_worker(
                python, request, scratch, packages, cwd=scratch, stdin=PIPE, stdout=PIPE, stderr=PIPE
            )
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        self._listener = threading.Thread(target=_listen, args=(self._process.stderr, self._words), daemon=True)
        self._listener.start()
        self._finish = weakref.finalize(
            self, _finish, self._process, self._listener, scratch, self._sender, os.getpid()
        )
        try:
            self.metadata = self._loaded()
        except BaseException:
            end_process(self._process)
            self._finish()
            raise

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see `base.Backend`. The outputs are the caller's and stay as they are."""
        with self._lock:
            if not self._finish.alive:
                raise RuntimeUnavailable(f"The process that runs '{self._path}' has ended. Load the model again.")
            try:
                output = self._sender.output()
                answer = self._ask({"images": self._sender.images(images)}, output)
                if "grow" in answer:
                    output = self._sender.output(answer["grow"])
                    answer = self._ask({}, output)
            except BaseException:  # Ctrl-C, too: an answer may be under way, which is not that of the next request
                end_process(self._process)
                self._finish()
                raise
            if "error" in answer:
                raise self._failure(answer["error"])
            return self._sender.outputs(output, answer["outputs"])

    def close(self) -> None:
        """End the process; the runtime is given some seconds to let go of its devices."""
        self._finish()

    def _loaded(self) -> ModelMetadata:
        """Wait until the artefact is loaded, which is told without a request."""
        answer = self._answer()
        if "error" in answer:
            raise self._failure(answer["error"])
        return ModelMetadata.from_dict(answer["metadata"], where=self._path)

    def _ask(self, request: dict[str, Any], output: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        content = {**request, "output": output.describe(), "forget": self._sender.dropped()}
        stdin = self._process.stdin
        if stdin is None:
            raise RuntimeUnavailable(self._death())
        try:
            stdin.write(json.dumps(content).encode() + b"\n")
            stdin.flush()
        except OSError as error:
            raise RuntimeUnavailable(self._death()) from error
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line.endswith(b"\n"):
            raise RuntimeUnavailable(self._death())
        self._sender.forget_names()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failure(self, error: dict[str, str]) -> Exception:
        """Make the error that a backend raised: its own kind if that is one of ours, else of the artefact."""
        LOGGER.debug("%s", error["traceback"])
        kind = getattr(errors, error["type"], None)
        if isinstance(kind, type) and issubclass(kind, errors.UltralyticsError):
            return kind(error["message"])
        return ModelError(
            f"'{self._path}' cannot be run in the environment '{self._name}': {error['type']}: {error['message']}"
        )

    def _death(self) -> str:
        try:
            how = ending(self._process.wait(_GRACE))
        except subprocess.TimeoutExpired:
            how = "closed its output"
        self._listener.join(_GRACE)  # the process may be gone before the last of its words were read
        words = tail("\n".join(self._words))
        return f"The process that runs '{self._path}' in the environment '{self._name}' {how}.{words}"


def _listen(stream: IO[bytes], words: deque[str]) -> None:
    """Keep the last lines of an output; it has to be read, or its writer would wait."""
    with stream:
        for line in stream:
            words.append(line.decode(errors="replace").rstrip())


def _finish(
    process: subprocess.Popen[bytes], listener: threading.Thread, scratch: Path, sender: Sender, owner: int
) -> None:
    """End a backend's process; not in a copy of the user's process, which has the same objects and not the right."""
    if os.getpid() != owner:
        return
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()  # the end of its input is what a worker ends by
            except OSError:
                LOGGER.debug("The process of a backend was gone before its input was closed.")
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        LOGGER.debug("A backend did not end by itself.")
    end_process(process)
    listener.join(_GRACE)
    sender.forget_names()
    shutil.rmtree(scratch, ignore_errors=True)
