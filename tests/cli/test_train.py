from tests.cli.calls import call


def test_train_refuses_what_does_not_go_together() -> None:
    effect = ("train", "-o", "out", "--effect", "a:b")
    assert "squares" in call(*effect, "--size", "256x128", code=2).stderr
    assert "--style-image, which is not given" in call(*effect, "--vgg", "v.pth", code=2).stderr
    assert "leave it out" in call("train", "-o", "o", "--pairs", "a", "b", "--pictures", "c", code=2).stderr
