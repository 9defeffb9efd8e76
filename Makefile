# make demo   makes .venv, installs, and runs the four steps of the README
# make test   everything that .ci/run checks
# make coverage  the same tests, half as long again, and the share of the lines that they reach
# make lint, make format, make proto
# make screenshots  takes the pictures of the page anew (docs/images)
# make bench  measures; make bench BENCH=--quick takes about a minute
# make bench-peers  measures inference beside the engines of benchmarks/peers.txt

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := build/peers
NATIVE := $(wildcard protonet/kernels/native/*.cpp protonet/kernels/native/*.h) \
  protonet/kernels/native/CMakeLists.txt
GRADIENTS := examples/prototxt/gradients/net.prototxt

# What pyproject.toml asks for: to build, or to run with some extras.
define REQUIREMENTS
import sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))
named = project["project"]["dependencies"]
extras = project["project"]["optional-dependencies"]
if sys.argv[1:] == ["build"]:
    named, extras = project["build-system"]["requires"], {"build": ["cmake>=3.20", "ninja>=1.11"]}
print(*named, *(each for name in sys.argv[1:] for each in extras[name]), sep="\n")
endef
export REQUIREMENTS

.PHONY: demo test tests coverage lint format bench bench-peers proto screenshots clean

$(VENV)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "protonet needs Python 3.11 or newer: make PYTHON=python3.x $(MAKECMDGOALS)"; exit 1; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV) || \
	  { echo "no venv: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

# Compiles the kernels as well, which takes a minute or two.
$(VENV)/stamp: pyproject.toml $(NATIVE) $(VENV)/pip
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# Packages are fetched while the kernels compile, which takes no other package than these.
$(VENV)/builds: pyproject.toml $(VENV)/pip
	$(BIN)/python -c "$$REQUIREMENTS" build | $(BIN)/python -m pip install --quiet -r /dev/stdin
	@touch $@

$(VENV)/packages: $(VENV)/builds
	$(BIN)/python -c "$$REQUIREMENTS" dev hdf5 | $(BIN)/python -m pip install --quiet -r /dev/stdin
	@touch $@

build/wheel/stamp: pyproject.toml $(NATIVE) $(VENV)/builds
	rm -rf $(@D)
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir $(@D) .
	@touch $@

# The kernels of the wheel lie beside their sources, where an editable installation has its own.
$(VENV)/stamp-dev: $(VENV)/packages build/wheel/stamp
	$(BIN)/python -m zipfile --extract build/wheel/*.whl build/wheel/content
	find build/wheel/content -name '*.so' -exec cp {} protonet/kernels/native \;
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation \
	  --config-settings=wheel.cmake=false --editable .
	@touch $(VENV)/stamp $@

demo: $(VENV)/stamp
	rm -rf demo
	$(BIN)/protonet create-db gradients demo/data -x 50 -y 50 -c 100 --val-count 20 --seed 1
	$(BIN)/protonet check $(GRADIENTS) --data demo/data/train_images --labels demo/data/train_labels
	$(BIN)/protonet train $(GRADIENTS) --data demo/data/train_images --labels demo/data/train_labels \
	  --val-data demo/data/val_images --val-labels demo/data/val_labels \
	  --mean demo/data/train_mean.binaryproto --batch-size 10 --epochs 15 --out demo/run
	$(BIN)/protonet infer demo/run demo/data/test.png

test: lint tests

# Programs that tests start read what the first of them compiled, where Python is told to keep none.
tests coverage: export PYTHONDONTWRITEBYTECODE =

# A third worker computes while tests of the page wait for the browser; with four, tests that wait
# for an answer in time fail. Asserts that explain themselves take each worker 15 s to prepare: only
# tests that failed get them, in a second run.
tests: $(VENV)/stamp-dev
	$(BIN)/python -m pytest -n 3 --dist worksteal --tb=short --assert=plain || \
	  { test $$? -eq 1 && $(BIN)/python -m pytest --last-failed --tb=short; false; }

coverage: $(VENV)/stamp-dev
	$(BIN)/python -m pytest -n 3 --dist worksteal --tb=short --cov --cov-report=term:skip-covered

lint: $(VENV)/packages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/packages
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/stamp
	$(BIN)/python benchmarks/networks.py $(BENCH)

# The engines have an environment of their own. One that does not install is named in the tables.
$(PEERS)/stamp: pyproject.toml benchmarks/peers.txt $(NATIVE)
	@test -d $(PEERS) || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --editable '.[onnx]'
	grep -v '^#' benchmarks/peers.txt | while read -r peer; do \
	  $(PEERS)/bin/python -m pip install --quiet --only-binary :all: "$$peer" || \
	  echo "$$peer does not install here"; done
	@touch $@

bench-peers: $(PEERS)/stamp
	$(PEERS)/bin/python benchmarks/engines.py $(BENCH)

proto: $(VENV)/stamp-dev
	$(BIN)/python proto/compile.py protonet/proto

screenshots: $(VENV)/stamp-dev
	PROTONET_SCREENSHOTS=1 $(BIN)/python -m pytest tests/web/test_walk.py tests/web/walks

clean:
	rm -rf $(VENV) demo build dist
