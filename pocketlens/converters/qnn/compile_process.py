"""The process that compiles: ``python -m pocketlens.converters.qnn.compile_process GRAPH SOC_MODEL``."""

import sys
from pathlib import Path


def main(graph: Path, soc_model: int) -> int:
    """Compile ``graph`` into ``context.onnx`` and ``context_qnn.bin`` beside it; the trace lies there too."""
    from pocketlens.runtimes.qnn import open_session

    settings = {
        "ep.context_enable": "1",
        "ep.context_file_path": str(graph.parent / "context.onnx"),
        "ep.context_embed_mode": "0",
    }
    try:
        # As bytes: from a path, the names of the parts would depend on the folder.
        open_session(
            graph.read_bytes(), settings, soc_model,
            enable_htp_prepare_only="1", enable_framework_op_trace="1", framework_op_trace_dir=str(graph.parent),
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the library's own kinds have no common base
        print(str(error).splitlines()[0], file=sys.stderr)  # noqa: T201 - the parent reads it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
