"""The formats, a row each: pins that were run together, what each can do, and what it needs to run.

The order is that of the documentation. `docs/generate.py` writes the docs' matrix from it.
"""

from __future__ import annotations

from ultralytics.deploy.format import Format, Packages
from ultralytics.errors import ConfigError

_TORCH = ("torch==2.13.0",)
_TENSORRT = (*_TORCH, "tensorrt==11.4.0.106", "onnx==1.23.2", "onnxruntime==1.31.1")
_IMX = (
    *_TORCH, "torchvision==0.28.0", "imx500-converter[pt]==3.19.2", "model-compression-toolkit==2.5.1",
    "mct-quantizers==1.6.0", "edge-mdt-cl==1.1.1", "onnx==1.17.0", "onnxruntime==1.21.1",
)  # fmt: skip
_FOLDER = frozenset({"batch"})
_RESIZE = frozenset({"resize"})
_INT8 = frozenset({"batch", "quantize"})

PYTORCH = Format(
    name="pytorch",
    title="PyTorch",
    suffix=".pt",
    can=frozenset(),
    dynamic=True,
    verified="Linux x86-64, CPU",
)

TORCHSCRIPT = Format(
    name="torchscript", title="TorchScript", suffix=".torchscript", module="ultralytics.deploy.formats.torchscript",
    options=frozenset({"batch", "quantize", "dynamic", "optimize", "pipeline"}), bits=(32, 16), dynamic=True,
    verified="Linux x86-64, CPU",
)  # fmt: skip

ONNX = Format(
    name="onnx", title="ONNX", suffix=".onnx", module="ultralytics.deploy.formats.onnx",
    options=frozenset({"batch", "dynamic", "quantize", "opset", "simplify", "pipeline"}), bits=(32, 16, 8),
    keeps=True, dynamic=True,
    convert=Packages(
        name="onnx", extra="onnx", imports=("torch", "onnx", "onnxruntime", "onnxslim"), megabytes=950,
        pins=(*_TORCH, "onnx==1.23.2", "onnxruntime==1.31.1", "onnxslim==0.1.98", "onnxscript==0.7.2"),
    ),
    run=Packages(
        name="onnxruntime", extra="onnx", imports=("onnxruntime",), megabytes=140, pins=("onnxruntime==1.31.1",),
    ),
    verified="Linux x86-64, CPU",
)  # fmt: skip

OPENVINO = Format(
    name="openvino", title="OpenVINO", suffix="_openvino_model", module="ultralytics.deploy.formats.openvino",
    via="onnx",
    options=frozenset({"batch", "dynamic", "quantize", "pipeline"}), bits=(32, 16, 8), keeps=True, dynamic=True,
    convert=Packages(
        name="openvino", extra="openvino", imports=("openvino", "nncf", "onnx"), megabytes=480,
        pins=("openvino==2026.4.1", "nncf==3.4.0", "onnx==1.23.2"),
    ),
    run=Packages(name="openvino", extra="openvino", imports=("openvino",), megabytes=480,
                 pins=("openvino==2026.4.1", "nncf==3.4.0", "onnx==1.23.2")),
    verified="Linux x86-64, CPU",
)  # fmt: skip

ENGINE = Format(
    name="engine", title="TensorRT", suffix=".engine", module="ultralytics.deploy.formats.tensorrt", via="onnx",
    options=frozenset({"batch", "dynamic", "quantize", "opset", "simplify", "workspace"}), bits=(32, 16, 8),
    device="cuda:0", keeps=True, dynamic=True, via_bits=frozenset({16}),
    convert=Packages(name="tensorrt", imports=("torch", "tensorrt", "onnx", "onnxruntime"), pins=_TENSORRT),
    run=Packages(name="tensorrt", imports=("torch", "tensorrt"), pins=_TENSORRT),
    needs="an NVIDIA GPU, and TensorRT 10 or 11, whose libraries NVIDIA's own package index holds",
)  # fmt: skip

