"""A Hugging Face image-to-image model: loaded with transformers, exported to the graph with optimum.

transformers builds the network from the configuration and reads no file itself: the weights come through
:mod:`pocketlens.models.weights`. So nothing is downloaded, no pickle is opened, and code that comes with a model is
never run.
"""

import copy
import inspect
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pocketlens.converters import graph as hub
from pocketlens.converters.prepare import prepare, read_onnx
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError, require
from pocketlens.models import weights
from pocketlens.models.checkpoint import checked_cast
from pocketlens.models.checkpoint_match import summarize_names
from pocketlens.models.hf_folder import CONFIG, WEIGHTS, HfFolder

if TYPE_CHECKING:
    import onnx_ir as ir

EXTRA = "hf"
_TASK = "image-to-image"


class HfGenerator(nn.Module):
    """A transformers model as a generator: one picture in, one picture out, ``float32 [1, 3, H, W]``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Give the reconstruction and nothing else that the model returns."""
        output: torch.Tensor = self.model(pixel_values=picture).reconstruction
        return output


def load(folder: HfFolder) -> HfGenerator:
    """Load the model in eval mode, in float32.

    Raises:
        InputError: transformers has no image-to-image model of this type, the configuration is wrong, the picture that
            leaves is not as large as the one that enters or not RGB, or the weights do not fit.
        MissingError: transformers is not installed.
    """
    require("transformers", EXTRA)
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TO_IMAGE_MAPPING_NAMES as KNOWN

    if folder.model_type not in KNOWN:
        raise InputError(
            f"{folder.path} is a {folder.model_type!r} model; of those, transformers has no image-to-image model",
            do=f"give one of: {', '.join(sorted(KNOWN))}; or export it to .onnx with its author's code and give that",
        )
    path = folder.path / WEIGHTS
    tensors = weights.read(path)
    config = _config(folder, len(tensors))
    with torch.device(
        "meta"
    ):  # without memory, so that what a wrong configuration asks for is refused before it is taken
        _check_match(folder, _build(folder, config), tensors)
    module = _build(folder, config)
    parameters = module.state_dict()
    module.load_state_dict({name: checked_cast(path, name, tensors[name], parameters[name]) for name in parameters})
    generator = HfGenerator(module)
    generator.eval()
    return generator


def export(generator: nn.Module, height: int, width: int, ranges: Ranges) -> "ir.Model":
    """Export a model to the graph with optimum.

    Args:
        generator: From :func:`load`.
        height: In pixels.
        width: In pixels.
        ranges: The model's input and output range; they are folded into the graph.

    Raises:
        InputError: The model cannot be exported at this size.
        MissingError: optimum or optimum-onnx is not installed.
    """
    for library in (
        "optimum",
        "optimum.exporters",
        "optimum.exporters.onnx",
    ):  # looking for the last imports the others
        require(library, EXTRA)
    import optimum.exporters.onnx.model_configs  # noqa: F401 - importing it is what tells the TasksManager of its models
    from optimum.exporters.onnx import export as write
    from optimum.exporters.tasks import TasksManager

    model: Any = generator.model
    described = copy.deepcopy(model.config)
    described.image_size = (
        height,
        width,
    )  # the size of a training crop, which optimum would rather trace at than at ours
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a trace holds for one size only, which is what the graph wants
        path = Path(folder) / "model.onnx"
        try:
            make = TasksManager.get_exporter_config_constructor(
                "onnx", model=model, task=_TASK, library_name="transformers"
            )
            write(model, make(described), path, opset=hub.OPSET, input_shapes={"batch_size": 1}, no_dynamic_axes=True)
        except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"optimum cannot export the model at {height} x {width}: {_line(error)}",
                do="choose another size, or export it to .onnx yourself and give that file",
            ) from error
        return prepare(read_onnx(path), height, width, ranges)


def _config(folder: HfFolder, tensors: int) -> Any:
    """The configuration, of the architecture's own fields alone: not those that choose kernels, dtypes or code."""
    from transformers import CONFIG_MAPPING

    kind = CONFIG_MAPPING[folder.model_type]
    own = inspect.signature(kind.__init__).parameters
    try:
        config = kind(**{name: value for name, value in folder.fields.items() if name in own and name != "self"})
        depth = sum(getattr(config, "depths", ()))
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{folder.path / CONFIG} is wrong: {_line(error)}", do="download it again") from error
    if depth > tensors:  # each layer has tensors of its own, and a claim of a billion layers would be built one by one
        raise InputError(
            f"{folder.path / CONFIG} claims {depth:,} layers, and {WEIGHTS} holds {tensors:,} tensors",
            do="download both again, from the same place",
        )
    for name in ("num_channels", "num_channels_out"):
        channels = getattr(config, name, None)
        if channels not in (None, 3):
            raise InputError(f"{folder.path} has {name} {channels}, expected 3", do="give a model for RGB pictures")
    scale = getattr(config, "upscale", 1)
    if scale != 1:
        raise InputError(
            f"{folder.path} gives a picture {scale} times as high and wide as its input;"
            " a filter gives one of the same size",
            do="give a model with upscale 1, which restores or restyles a picture",
        )
    return config


def _build(folder: HfFolder, config: Any) -> Any:
    from transformers import AutoModelForImageToImage

    try:
        return AutoModelForImageToImage.from_config(config, trust_remote_code=False, attn_implementation="eager")
    except Exception as error:  # a configuration is a stranger's, and the network's code checks little of it
        raise InputError(
            f"{folder.path / CONFIG} describes no network that can be built: {_line(error)}", do="download it again"
        ) from error


def _check_match(folder: HfFolder, module: nn.Module, tensors: weights.StateDict) -> None:
    path, parameters = folder.path / WEIGHTS, module.state_dict()
    needed = sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))
    if needed > weights.MAX_BYTES:
        raise InputError(
            f"{folder.path / CONFIG} describes a network of {needed:,} bytes, more than {weights.MAX_BYTES:,}",
            do="give a smaller model",
        )
    computed = {name for name, _ in module.named_buffers()}  # older files hold tables that newer code makes itself
    shapes = [
        f"{name} is {list(tensors[name].shape)} and should be {list(parameter.shape)}"
        for name, parameter in parameters.items()
        if name in tensors and tensors[name].shape != parameter.shape
    ]
    missing = [name for name in parameters if name not in tensors]
    extra = [name for name in tensors if name not in parameters and name not in computed]
    problems = [
        *summarize_names("missing", missing),
        *summarize_names("too many", extra),
        *summarize_names("of another shape", shapes),
    ]
    if problems:
        raise InputError(
            f"{path} does not fit {CONFIG}: {'; '.join(problems)}", do="download both again, from the same place"
        )


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
