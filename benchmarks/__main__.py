"""All benchmarks, one after the other: `make bench`, or `python -m benchmarks [NAME …]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = ("upsample_argmax", "upsample_loss", "confusion", "train_step", "predict")


def main() -> int:
    """Run the named benchmarks, or all; each in a process of its own, so that none warms up another."""
    for name in sys.argv[1:] or NAMES:
        print(f"\n# {name}", flush=True)
        if code := subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