COREML = Format(
    name="coreml", title="Core ML", suffix=".mlpackage", module="ultralytics.deploy.formats.coreml",
    options=frozenset({"batch", "dynamic", "pipeline", "quantize"}), bits=(32, 16, 8), keeps=True, dynamic=True,
    convert=Packages(
        name="coreml", megabytes=870, imports=("torch", "coremltools"), alone=True,
        pins=(*_TORCH, "coremltools==9.0", "numpy==2.3.5"),
    ),
    run=Packages(name="coreml-runtime", imports=("coremltools", "PIL"),
                 pins=("coremltools==9.0", "numpy==2.3.5", "pillow==13.0.0")),
    platforms=frozenset({"darwin"}), needs="macOS", verified="converts on Linux x86-64; numerics not",
)  # fmt: skip

_TENSORFLOW = Packages(
    name="tensorflow", megabytes=2310, alone=True,
    pins=(
        "onnx2tf==1.28.8", "tensorflow==2.21.0", "tf-keras==2.21.0", "onnx==1.23.2", "onnx-graphsurgeon==0.6.1",
        "sng4onnx==2.0.1", "onnxruntime==1.31.1", "onnxslim==0.1.98", "psutil==7.2.2", "ai-edge-litert==2.3.0",
        "numpy==2.4.6", "requests==2.34.2", "setuptools==84.2.1",
    ),
)  # fmt: skip

SAVED_MODEL = Format(
    name="saved_model", title="TensorFlow SavedModel", suffix="_saved_model",
    module="ultralytics.deploy.formats.saved_model",
    via="onnx", options=frozenset({"batch", "opset"}), convert=_TENSORFLOW, run=_TENSORFLOW,
    verified="Linux x86-64, CPU",
)  # fmt: skip

PB = Format(
    name="pb", title="TensorFlow GraphDef", suffix=".pb", module="ultralytics.deploy.formats.graphdef",
    via="saved_model",
    options=frozenset({"batch", "opset"}), convert=_TENSORFLOW, run=_TENSORFLOW, verified="Linux x86-64, CPU",
)  # fmt: skip

TFLITE = Format(
    name="tflite", title="LiteRT", suffix=".tflite", module="ultralytics.deploy.formats.tflite", aliases=("litert",),
    options=_INT8, bits=(32, 16, 8), keeps=True,
    convert=Packages(
        name="litert", megabytes=1900, alone=True,
        pins=(
            *_TORCH, "litert-torch==0.10.0", "ai-edge-litert==2.3.0", "ai-edge-quantizer==0.10.0", "jax==0.10.2",
            "numpy==2.4.6",
        ),
    ),
    run=Packages(name="litert-runtime", imports=("ai_edge_litert",), pins=("ai-edge-litert==2.3.0",), megabytes=130),
    verified="Linux x86-64, CPU",
)  # fmt: skip

EDGETPU = Format(
    name="edgetpu", title="Edge TPU", suffix="_edgetpu.tflite", module="ultralytics.deploy.formats.edgetpu",
    via="tflite",
    options=frozenset({"quantize"}), bits=(8,), costly=frozenset({"argmax", "resize", "softmax"}),
    via_options={"bits": 8}, convert=Packages(name="edgetpu", programs=("edgetpu_compiler",)), run=None,
    needs="a Coral Edge TPU with Google's runtime (libedgetpu) and a LiteRT interpreter",
)  # fmt: skip

