# The first two commands of a new user: `make demo`, `make test`. Everything else is listed by `make help`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install test-quick docs bench-peers bench-engines demo test conformance fuzz kill bench-matrix operators rewrites check format schema changelog dist constraints train lab-pi clean bench-rewrites bench-accelerators operators-on bench-agreement lab-android lab-pages bench-shim bench-browser bench-sizes bench-flicker lab-arm64 bench-folders bench-streams lab-cluster

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not here: install Python 3.11, or say make PYTHON=/path/to/python3.11"; exit 3; }
	$(PYTHON) -m venv $(VENV)
	# torch first and alone: the CPU build, before anything with a looser wish pulls in CUDA.
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

install: $(STAMP)  ## set up .venv with everything, in the versions of constraints.txt

demo: install  ## build, verify and measure the filter that ships; writes demo/
	@# Exit code 1 is a verdict: a slow or busy machine misses the budget, and the table says so.
	$(BIN)/pocketlens demo -o demo || test $$? -eq 1

# Tests start some hundred processes of ours: with bytecode each begins 0.3 s sooner, whatever the shell says of it.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder tests pocketlens \
    --doctest-modules --ignore pocketlens/__main__.py

test: install  ## run the tests
	$(PYTEST)

test-quick: install  ## run the tests that take no second each, for the edit loop: what tests/slow.txt names is left out
	$(PYTEST) --quick

CONFORMANCE_EXAMPLES ?= 200

conformance: install  ## every operator on every target, against onnxruntime: CONFORMANCE_EXAMPLES generated cases each
	CONFORMANCE_EXAMPLES=$(CONFORMANCE_EXAMPLES) $(BIN)/pytest -n 2 --dist loadfile tests/conformance

FUZZ_CASES ?= 5000
GUIDED_SECONDS ?= 60

fuzz: install  ## damaged files of every kind that is read, FUZZ_CASES each
	FUZZ_CASES=$(FUZZ_CASES) $(BIN)/pytest -n 2 tests/attacks/test_fuzz.py
	for kind in answers bundle document manifest mlpackage npz onnx pt recipe safetensors tflite-source; do \
	    $(BIN)/python -W ignore -m tests.attacks.guided $$kind $(GUIDED_SECONDS) || exit 1; done

KILLS ?= 200

kill: install  ## build, distill, quantize and bench, killed at random moments KILLS times in all, and run again
	$(BIN)/python -m tests.attacks.kill $(KILLS)

operators: install  ## write docs/operators.md again, after a lowering has changed
	$(BIN)/python -m pocketlens.converters.operators

ON ?= litert-gpu

operators-on: install  ## play cases of every operator on the accelerator ON, and record what it made of them; keeps what it has
	$(BIN)/python -m tests.conformance.on_accelerators $(ON)
	$(BIN)/python -m pocketlens.converters.operators

rewrites: install  ## write docs/rewrites.md again, after the registry has changed
	$(BIN)/python -m pocketlens.converters.rewrites.page

check: install  ## lint, types, import contract, formatting: what a commit must pass
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## format the code and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

changelog: install  ## print what has changed since the last release, from changes/
	@$(BIN)/towncrier build --draft --version Unreleased 2>/dev/null

dist: install  ## write the sdist and the wheel into dist/
	rm -rf dist
	$(BIN)/python -m build --quiet --outdir dist
	@ls -l dist

docs: install  ## build the documentation's site into build/site; a dead link or a page outside the menu fails
	POCKETLENS_DOCS_LIVE=1 NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	@echo "open build/site/index.html, or: $(BIN)/python -m mkdocs serve"

