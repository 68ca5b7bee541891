# Two commands do all on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

# All that run by themselves: four need a run, a song or a dataset to be given, one keeps what
# another found, one makes the model in the box.
BENCHMARKS := $(filter-out benchmarks/box.py benchmarks/composing.py benchmarks/epochs_side_by_side.py benchmarks/generators.py benchmarks/keep_calibration.py benchmarks/smoothing.py,$(shell grep -l __main__ benchmarks/*.py))

# Two processes beside each other, a thread in each; a file's tests stay together, for what they
# share is made once.
TESTS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=10000 \
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15

.PHONY: demo test test-all lint format bench clean

demo: $(VENV)/.installed  ## the whole way on music videos made here
	$(BIN)/soundreel demo --out demo

test: $(VENV)/.installed-dev  ## the tests that CI runs (minutes)
	$(TESTS) -m "not slow"

test-all: $(VENV)/.installed-all  ## every test, the long ones and those of a cluster too
	$(TESTS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev  ## every benchmark: tables of ratios against a reference in the same run
	for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) demo .hypothesis

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -e ".[dev,bench,fast,onnx]"
	touch $@

$(VENV)/.installed-all: $(VENV)/.installed-dev
	$(PIP) -e ".[dev,bench,fast,onnx,cluster]"
	touch $@
