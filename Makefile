# Two commands do everything on a fresh machine with Python >= 3.11: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LIBTPU := $(VENV)/libtpu
OUT ?= runs/demo
VIDEO ?=

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

test: venv lint
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -m "not slow and not tpu"

slow: venv
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -m "slow and not tpu"

# Apart from the rest, for where libtpu is installed JAX looks for a TPU.
$(LIBTPU): $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $@ \
		$$(sed -n 's/.*"plan": \["\(libtpu==[0-9.]*\)"\].*/\1/p' setup.py)

tpu: venv $(LIBTPU)
	PYTHONPATH=$(CURDIR)/$(LIBTPU) JAX_PLATFORMS=cpu $(BIN)/python -m pytest -m tpu

lint: venv
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .

clean:
	rm -rf $(VENV) runs build *.egg-info
