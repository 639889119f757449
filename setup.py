"""AnimeGANv2 on TensorFlow 2 and Keras 3."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'__version__ = "([^"]+)"', (HERE / "animegan_tf" / "__init__.py").read_text("utf-8")
)[1]
# Those that releases of TensorFlow 2.20 and 2.21 are built for.
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
EXTRAS = {
    # CUDA for NVIDIA GPUs under Linux; the plain TensorFlow has none.
    "gpu": ["tensorflow[and-cuda]>=2.20"],
    # The charts of tools/plot_run.py and tools/evaluate.py.
    "plots": ["matplotlib>=3.8"],
    # Reading JPEG XL.
    "jxl": ["pillow-jxl-plugin>=1.2"],
    # TFLite files in int8 and int16x8.
    "quantize": ["ai-edge-quantizer>=0.10"],
    # Exports to ONNX and OpenVINO.
    "onnx": ["onnx>=1.17", "onnxruntime>=1.20"],
    "openvino": ["onnx>=1.17", "openvino>=2025.0"],
    # Exports to Core ML, on Linux and macOS.
    "coreml": ["coremltools>=9; sys_platform != 'win32'"],
    # Warm-up requests of an exported SavedModel, and gRPC calls; REST needs nothing.
    "serving": ["tensorflow-serving-api>=2.20"],
    # `animegan web` and `animegan serve`.
    "web": [
        "fastapi>=0.115.2",
        "gradio>=6",
        "prometheus-client>=0.20",
        "pydantic>=2.7",
        "python-multipart>=0.0.18",
        "uvicorn>=0.30",
    ],
    # `animegan batch`; object stores need s3fs, gcsfs or adlfs, too.
    "cluster": ["ray>=2.49,<3", "fsspec>=2024.2", "pyarrow>=17"],
}
EXTRAS["test"] = [
    "pytest>=8",
    "pytest-xdist>=3.7",
    "ruff>=0.6",
    # The notebooks.
    "ipykernel>=6.29",
    "nbclient>=0.10",
    *EXTRAS["plots"],
    *EXTRAS["quantize"],
    *EXTRAS["onnx"],
    *EXTRAS["openvino"],
    *EXTRAS["coreml"],
    *EXTRAS["serving"],
    *EXTRAS["web"],
    *EXTRAS["cluster"],
    "ray[train]>=2.49,<3",
]

setup(
    name="animegan_tf",
    version=VERSION,
    description="AnimeGANv2 on TensorFlow 2 and Keras 3: photos to anime-style pictures",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: End Users/Desktop",
        "Operating System :: MacOS",
        "Operating System :: Microsoft :: Windows",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        *(f"Programming Language :: Python :: {version}" for version in PYTHONS),
        "Topic :: Artistic Software",
        "Topic :: Multimedia :: Graphics :: Graphics Conversion",
        "Topic :: Multimedia :: Video :: Conversion",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    # Shipped styles and tools stay in folders of a checkout; an installation has them as packages.
    packages=[
        *find_packages(include=["animegan_tf", "animegan_tf.*"]),
        "animegan_tf.shipped",
        "animegan_tf.tools",
        "animegan_tf.tools.benchmarks",
        "animegan_tf.tools.fuzzing",
    ],
    package_dir={"animegan_tf.shipped": "checkpoints", "animegan_tf.tools": "tools"},
    package_data={
        # For type checkers: the package has annotations.
        "animegan_tf": ["py.typed"],
        "animegan_tf.shipped": ["*/generator.weights.h5", "*/generator.tflite", "*/README.md"],
        "animegan_tf.export": ["photos/*", "web_page/*"],
        "animegan_tf.web": ["pictures/*"],
    },
    python_requires=">=3.10,<3.14",
    install_requires=[
        "tensorflow>=2.20",
        "keras>=3.10",
        "numpy>=1.26",
        "opencv-python>=4.14",
        "pillow>=11.3",
        "pillow-heif>=1.0",
        "absl-py>=2.1",
        "h5py>=3.11",
        "tqdm>=4.66",
        "tensorboard>=2.20",
        # Every major version of it changes what its callers meet.
        "av>=17,<19",
        "ai-edge-litert>=2.0",
        "flatbuffers>=24",
        "platformdirs>=4",
        "filelock>=3.13",
    ],
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            "animegan=animegan_tf.command:console",
            "animegan-stylize=animegan_tf.stylize.__main__:console",
            "animegan-train=animegan_tf.train.__main__:console",
            "animegan-export=animegan_tf.export.__main__:console",
        ]
    },
)
