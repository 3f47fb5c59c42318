"""Export the whole prediction as one ONNX file, and run it with onnxruntime alone: picture in, class map out.

python examples/onnxruntime_only.py runs/semantic/train/weights/best.pt street.jpg --imgsz 256
"""

from __future__ import annotations

import argparse

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

from ultralytics import YOLO


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("image")
    parser.add_argument("--imgsz", type=int, default=640)
    arguments = parser.parse_args()

    model = YOLO(arguments.model)
    artefact = model.export(format="onnx", imgsz=arguments.imgsz, pipeline=True)

    # From here on nothing of this package is needed: this part is what a device runs.
    session = onnxruntime.InferenceSession(str(artefact), providers=["CPUExecutionProvider"])
    with Image.open(arguments.image) as file:
        picture = np.asarray(ImageOps.exif_transpose(file).convert("RGB"))
    ids = session.run(None, {session.get_inputs()[0].name: picture[None]})[0][0]
    print(f"{artefact}: {picture.shape[0]}x{picture.shape[1]} picture, ids {np.unique(ids).tolist()}")

    expected = model.predict(arguments.image, imgsz=arguments.imgsz, verbose=False)[0].semantic_mask.data.numpy()
    print(f"{(ids == expected).mean():.2%} of the pixels as in predict()")


if __name__ == "__main__":
    main()
