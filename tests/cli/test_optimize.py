from tests.cli.calls import call


def test_optimize_refuses_in_words() -> None:
    assert "is no device" in call("optimize", "builtin:cartoon", "--device", "gpu", code=2).stderr
    assert "no target" in call("optimize", "builtin:cartoon", "-t", "tensorrt", code=2).stderr
