"""PaddlePaddle: a folder of program, weights and metadata, made by X2Paddle from a trace and run by Paddle Inference.

X2Paddle writes Python code with the traced sizes in it and runs that code, so sizes are fixed, and nothing of it is
wanted in the user's process.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.utils.imports import require

_PROGRAM, _WEIGHTS = "model.json", "model.pdiparams"


def convert(job: ExportJob) -> ModelMetadata:
    """Translate the traced network; the generated code is not part of the artefact."""
    import paddle
    import torch
    import x2paddle
    from x2paddle.convert import pytorch2paddle

    made = job.folder / "x2paddle"
    with torch.no_grad():
        pytorch2paddle(
            module=job.network(),
            save_dir=str(made),
            jit_type="trace",
            input_examples=[job.example()],
            disable_feedback=True,  # else it reports each conversion to its makers
        )
    job.artefact.mkdir()
    for name in (_PROGRAM, _WEIGHTS):
        shutil.move(made / "inference_model" / name, job.artefact / name)
    return job.metadata.with_tools(
        torch=torch.__version__, paddlepaddle=paddle.__version__, x2paddle=x2paddle.__version__
    )


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the folder."""
    write_side_file(artefact, metadata)


class Backend(base.Backend):
    """Runs a program with Paddle Inference."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.metadata = read_side_file(path)
        for name in (_PROGRAM, _WEIGHTS):
            if not (path / name).is_file():
                raise ModelError(f"'{path}' lacks its file '{name}'. Copy the whole folder, or export it again.")
        inference = require("paddle.inference", why="run PaddlePaddle artefacts")
        config = inference.Config(str(path / _PROGRAM), str(path / _WEIGHTS))
        config.disable_glog_info()
        if device.startswith("cuda"):
            if not require("paddle").is_compiled_with_cuda():
                raise RuntimeUnavailable(
                    f"device={device} needs a PaddlePaddle with CUDA (paddlepaddle-gpu, from Paddle's own package "
                    "index), or use device=cpu."
                )
            config.enable_use_gpu(256, int(device.partition(":")[2] or 0))
        else:
            config.disable_gpu()
            config.disable_mkldnn()  # on by default, and fails on these programs (Paddle 3.3)
            config.set_cpu_math_library_num_threads(threads)
        try:
            self.predictor = inference.create_predictor(config)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"PaddlePaddle cannot load '{path}': {error}") from error
        self.input = self.predictor.get_input_handle(self.predictor.get_input_names()[0])
        self.output = self.predictor.get_output_handle(self.predictor.get_output_names()[0])

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        self.input.reshape(images.shape)
        self.input.copy_from_cpu(images)
        self.predictor.run()
        return (self.output.copy_to_cpu(),)
