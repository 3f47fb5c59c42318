"""TorchScript: the traced network in one file; metadata lie in it as an extra file."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.script import write_script
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.utils.files import replacing

_EXTRA = "config.txt"


def convert(job: ExportJob) -> ModelMetadata:
    """Trace the network; sizes stay open, as the graph reads them from its input."""
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces a successor
        traced = torch.jit.trace(job.network(half=job.options.bits == 16), job.example(), check_trace=False)
        if job.options.optimize:
            traced = torch.jit.freeze(traced)
        traced.save(str(job.artefact))
    write_script(
        job,
        package="torch",
        load='import torch\n\nNETWORK = torch.jit.load(str(Path(__file__).with_suffix("")))',
        run="NETWORK(torch.from_numpy(images))[0].numpy()",
    )
    return job.metadata.with_tools(torch=torch.__version__)


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the archive."""
    import torch

    with warnings.catch_warnings(), replacing(artefact) as temporary:
        warnings.simplefilter("ignore")
        network = torch.jit.load(str(artefact), map_location="cpu")
        network.save(str(temporary), _extra_files={_EXTRA: metadata.json()})


class Backend(base.Backend):
    """Runs a traced network with torch."""

    concurrent = True

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        import torch

        extra = {_EXTRA: ""}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch announces a successor
                self.network = torch.jit.load(str(path), map_location=device, _extra_files=extra).eval()
        except RuntimeError as error:
            if device != "cpu" and not torch.cuda.is_available():
                raise RuntimeUnavailable(f"device={device} is not here: {error}") from error
            raise ModelError(f"'{path}' is not a TorchScript file, or a damaged one: {error}") from error
        self.device = torch.device(device)
        self.metadata = ModelMetadata.from_json(extra[_EXTRA] or "{}", where=path)

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        import torch

        with torch.inference_mode():
            output = self.network(torch.from_numpy(images).to(self.device))
        return (output.cpu().numpy(),)
