"""What a teacher gives is recorded once."""

import numpy as np
import pytest

from pocketlens import images
from pocketlens.files import cache_folder
from pocketlens.models.distill.dataset import DatasetSpec, digest, record_teacher
from pocketlens.models.distill.feature_teacher import FeatureTeacher, feature_teacher, function_teacher
from pocketlens.models.source import Source


def test_the_teacher_runs_once(source: Source) -> None:
    spec, calls = DatasetSpec(((32, 4),)), []

    def make_teacher() -> FeatureTeacher:
        calls.append(1)
        return feature_teacher(source)

    first = record_teacher(make_teacher, "key", spec, None)
    again = record_teacher(make_teacher, "key", spec, None)
    assert len(calls) == 1
    assert np.array_equal(first[0].targets, again[0].targets)
    assert first[0].features is not None
    assert np.abs(first[0].features.astype(np.float32).std() - 1) < 0.3


def test_a_slow_effect_that_was_stopped_continues_where_it_was() -> None:
    calls: list[int] = []

    def slow(picture: images.Picture) -> images.Picture:
        calls.append(len(calls))
        if len(calls) == 6:
            raise KeyboardInterrupt
        return 255 - picture

    spec = DatasetSpec(((32, 6), (16, 4)))
    with pytest.raises(KeyboardInterrupt):
        record_teacher(lambda: function_teacher(slow), "slow", spec, None)
    datasets = record_teacher(lambda: function_teacher(slow), "slow", spec, None)
    assert len(calls) == 6 + 5, "five were known"
    assert all((dataset.targets == 255 - dataset.inputs).all() for dataset in datasets)
    uninterrupted = record_teacher(lambda: function_teacher(lambda picture: 255 - picture), "other", spec, None)
    assert digest(datasets) == digest(uninterrupted)
    assert not list((cache_folder() / "asking").iterdir())
