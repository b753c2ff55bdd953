"""What decides what a module computes, and how, is in its key; what does not is not."""

import pytest

from tests.models.source_keys import keys_of

BEFORE = """
import torch
from torch import nn
from torch.nn import functional as F
import helper_of_mixer

class Mixer(nn.Module):
    input_range = output_range = (0.0, 1.0)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.k = nn.Conv2d(3, 9, 3, padding=1)

    def forward(self, x):
        n, c, h, w = x.shape
        k = torch.softmax(self.k(x) * 4, dim=1)
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        p = F.unfold(x, 3).view(n, c, 9, h, w)
        return helper_of_mixer.finish((p * k.unsqueeze(1)).sum(2))

def make():
    return Mixer().eval()
"""
HELPER = "def finish(x):\n    return x * 1.0\n"
UNFOLD = "F.unfold(x, 3).view(n, c, 9, h, w)"
SLICES = "torch.stack([x[:, :, i:i + h, j:j + w] for i in range(3) for j in range(3)], dim=2)"
SYMBOLIC = """
class Same(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1
    @staticmethod
    def symbolic(g, x):
        return g.op("Identity", x)
"""
EDITS = {
    "the same bits by other operators": (BEFORE.replace(UNFOLD, SLICES), HELPER),
    "another branch for another size": (BEFORE.replace("k = torch", "k = x if h > 99 else torch"), HELPER),
    "what a helper does with another picture": (BEFORE, HELPER.replace("x * 1.0", "x * 1.0 if x.max() < 9 else x * 2")),
    "what an exporter is told": (BEFORE + SYMBOLIC, HELPER),
}


COMMENTED = ("# a comment\n" + BEFORE.replace("dim=1)", "dim = 1 )  # over the kernel"), HELPER)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    sources = {"before": (BEFORE, HELPER), "commented": COMMENTED, **EDITS}
    folders = [tmp_path_factory.mktemp("source") for _ in sources]
    for folder, (text, helper) in zip(folders, sources.values(), strict=True):
        (folder / "mine.py").write_text(text)
        (folder / "helper_of_mixer.py").write_text(helper)
    return dict(zip(sources, keys_of(folders), strict=True))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_another_key(edit: str, keys: dict[str, str]) -> None:
    assert keys[edit] != keys["before"]


def test_comments_layout_and_the_folder_are_the_same_key(keys: dict[str, str]) -> None:
    assert keys["commented"] == keys["before"]
