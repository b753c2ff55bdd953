import subprocess
import sys

import torch
from torch import nn

from pocketlens.models import zoo
from pocketlens.models.costs import count_costs, zoo_entries


def test_the_listing_has_every_variant_with_its_costs() -> None:
    entries = {(entry.name, entry.variant): entry for entry in zoo_entries()}
    assert set(entries) == {(a.name, v.name) for a in zoo.ARCHITECTURES.values() for v in a.variants}
    assert all(e.costs.macs > 1e8 and e.source and e.paper and e.license for e in entries.values())
    assert entries["transformer-net", ""].costs.parameters == 1_679_235
    assert entries["animegan2", ""].costs.parameters == 2_143_552
    assert entries["cyclegan-resnet", "9 blocks"].costs.parameters == 11_378_179
    assert entries["cyclegan-resnet", "6 blocks"].costs.macs < entries["cyclegan-resnet", "9 blocks"].costs.macs
    assert {v: entries["pix2pix-unet", v].costs.multiple for v in ("unet_256", "unet_128")} == {
        "unet_256": 256,
        "unet_128": 128,
    }


def test_a_second_listing_needs_no_torch() -> None:
    zoo_entries()
    script = (
        "import sys; from pocketlens.models.costs import zoo_entries; zoo_entries(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_each_kind_of_layer_is_counted_by_hand() -> None:
    with torch.device("meta"):
        conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        enlarge = nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)
        module = nn.Sequential(conv, depthwise, enlarge, nn.Linear(12, 5, bias=False))
    costs = count_costs(module, 8, 12)
    assert costs.macs == 8 * 3 * 9 * 24 + 8 * 9 * 24 + 8 * 3 * 16 * 24 + 3 * 8 * 12 * 5
    assert costs.parameters == (216 + 8) + (72 + 8) + (384 + 3) + 60
