"""Quantization, decided once on the graph: which convolutions compute in integers, in which ranges, with which weights.

:mod:`plan <pocketlens.converters.quantization.plan>` says what is quantized, as ordered rules;
:mod:`calibrate <pocketlens.converters.quantization.calibrate>` plays real pictures and keeps what each value was;
:mod:`equalize <pocketlens.converters.quantization.equalize>` evens out channels without changing a pixel;
:mod:`insert <pocketlens.converters.quantization.insert>` writes the decision into the graph as QuantizeLinear and
DequantizeLinear, which every emitter lowers into its target's own idiom.
"""
