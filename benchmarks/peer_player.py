"""Plays one file in the runtime that it was made for, in the environment where that runtime lives.

    python benchmarks/peer_player.py mnn wave.mnn picture.npy out.npy 2

The file is played once, and what came out lies in ``out.npy``, ``float32 [H, W, 3]``. Then each line on standard input
asks for as many plays, and is answered by one line of JSON: the wall time of each in ms, and the CPU time of them all.
Nothing but numpy and the runtime is imported, so that it runs in every environment. A play is what its documentation
shows: a ``float32`` tensor in, a ``float32`` array out.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Play = Callable[[], Any]
"""Plays once and gives the output as ``float32 [1, 3, H, W]`` or ``[3, H, W]``."""


def mnn(path: str, tensor: np.ndarray, threads: int) -> Play:
    import MNN

    interpreter = MNN.Interpreter(path)
    session = interpreter.createSession({"backend": "CPU", "numThread": threads, "precision": "normal"})
    shape = tensor.shape
    entry, leaving = interpreter.getSessionInput(session), interpreter.getSessionOutput(session)
    kind, order = MNN.Halide_Type_Float, MNN.Tensor_DimensionType_Caffe
    host = MNN.Tensor(shape, kind, tensor, order)
    result = MNN.Tensor(leaving.getShape(), kind, np.zeros(leaving.getShape(), np.float32), order)

    def play() -> np.ndarray:
        entry.copyFrom(host)
        interpreter.runSession(session)
        leaving.copyToHostTensor(result)
        return result.getNumpyData()

    return play


def ncnn(path: str, tensor: np.ndarray, threads: int) -> Play:
    import ncnn as library

    net = library.Net()
    net.opt.num_threads = threads
    net.load_param(path)
    net.load_model(path.removesuffix(".param") + ".bin")
    image = library.Mat(tensor[0])

    def play() -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("in0", image)
        return np.array(extractor.extract("out0")[1])

    return play


def executorch(path: str, tensor: np.ndarray, threads: int) -> Play:
    import torch
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    set_threads = getattr(portable_lib, "_unsafe_reset_threadpool", None)
    if set_threads is not None:
        set_threads(threads)
    method = Runtime.get().load_program(path).load_method("forward")
    entry = torch.from_numpy(tensor)

    def play() -> np.ndarray:
        return method.execute([entry])[0].numpy()

    return play


def onnxruntime(path: str, tensor: np.ndarray, threads: int) -> Play:
    import onnxruntime as library

    settings = library.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = threads, 3
    session = library.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    feed = {entry.name: tensor.astype(np.uint8) if "uint8" in entry.type else tensor}
    return lambda: session.run(None, feed)[0]


def openvino(path: str, tensor: np.ndarray, threads: int) -> Play:
    import openvino as library

    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    compiled = library.Core().compile_model(path, "CPU", settings)
    kind = compiled.input().get_element_type().to_dtype()
    request, feed = compiled.create_infer_request(), [tensor.astype(kind)]
    return lambda: request.infer(feed)[0]


def litert(path: str, tensor: np.ndarray, threads: int) -> Play:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    entry, leaving = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    feed = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)).astype(entry["dtype"])

    def play() -> np.ndarray:
        interpreter.set_tensor(entry["index"], feed)
        interpreter.invoke()
        return interpreter.get_tensor(leaving["index"]).transpose(0, 3, 1, 2)

    return play


ENGINES: dict[str, Callable[[str, np.ndarray, int], Play]] = {
    engine.__name__: engine for engine in (mnn, ncnn, executorch, onnxruntime, openvino, litert)
}


def main() -> None:
    engine, path, picture, out, threads = sys.argv[1:]
    tensor = np.ascontiguousarray(np.load(picture).transpose(2, 0, 1)[None].astype(np.float32))
    play = ENGINES[engine](path, tensor, int(threads))
    np.save(out, np.asarray(play(), np.float32).reshape(tensor.shape)[0].transpose(1, 2, 0))
    print("ready", flush=True)
    for line in sys.stdin:
        times, cpu = [], time.process_time()
        for _ in range(int(line)):
            start = time.perf_counter()
            play()
            times.append(1e3 * (time.perf_counter() - start))
        print(json.dumps({"ms": times, "cpu_ms": 1e3 * (time.process_time() - cpu)}), flush=True)


if __name__ == "__main__":
    main()
