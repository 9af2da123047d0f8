# What a person does with a clone. It needs make and Python 3.11, 3.12 or 3.13 with its venv module; no root.
#
#   make demo    both pretend CRMs, generated leads, two syncs, and the proof that both sides agree
#   make test    every test
#   make check   format, lint, types, documents, walls, and the wheel installed on its own
#   make bench   the benchmarks
#   make lock    the lock files anew

VENV    := .venv
BIN     := $(VENV)/bin
PYTHONS := python3 python3.13 python3.12 python3.11
SUPPORTED := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# Nothing is compiled while installing: one vendor library has thousands of modules and we import a few.
PIP     := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
# The same packages with the same hashes are in place in a tenth of the time with uv. It knows nothing of an index that
# pip was told of: there, and wherever it fails, pip does it.
GET_UV  := $(PIP) install --no-compile --only-binary :all: --require-hashes --requirement requirements-uv.lock || \
  echo "uv cannot be had here: pip installs, which only takes longer"
BY_UV   := test -x $(BIN)/uv && ! $(BIN)/python -m pip config list | grep -E '[.](no-)?index(-url)?=' >/dev/null && \
  UV_HTTP_TIMEOUT=20 UV_HTTP_RETRIES=1 $(BIN)/uv --quiet pip install
install = { $(BY_UV) --python $(1) $(2) || $(PIP) --python $(1) install --no-compile $(2); }
LOCKED  := --require-hashes --requirement
SELF    := --no-deps --no-build-isolation --editable .

# Where Python may not keep what it compiled, every command compiles a thousand modules again: seconds each time.
export PYTHONDONTWRITEBYTECODE :=

DEMO    := leadpact-demo
# More than the cores of a small machine: tests wait for servers and processes about as long as they reckon. With three,
# two cores stand idle for a fifth of the time; each further one takes some 700 MB and collects all tests once more.
WORKERS := 5
# What `make check` looks at side by side, each telling at its end what it found; make before 4.0 takes them in turn.
CHECKS  := format lint types clean-install documents
BESIDE  := $(if $(filter output-sync,$(.FEATURES)),--jobs=2 --output-sync=target)
DOCUMENTS := tests/test_architecture.py tests/unit/test_docs.py tests/unit/test_wheel.py tests/unit/test_dependencies.py

.PHONY: demo test check bench lock format lint types documents clean-install
.DELETE_ON_ERROR:

demo: $(VENV)/.runtime
	@$(BIN)/leadpact demo --dir $(DEMO)
	@echo "(leadpact is $(BIN)/leadpact here)"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev
	@$(MAKE) --no-print-directory $(BESIDE) $(CHECKS)

format: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

documents: $(VENV)/.dev
	$(BIN)/python -m pytest -q $(DOCUMENTS)

# The wheel has to work away from the checkout, with what the lock names and nothing that a person added.
clean-install: $(VENV)/.dev
	@place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && set -e && \
	echo "build the wheel, install it alone, run it" && \
	$(BIN)/python -m build --wheel --no-isolation --outdir "$$place/wheel" . >"$$place/build.log" 2>&1 \
	  || { cat "$$place/build.log"; exit 1; }; \
	$(BIN)/python -m venv --without-pip "$$place/venv"; \
	$(call install,"$$place/venv",$(LOCKED) requirements.lock); \
	$(call install,"$$place/venv",--no-deps --no-index "$$place"/wheel/*.whl); \
	cd "$$place" && venv/bin/leadpact --version && venv/bin/leadpact --help >/dev/null

bench: $(VENV)/.dev
	$(BIN)/python -m bench.core
	$(BIN)/python -m bench.sync
	$(BIN)/python -m bench.extract
	$(BIN)/python -m bench.policy

# Universal: one file for every system and every Python that is supported. No address of an index is written.
lock: $(VENV)/.dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --extra build --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --all-extras --output-file requirements-dev.lock pyproject.toml
	echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --output-file requirements-uv.lock -

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c '$(SUPPORTED)' 2>/dev/null; then $$python -m venv $(VENV) && { $(GET_UV); }; exit; fi; \
	done; \
	echo "Python 3.11, 3.12 or 3.13 with its venv module is needed; tried: $(PYTHONS)" >&2; exit 2

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing what requirements.lock names"
	@$(call install,$(BIN)/python,$(LOCKED) requirements.lock)
	@$(call install,$(BIN)/python,$(SELF))
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing what requirements-dev.lock names"
	@$(call install,$(BIN)/python,$(LOCKED) requirements-dev.lock)
	@$(call install,$(BIN)/python,$(SELF))
	@touch $@ $(VENV)/.runtime
