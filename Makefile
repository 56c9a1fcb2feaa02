# Two commands do everything on a fresh machine with Python >= 3.11: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LIBTPU := $(VENV)/libtpu
OUT ?= runs/demo
VIDEO ?=

# Tests run side by side, so that none needs threads of its own for small matrices.
WORKERS ?= 2
PYTEST := JAX_PLATFORMS=cpu OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest
ABREAST := $(PYTEST) --numprocesses=$(WORKERS)

.PHONY: venv demo test slow tpu lint clean

venv: $(INSTALLED)

$(INSTALLED): requirements.lock setup.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: venv
	PATH="$(CURDIR)/$(BIN):$$PATH" bash launch/demo.sh "$(OUT)" "$(VIDEO)"

# Optimizing the many programs takes longer than running them; the slower tests do optimize.
test: venv lint
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 $(ABREAST) --dist=worksteal -m "not slow and not tpu"

# Whole files, for what the tests of one share takes long to make.
slow: venv
	$(ABREAST) --dist=loadfile -m "slow and not tpu"

# Apart from the rest, for where libtpu is installed JAX looks for a TPU.
$(LIBTPU): $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $@ \
		$$(sed -n 's/.*"plan": \["\(libtpu==[0-9.]*\)"\].*/\1/p' setup.py)

tpu: venv $(LIBTPU)
	PYTHONPATH=$(CURDIR)/$(LIBTPU) $(PYTEST) -m tpu

lint: venv
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .

clean:
	rm -rf $(VENV) runs build *.egg-info
