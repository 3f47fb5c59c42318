"""Predicting JPEG files on the CPU: time per image by phase, and the share of everything that is not the network.

Files are decoded ahead, while the network computes, so reading costs next to nothing; what decoding takes on its own is
measured beside it.

python benchmarks/predict.py [--model WEIGHTS] [--images 5]

Without weights an untrained network is measured, whose map is noise: the worst case of the reduction.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
from measure import best_ms, machine

from ultralytics import YOLO
from ultralytics.data.imread import read_image
from ultralytics.scenes import scene

CASES = (((480, 640), 640), ((1080, 1920), 640), ((768, 1024), 1024), ((1024, 2048), 1024), ((1024, 2048), 2048))
PHASES = ("read", "preprocess", "inference", "postprocess")


def best_phases(model: YOLO, files: list[Path], imgsz: int) -> dict[str, float]:
    """Smallest milliseconds of each phase over the images; the first image warms up."""
    runs = [result.speed for result in model.predict(files, imgsz=imgsz, stream=True, verbose=False)][1:]
    return {phase: min(run[phase] or 0.0 for run in runs) for phase in PHASES}


def main() -> None:
    """Print a row per source size and network input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="yolo26n-sem.yaml")
    parser.add_argument("--images", type=int, default=5)
    options = parser.parse_args()
    model = YOLO(options.model)
    print(f"{options.model}, {len(model.names)} classes; {machine()}")
    header = "".join(f"{phase:>13}" for phase in PHASES)
    print(f"{'source':>11} {'imgsz':>6}{header}{'total':>9}{'around network':>16}{'decode alone':>14}")
    with tempfile.TemporaryDirectory() as folder:
        for (height, width), imgsz in CASES:
            file = Path(folder) / f"{height}x{width}.jpg"
            picture = cv2.resize(scene(1, (288, 576))[0], (width, height), interpolation=cv2.INTER_CUBIC)
            file.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
            phases = best_phases(model, [file] * (options.images + 1), imgsz)
            total = sum(phases.values())
            cells = "".join(f"{phases[phase]:>13.1f}" for phase in PHASES)
            around = 1 - phases["inference"] / total
            decode = best_ms(lambda file=file: read_image(file), seconds=0.5)  # type: ignore[misc]
            print(f"{height}x{width:<6} {imgsz:>6}{cells}{total:>9.1f}{around:>15.0%}{decode:>14.1f}")


if __name__ == "__main__":
    main()
