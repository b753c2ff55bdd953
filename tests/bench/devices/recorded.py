"""What devices printed, recorded; ``samples/README.md`` says where each comes from."""

from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text()
