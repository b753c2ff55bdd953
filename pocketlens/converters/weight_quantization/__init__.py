"""Weights quantized to few bits, decided once, on the graph, and written by every emitter in its target's own way.

:mod:`quantized_weights <pocketlens.converters.quantized_weights>` says how the graph holds them,
and chooses scales and look-up tables; :mod:`kmeans <pocketlens.converters.weight_quantization.kmeans>` finds the values
of a table; :mod:`activation_statistics <pocketlens.converters.weight_quantization.activation_statistics>` sums up what
each layer reads (GPTQ's Hessian); :mod:`gptq <pocketlens.converters.weight_quantization.gptq>` rounds weights so that
what a layer computes changes least; :mod:`quantize <pocketlens.converters.weight_quantization.quantize>` does all of it
to a graph.
"""
