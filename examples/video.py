"""Follow a video or camera frame by frame; memory stays constant however long it is.

python examples/video.py yolo26n-sem.pt drive.mp4 --stride 5
python examples/video.py yolo26n-sem.pt 0                       # a camera
"""

from __future__ import annotations

import argparse

from ultralytics import YOLO


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("source", help="video file, camera number, or rtsp:// address")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--stride", type=int, default=1, help="take every n-th frame")
    parser.add_argument("--out", default=None, help="folder for the overlay video; none: a new one below runs/")
    arguments = parser.parse_args()

    model = YOLO(arguments.model)
    options = {"imgsz": arguments.imgsz, "vid_stride": arguments.stride, "save": True, "save_dir": arguments.out}
    # With stream=True results come one at a time; keep what you need of one, not the result itself.
    results = model.predict(arguments.source, stream=True, verbose=False, **options)
    for number, result in enumerate(results):
        largest = max(result.summary(), key=lambda row: row["pixels"])
        print(f"frame {number * arguments.stride}: mostly {largest['name']}, {result.speed['inference']:.0f} ms")


if __name__ == "__main__":
    main()
