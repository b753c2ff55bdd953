from pocketlens.models.distill.initial_student import has_global_statistics
from pocketlens.models.fast_style import FastStyle
from pocketlens.models.pocket import Pocket


def test_generators_with_statistics_of_the_whole_picture_are_known() -> None:
    assert has_global_statistics(FastStyle())
    assert not has_global_statistics(Pocket())
