# demo, test, bench; `make setup` is what each does first.
PYTHON ?= python3
BIN := .venv/bin
# The peers of the benchmarks have a virtualenv of their own (benchmarks/peer/environment.py).
PINS := $(sort $(filter-out requirements/peers.txt,$(wildcard requirements/*.txt)))
STAMP = .venv/.installed-$(shell cat $(PINS) | cksum | cut -d' ' -f1)

.PHONY: setup demo demo-reset test bench clean

setup: $(STAMP)

# uv installs the hashed pins in seconds; where it cannot (an index that only pip knows), pip does.
$(STAMP):
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	rm -f .venv/.installed-*
	touch $@

demo: setup
	$(BIN)/python manage.py demo

demo-reset: setup
	$(BIN)/python manage.py demo --reset

test: setup
	$(BIN)/python tests/run.py

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv .venv-peers var test-artefacts
