"""A module that gives more than one picture: what is asked of the user fits what it gives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pocketlens.converters.ranges import Ranges
from pocketlens.converters.signature import Signature
from pocketlens.errors import InputError
from pocketlens.models.bound import Bound
from pocketlens.models.teacher import torch_teacher
from pocketlens.pipeline.commands.convert import convert
from tests.generators import picture

FACTORY = """
import torch

class Several(torch.nn.Module):
    def forward(self, x):
        y = 255 - x
        return {given}

def make():
    return Several()
"""
GIVEN = {
    "(y, x.mean((1, 2, 3)))": ("a tuple of 0 ([1, 3, 32, 48]), 1 ([1])", "0"),
    "[y.mean(1, keepdim=True), y]": ("a list of 0 ([1, 1, 32, 48]), 1 ([1, 3, 32, 48])", "1"),
    '{"logit": x.mean(), "picture": y}': ("a dict of logit ([]), picture ([1, 3, 32, 48])", "picture"),
    "(y, None)": ("a tuple of 0 ([1, 3, 32, 48]), 1 (NoneType)", "0"),
}


@pytest.mark.parametrize("given", GIVEN)
def test_the_hint_names_the_option_and_no_multiple(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"several_{list(GIVEN).index(given)}"
    (tmp_path / f"{name}.py").write_text(FACTORY.replace("{given}", given))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError) as error:
        convert(f"{name}:make", ["onnx"], ["fp32"], tmp_path / "out", size=(32, 48))
    words, place = GIVEN[given]
    assert error.value.what == f"the generator gives {words}, expected one picture"
    assert "--output PLACE" in error.value.do and "multiple" not in error.value.do
    assert f"{place} (" in words


def test_one_tensor_of_another_size_is_told_of_multiples() -> None:
    with pytest.raises(InputError, match="expected") as error:
        torch_teacher(nn.Conv2d(3, 3, 4, 3), Ranges((0.0, 255.0), (0.0, 255.0)))(picture(32, 48))
    assert "multiples of 4 or 32" in error.value.do


class Score(nn.Module):
    """No generator: one number for a picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2, 3))


def test_one_number_is_no_picture() -> None:
    with pytest.raises(InputError, match=r"gives \[1\], expected \[1, 3, 32, 48\]"):
        torch_teacher(Score(), Ranges((0.0, 255.0), (0.0, 255.0)))(picture(32, 48))


class Labelled(nn.Module):
    """A generator that takes a label, which its embedding wants as a whole number."""

    def __init__(self) -> None:
        super().__init__()
        self.styles, self.last = nn.Embedding(4, 3), nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.last(x + 20 * self.styles(label)[:, :, None, None])
        return y


def test_a_label_is_an_integer_where_the_module_wants_one() -> None:
    torch.manual_seed(0)
    module = Labelled().eval()
    bound = Bound(module, Signature(constants=(("label", "2"),)))
    image = picture(16, 16)
    found = torch_teacher(bound, Ranges())(image)
    with torch.no_grad():
        given = module(torch.from_numpy(image.transpose(2, 0, 1)[None]).float(), torch.tensor([2]))[0]
    assert np.abs(found - given.permute(1, 2, 0).clamp(0, 255).numpy()).max() < 1e-3


def test_what_a_module_takes_beside_the_picture_is_named_with_the_option_for_it() -> None:
    with pytest.raises(InputError, match="takes label beside the picture") as error:
        torch_teacher(Labelled(), Ranges())(picture(16, 16))
    assert "--constant label=VALUE" in str(error.value)


def test_who_gives_four_channels_is_told_how_to_choose_three() -> None:
    with pytest.raises(InputError, match=r"--output NAME\.0:3"):
        torch_teacher(nn.Conv2d(3, 4, 1), Ranges())(picture(16, 16))
    with pytest.raises(InputError, match="has no output 'x'"):
        torch_teacher(Bound(nn.Conv2d(3, 4, 1), Signature(output="x")), Ranges())(picture(16, 16))


class Masked(nn.Module):
    def forward(self, picture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return 255 - torch.cat([picture, mask], 1)[:, :3] * nn.functional.interpolate(mask, size=picture.shape[2:])


def test_a_number_is_a_mask_where_the_module_wants_one() -> None:
    bound = Bound(Masked(), Signature(constants=(("mask", "0.25"),)))
    found = torch_teacher(bound, Ranges())(picture(32, 48))
    np.testing.assert_allclose(found, 255 - picture(32, 48) * 0.25, atol=1e-3)


def test_constants_that_do_not_fit_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", np.zeros((1, 1, 5), np.float32))
    bound = Bound(Masked(), Signature(constants=(("mask", str(tmp_path / "mask.npy")),)))
    with pytest.raises(InputError, match="does not take these constants"):
        bound.example_extras(torch.zeros(1, 3, 32, 48))