TFJS = Format(
    name="tfjs", title="TF.js", suffix="_web_model", module="ultralytics.deploy.formats.tfjs", via="saved_model",
    options=_FOLDER,
    convert=Packages(
        name="tfjs", megabytes=2820, alone=True,
        pins=(
            "tensorflowjs==4.22.0", "tensorflow==2.19.0", "tf-keras==2.19.0", "tensorflow-decision-forests==1.12.0",
            "ydf==0.12.0", "jax==0.10.2", "flax==0.12.8", "protobuf==5.29.6", "setuptools==80.10.2", "numpy==2.1.3",
        ),
    ),
    run=Packages(
        name="tfjs-runtime", megabytes=160, alone=True, programs=("node",),
        npm=(
            "@tensorflow/tfjs-core@4.22.0", "@tensorflow/tfjs-converter@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0",
        ),
    ),
    needs="Node.js 18 or newer", verified="Linux x86-64, CPU",
)  # fmt: skip

_PADDLE = Packages(
    name="paddle", megabytes=1620, imports=("torch", "paddle", "x2paddle"), alone=True,
    # the last four are imported by paddle and x2paddle, which do not ask for them
    pins=(*_TORCH, "paddlepaddle==3.3.1", "x2paddle==1.6.0", "setuptools==84.2.1", "requests==2.34.2", "sympy==1.14.0",
          "six==1.17.0"),
)  # fmt: skip
PADDLE = Format(
    name="paddle", title="PaddlePaddle", suffix="_paddle_model", module="ultralytics.deploy.formats.paddle",
    options=_FOLDER,
    convert=_PADDLE, run=_PADDLE, verified="Linux x86-64, CPU",
)  # fmt: skip

MNN = Format(
    name="mnn", title="MNN", suffix=".mnn", module="ultralytics.deploy.formats.mnn", via="onnx",
    options=frozenset({"batch", "dynamic", "quantize", "opset", "simplify"}), bits=(32, 16, 8), dynamic=True,
    convert=Packages(name="mnn", extra="mnn", imports=("MNN",), pins=("MNN==3.6.1", "numpy==2.4.6"), megabytes=130),
    run=Packages(name="mnn", extra="mnn", imports=("MNN",), pins=("MNN==3.6.1", "numpy==2.4.6"), megabytes=130),
    verified="Linux x86-64, CPU",
)  # fmt: skip

NCNN = Format(
    name="ncnn", title="NCNN", suffix="_ncnn_model", module="ultralytics.deploy.formats.ncnn",
    options=frozenset({"batch", "quantize"}), bits=(32, 16), can=_RESIZE | {"softmax"}, costly=_RESIZE,
    convert=Packages(name="ncnn", extra="ncnn", imports=("torch", "pnnx"), megabytes=950,
                     pins=(*_TORCH, "pnnx==20261020", "ncnn==1.0.20261020")),
    run=Packages(name="ncnn-runtime", extra="ncnn", imports=("ncnn",), pins=("ncnn==1.0.20261020",), megabytes=100),
    verified="Linux x86-64, CPU",
)  # fmt: skip

IMX = Format(
    name="imx", title="Sony IMX500", suffix="_imx_model", module="ultralytics.deploy.formats.imx",
    options=frozenset({"quantize"}), bits=(8,), can=frozenset(),
    convert=Packages(name="imx", alone=True, megabytes=1530, programs=("java",), pins=_IMX),
    run=Packages(name="imx", alone=True, megabytes=1530, pins=_IMX),
    needs="an IMX500 camera for the packed file; the quantised ONNX runs on CPUs; making them takes Java",
    verified="Linux x86-64, CPU: the quantised ONNX; the packed file in no camera",
)  # fmt: skip

RKNN = Format(
    name="rknn", title="RKNN", suffix="_rknn_model", module="ultralytics.deploy.formats.rknn", via="onnx",
    options=frozenset({"batch", "quantize", "name", "opset", "simplify"}), bits=(16, 8), keeps=True,
    can=_RESIZE | {"softmax"},
    convert=Packages(
        name="rknn", megabytes=1330, imports=("rknn",), alone=True,
        pins=("rknn-toolkit2==2.5.0", "setuptools==80.10.2"),
        overrides=_TORCH,  # it asks for torch 2.4, which brings CUDA
    ),
    run=None, needs="a Rockchip chip with its NPU driver and rknn-toolkit-lite2",
    verified="Linux x86-64, simulator while converting",
)  # fmt: skip

