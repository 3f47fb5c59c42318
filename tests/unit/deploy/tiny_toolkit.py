"""The toolkit of the tests: it lives in a wheel, and misbehaves in every way that toolkits do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError, RuntimeUnavailable


def convert(job):
    job.artefact.write_bytes(b"made of " + str(job.options.imgsz).encode())
    return job.metadata.with_tools(tiny="1.0")


def nothing(job):
    return None


def fails(job):
    print("reading the graph")
    raise ValueError("the graph has a hole")


def leaves(job):
    print("cannot open the graph")
    sys.exit(3)


def dies(job):
    os.kill(os.getpid(), signal.SIGKILL)


def sleeps(job):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (job.folder / "child.txt").write_text(str(child.pid))
    print("optimising for ever", flush=True)
    time.sleep(60)


def connects(job):
    socket.create_connection(("198.51.100.7", 80), timeout=5)


def looks_up(job):
    socket.getaddrinfo("telemetry.example", 443)


def installs_by_shell(job):
    os.system("pip install -U telemetry")


def installs_by_module(job):
    subprocess.run([sys.executable, "-m", "pip", "install", "telemetry"], check=False)


def talks_to_itself(job):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        server.accept()[0].sendall(b"hello")
        return client.recv(5).decode()


def telephones(job):
    """Let another program, which no audit hook sees, reach for a server of the user's process."""
    port = int(job.weights.read_text())
    script = f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=5)"
    return subprocess.run([sys.executable, "-I", "-c", script], check=False, capture_output=True).returncode


def surroundings(job):
    return {
        "environ": dict(os.environ),
        "path": sys.path,
        "found": {name: shutil.which(name) for name in ("pip", "pip3", "uv", "curl", "python3", "sh", "tiny-program")},
        "folder": str(Path.cwd()),
        "modules": sorted(sys.modules),
    }


def program(job):
    return subprocess.run(["tiny-program"], capture_output=True, text=True, check=True).stdout


class Backend(base.Backend):
    """Does what the text of the artefact says."""

    def __init__(self, path, *, device="cpu", threads=1):
        print("banner of the runtime")
        os.write(1, b"another one, from C\n")
        self.kind = path.read_text()
        self.calls = 0
        if self.kind == "damaged":
            raise ModelError(f"'{path.name}' is cut off at byte 7.")
        if self.kind == "no device":
            raise RuntimeUnavailable("It needs a chip of the kind X.")
        if self.kind == "broken":
            raise KeyError("layer 7")
        if self.kind == "dead at start":
            sys.stderr.write("cannot find libtiny.so\n")
            os._exit(5)
        self.metadata = ModelMetadata(
            task="any",
            names={0: "ground", 1: "disc"},
            stride=32,
            imgsz=(32, 64),
            args={"device": device, "threads": threads},
        )

    def infer(self, images):
        print("frame", self.calls)
        os.write(1, b'{"outputs": []}\n')
        self.calls += 1
        if self.kind == "fussy" and self.calls == 1:
            raise ArithmeticError("a number that is none")
        if self.kind == "mortal" and self.calls == 2:
            sys.stderr.write("out of memory\n")
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.kind == "slow":
            time.sleep(60)
        if self.kind == "two":
            return (images.argmax(1).astype(np.uint8), images.transpose(0, 1, 3, 2))
        return (images * 2,)
