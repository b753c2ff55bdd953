// The filter itself, for the worker: one TFLite file in LiteRT.js. A classic script, because Emscripten's threads
// want a classic worker.
//
// Pixels are RGBA bytes in rows, as canvases have them. The file takes RGB, 0..255, as float32 or uint8, [1, H, W, 3];
// a style pack takes one weight for each style as well.

/** The bytes of a file that lies there as gzip, whether or not the server has inflated it already. */
async function inflated(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} is not there: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A pixel of four bytes is read and written as one number, which takes half of the time; all browsers' machines are
// little-endian.

/** RGBA bytes into RGB values. */
function unpack(rgba, values) {
  const pixels = new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length >> 2);
  for (let i = 0, j = 0; i < pixels.length; i += 1, j += 3) {
    const pixel = pixels[i];
    values[j] = pixel & 255;
    values[j + 1] = (pixel >>> 8) & 255;
    values[j + 2] = (pixel >>> 16) & 255;
  }
}

/** RGB values into RGBA bytes, rounded to the nearest as the bundle's own session does. */
function pack(values, rgba) {
  const pixels = new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length >> 2);
  const byte = (value) => (value > 0 ? (value < 255 ? (value + 0.5) | 0 : 255) : 0);
  for (let i = 0, j = 0; i < pixels.length; i += 1, j += 3) {
    pixels[i] = 0xff000000 | (byte(values[j + 2]) << 16) | (byte(values[j + 1]) << 8) | byte(values[j]);
  }
}

/** RGB values into RGBA floats, as they are. */
function copy(values, rgba) {
  for (let i = 0, j = 0; i < rgba.length; i += 4, j += 3) {
    for (let c = 0; c < 3; c += 1) rgba[i + c] = values[j + c];
    rgba[i + 3] = 255;
  }
}

class Filter {
  /**
   * Load the runtime and compile a file.
   *
   * @param base The folder of the page, as a URL that ends in a slash.
   * @param backend 'webgpu', 'threads' or 'compat'.
   * @param threads How many threads compute in WebAssembly; one where the backend is not 'threads'.
   * @param model The bytes of the TFLite file.
   * @param gpuPrecision The arithmetic of WebGPU: 'fp16' or 'fp32'; left out, the runtime chooses.
   * @param onstarting Told `true` when the runtime begins to start, its bytes being there, and `false` when it has.
   */
  static async open({ base, backend, threads, model, gpuPrecision }, onstarting) {
    const filter = new Filter();
    const threaded = backend === 'threads' || (backend === 'webgpu' && self.crossOriginIsolated);
    const name = `litert_wasm_${threaded ? 'threaded' : 'compat'}_internal`;
    const runtime = `${base}runtime/`;
    const wasm = new Blob([await inflated(`${runtime}${name}.wasm.gz`)], { type: 'application/wasm' });
    const address = URL.createObjectURL(wasm);
    // In a worker Emscripten takes the worker's own address for its script: say which file its threads must load.
    self.Module = {
      mainScriptUrlOrBlob: `${runtime}${name}.js`,
      locateFile: (file) => (file.endsWith('.wasm') ? address : runtime + file),
    };
    filter.litert = await import(`${runtime}litert.js`);
    onstarting(true);
    filter.library = threaded
      ? await filter.litert.loadLiteRt(runtime, { threads: true })
      : await filter.litert.loadLiteRt(`${runtime}${name}.js`);
    onstarting(false);
    URL.revokeObjectURL(address);
    filter.threads = backend === 'threads' ? threads : 1;
    const begun = performance.now();
    await filter.compile(model, backend === 'webgpu', gpuPrecision);
    filter.compile_ms = performance.now() - begun;
    return filter;
  }

  async compile(model, onGpu, gpuPrecision) {
    const { Tensor, loadAndCompile, getWebGpuDevice } = this.litert;
    this.net = await loadAndCompile(model, {
      accelerator: onGpu ? 'webgpu' : 'wasm',
      cpuOptions: { numThreads: this.threads },
      ...(gpuPrecision ? { gpuOptions: { precision: gpuPrecision } } : {}),
    });
    this.whole = this.net.isFullyAccelerated;
    this.device = onGpu ? getWebGpuDevice() : null;
    const details = this.net.getInputDetails();
    const picture = details.findIndex((input) => input.shape.length === 4);
    [, this.height, this.width] = details[picture].shape;
    this.bytes = details[picture].dtype === 'uint8';
    // Inputs are made once and filled in place for each frame.
    this.inputs = details.map((input) => {
      const count = input.shape.reduce((product, length) => product * length, 1);
      return new Tensor(input.dtype === 'uint8' ? new Uint8Array(count) : new Float32Array(count), input.shape);
    });
    this.picture = this.inputs[picture];
    this.style = this.inputs.find((input) => input !== this.picture);
    this.setStyle([1]);  // the first style, until another is asked for
  }

  /** A tensor's own memory while `use` runs: nothing is copied. */
  within(tensor, asBytes, writing, use) {
    const { liteRtWasm } = this.library;
    const modes = liteRtWasm.LiteRtTensorBufferLockMode;
    const buffer = tensor.liteRtTensorBuffer;
    const address = buffer.lock(writing ? modes.WRITE : modes.READ);
    try {
      const memory = liteRtWasm.HEAPU8.buffer, size = buffer.packedSize();
      use(asBytes ? new Uint8Array(memory, address, size) : new Float32Array(memory, address, size / 4));
    } finally {
      buffer.unlock();
    }
  }

  /** How much of each style a picture is to be in; a network of one style takes none. */
  setStyle(weights) {
    if (this.style) this.within(this.style, false, true, (values) => values.set(weights));
  }

  /** Play a picture, in place or into another; gives the milliseconds of the network alone. */
  async play(rgba, result = rgba) {
    this.within(this.picture, this.bytes, true, (values) => unpack(rgba, values));
    const begun = performance.now();
    const outputs = await this.net.run(this.inputs);
    const output = outputs[0].accelerator === 'wasm' ? outputs[0] : await outputs[0].copyTo('wasm');
    const ms = performance.now() - begun;
    this.within(output, this.bytes, false, (values) => (result instanceof Float32Array ? copy : pack)(values, result));
    if (output !== outputs[0]) output.delete();
    for (const tensor of outputs) tensor.delete();
    return ms;
  }
}
self.Filter = Filter;