EXECUTORCH = Format(
    name="executorch", title="ExecuTorch", suffix="_executorch_model", module="ultralytics.deploy.formats.executorch",
    options=frozenset({"batch", "quantize"}), bits=(32, 8), keeps=True,
    convert=Packages(name="executorch", extra="executorch", imports=("torch", "executorch", "torchao"), megabytes=1230,
                     pins=(*_TORCH, "executorch==1.5.1", "torchao==0.18.0")),
    run=Packages(name="executorch", extra="executorch", imports=("torch", "executorch"), megabytes=1230,
                 pins=(*_TORCH, "executorch==1.5.1", "torchao==0.18.0")),
    verified="Linux x86-64, CPU",
)  # fmt: skip

AXELERA = Format(
    name="axelera", title="Axelera AI", suffix="_axelera_model", module="ultralytics.deploy.formats.axelera",
    via="onnx",
    options=frozenset({"batch", "quantize", "opset", "simplify"}), bits=(8,), can=_RESIZE,
    costly=_RESIZE,
    convert=Packages(name="axelera", imports=("axelera",), pins=("axelera-devkit>=1.6",)), run=None,
    needs="an Axelera Metis card, its driver, and the Voyager SDK, which Axelera's own package index holds",
)  # fmt: skip

DEEPX = Format(
    name="deepx", title="DEEPX", suffix="_deepx_model", module="ultralytics.deploy.formats.deepx", via="onnx",
    options=frozenset({"quantize", "opset", "simplify", "optimize"}), bits=(8,), can=_RESIZE,
    costly=_RESIZE,
    convert=Packages(
        name="deepx", alone=True, megabytes=1650, pins=(*_TORCH, "torchvision==0.28.0", "dx-com==2.5.0"),
        terms="DEEPX lets only its customers, who have its hardware, use the compiler",
    ),
    run=None, needs="a DEEPX NPU with its runtime, DX-RT; the compiler's licence is for DEEPX's customers only",
    verified="converts on Linux x86-64; numerics not",
)  # fmt: skip

_QNN = Packages(
    name="qnn", megabytes=450, imports=("onnxruntime", "onnxruntime_qnn", "onnx"), alone=True,
    pins=("onnxruntime==1.31.1", "onnxruntime-qnn==2.7.0", "onnx==1.23.2"),
)  # fmt: skip
QNN = Format(
    name="qnn", title="Qualcomm QNN", suffix="_qnn.onnx", module="ultralytics.deploy.formats.qnn", via="onnx",
    options=frozenset({"batch", "quantize", "name", "opset", "simplify"}), bits=(16, 8), keeps=True,
    can=_RESIZE | {"argmax"}, convert=_QNN, run=_QNN,
    needs="a Snapdragon's HTP, or its emulator on x86-64", emulated_on=frozenset({"x86_64", "amd64"}),
    verified="Linux x86-64, HTP emulator",
)  # fmt: skip

FORMATS: list[Format] = [
    PYTORCH, TORCHSCRIPT, ONNX, OPENVINO, ENGINE, COREML, SAVED_MODEL, PB, TFLITE, EDGETPU, TFJS, PADDLE, MNN, NCNN,
    IMX, RKNN, EXECUTORCH, AXELERA, DEEPX, QNN,
]  # fmt: skip


def register_format(row: Format) -> None:
    """Add a format of another package to the table.

    Raises:
        ConfigError: a word or the ending is taken.
    """
    for known in FORMATS:
        if known.suffix == row.suffix or {known.name, *known.aliases} & {row.name, *row.aliases}:
            raise ConfigError(f"The format '{row.name}' ({row.suffix}) has a word or the ending of {known.title}.")
    FORMATS.append(row)
