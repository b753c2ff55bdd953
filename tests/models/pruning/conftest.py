from tests.models.pruning.generators import narrow_unet

__all__ = ["narrow_unet"]