constraints:  ## write the versions that are in .venv into constraints.txt
	{ grep '^#' constraints.txt; $(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' | LC_ALL=C sort -f; } >constraints.new
	mv constraints.new constraints.txt

schema: install  ## write the manifest's JSON Schema again, after its dataclasses have changed
	$(BIN)/python -m pocketlens.bundle.schema

GENERATORS ?= ../shared/data/fast_style/wave.npz ../shared/data/fast_style/la_muse.npz

.peers/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv .peers
	.peers/bin/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' benchmarks/peers.txt)"
	.peers/bin/pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	touch $@

bench-matrix: install  ## every architecture, target and precision: PSNR, size, p50; keeps what it has in build/matrix
	$(BIN)/python -m benchmarks.matrix

bench-peers: install .peers/.installed  ## our files beside litert-torch's, OpenVINO's and torch's own; of GENERATORS
	$(BIN)/python -m benchmarks.peers $(GENERATORS)

ENGINES ?= ../shared/data/fast_style/wave.npz animegan2 pix2pix-unet pocket builtin:cartoon

.peers-%/.installed: benchmarks/peers-%.txt
	$(PYTHON) -m venv .peers-$*
	grep '^torch==' $< | xargs -r .peers-$*/bin/pip install --quiet --disable-pip-version-check
	.peers-$*/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

bench-engines: install .peers-mnn/.installed .peers-ncnn/.installed .peers-executorch/.installed  ## our files beside MNN, ncnn and ExecuTorch, fp32 and int8; of ENGINES; keeps the files in build/engines
	$(BIN)/python -m benchmarks.engines $(ENGINES) --page docs/figures/engines.md

ARCHITECTURES ?= ../shared/data/fast_style/wave.npz animegan2 pix2pix-unet transformer-net cyclegan-resnet pocket

.peers-onnx2tf/.installed: benchmarks/peers-onnx2tf.txt
	$(PYTHON) -m venv .peers-onnx2tf
	.peers-onnx2tf/bin/pip install --quiet --disable-pip-version-check --ignore-requires-python -r benchmarks/peers-onnx2tf.txt
	touch $@

bench-rewrites: install .peers/.installed .peers-onnx2tf/.installed  ## each target with and without its rewrites, beside the peers; of ARCHITECTURES; keeps what it has in build/rewrites
	$(BIN)/python -m benchmarks.rewrites $(ARCHITECTURES)

.flicker/.installed: benchmarks/flicker.txt
	$(PYTHON) -m venv .flicker
	@# cvvdp alone: it asks for torchvision, and that for CUDA.
	grep -v '^cvvdp' benchmarks/flicker.txt | .flicker/bin/pip install --quiet --disable-pip-version-check -r /dev/stdin
	.flicker/bin/pip install --quiet --disable-pip-version-check --no-deps "$$(grep '^cvvdp' benchmarks/flicker.txt)"
	touch $@

bench-flicker: install .flicker/.installed  ## our flicker beside ColorVideoVDP's score, on the int8 files of a filter that ships
	$(BIN)/python -m benchmarks.flicker cartoon --python .flicker/bin/python

FILTERS ?= cartoon starry atelier

.quantizers/.installed: benchmarks/quantizers.txt
	$(PYTHON) -m venv .quantizers
	.quantizers/bin/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' benchmarks/quantizers.txt)"
	.quantizers/bin/pip install --quiet --disable-pip-version-check -r benchmarks/quantizers.txt
	touch $@

bench-quantization: install .quantizers/.installed  ## our int8 beside other tools' quantizers; of GENERATORS; keeps what it has
	$(BIN)/python -m benchmarks.quantization $(GENERATORS)

train: install  ## train the FILTERS that ship again, to the same weights on a machine like the one of their cards (10 to 40 minutes each)
	for filter in $(FILTERS); do $(BIN)/python -m pocketlens.models.shipped.train $$filter || exit 1; done

BUNDLE ?=

bench-shim: install  ## what a session costs over the bare runtimes, and its memory; of BUNDLE
	$(BIN)/python -m benchmarks.shim $(BUNDLE)

bench-sizes: install  ## what pictures of other sizes and camera frames cost, beside Pillow's scaling; of BUNDLE
	$(BIN)/python -m benchmarks.sizes $(BUNDLE)

bench-folders: install  ## the rate of run over a folder, beside what its stages allow; of BUNDLE
	$(BIN)/python -m benchmarks.folders $(BUNDLE)

bench-streams: install  ## a clip in one session and in one for each core, and a frame's age; of BUNDLE
	$(BIN)/python -m benchmarks.streams $(BUNDLE)

lab-arm64: install  ## a small filter on emulated arm64 beside x86, picture for picture; needs root (lab/pi.sh)
	$(BIN)/python -m lab.arm64

LAB := $(or $(POCKETLENS_LAB),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pocketlens/lab)

lab-cluster: install  ## a search on a Dask cluster of network namespaces: a worker is killed, a cable pulled; needs root
	$(BIN)/python -m lab.cluster $(LAB)/cluster-$$(date +%s)

lab-pages: install  ## the shipped filter's report pages in Chromium: axe's rules, overflow, screenshots (lab/pages.sh)
	$(BIN)/python -m lab.report_pages $(LAB)/pages/made
	lab/pages.sh $(LAB)/pages/shots $(LAB)/pages/made/*.html

lab-pi: install  ## an arm64 Debian with sshd under emulation, for --device ssh://lab-pi; needs root (lab/pi.sh)
	lab/pi.sh root
	lab/pi.sh up
	$(BIN)/python -m lab.check_pi $(LAB)/ssh_config

lab-android: install  ## Android's own adbd and LiteRT's own benchmark_model, built from Debian's sources, with the real adb client
	lab/adbd.sh build
	lab/tool.sh build
	$(BIN)/python -m lab.check_android $(LAB)/adbd/adbd $(LAB)/tool/benchmark_model

WEIGHTS ?= build/weights

bench-accelerators: install  ## every accelerator whose engine runs here, on the filters that ship, trained ones and WEIGHTS/ARCHITECTURE.safetensors
	$(BIN)/python -m benchmarks.accelerators --weights $(WEIGHTS)

bench-browser: install  ## what plays in a browser, of the filters that ship and every architecture: dB, and ms beside native; keeps what it has
	$(BIN)/python -m benchmarks.browser_table --weights $(WEIGHTS)

bench-agreement: install  ## our p50 beside benchmark_app, litert-benchmark and a loop by hand, in turns: within 5 %
	$(BIN)/python -m benchmarks.agreement

clean:  ## remove what was built
	rm -rf demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
