# Everything a person does with this checkout. `make help` lists it.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help venv demo test check format sanitize instructions bench results clean

help:      ## this list
	@grep -E '^[a-z]+: .*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

# The stamp is newer than what it was made from exactly when the environment is up to date.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

venv: $(VENV)/.ready  ## make .venv with timeloom and all that its tests need

demo: $(VENV)/.ready  ## train a slot filler on the shipped sample and show what it learned
	$(BIN)/timeloom demo

check: $(VENV)/.ready  ## ruff, pyright and the rules about who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

test: check  ## the checks and all tests, in two processes
	$(BIN)/python -m pytest -n 2

# The sanitizers' libraries must come before everything else in the process.
SANITIZED := -fsanitize=address,undefined -fno-sanitize-recover=undefined -DSCAN_POISON -O1 -g
sanitize: $(VENV)/.ready  ## every way to call a kernel, under AddressSanitizer and UBSan
	LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 TIMELOOM_CXXFLAGS="$(SANITIZED)" \
	$(BIN)/python -m pytest -m sanitize tests/scan

# $TIMELOOM_MARCH has kernels built for less than this processor can do; `make instructions WHICH=sanitize` is the fast part.
WHICH ?= sanitize or instructions
instructions: $(VENV)/.ready  ## the kernels' tests once more for AVX2 and for SSE2
	TIMELOOM_MARCH=x86-64-v3 $(BIN)/python -m pytest -n 2 -m "$(WHICH)" tests/scan
	TIMELOOM_MARCH=x86-64 $(BIN)/python -m pytest -n 2 -m "$(WHICH)" tests/scan

format: $(VENV)/.ready  ## bring the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready  ## time the fused loop against torch.nn, the chain, and long sequences
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python bench/scan.py --write
	$(BIN)/python bench/chain.py --write
	$(BIN)/python bench/long.py --write

results: $(VENV)/.ready  ## measure again what RESULTS.md says (long)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python bench/results.py

results-%: $(VENV)/.ready  # one table of it
	$(BIN)/python bench/results.py $*

results-small: $(VENV)/.ready  # that needs scikit-learn beside
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python bench/results.py small

clean:     ## remove what the targets above made, but no model
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
