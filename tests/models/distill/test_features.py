from pocketlens.models.distill.features import quarter_layer
from pocketlens.models.pix2pix_unet import Pix2PixUnet


def test_a_unet_has_features_at_a_quarter_of_the_size() -> None:
    assert quarter_layer(Pix2PixUnet(halvings=7), 128)
