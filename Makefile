# make demo   train on the names and invent 20 more
# make test   the test suite
# make bench  reference against compiled, in one run
#
# Each creates its own virtual environment from PYTHON and installs this checkout into it. PYTEST holds
# options for the tests, such as PYTEST='-k softmax'.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SOURCES = setup.py pyproject.toml $(filter-out %/_core.c %/_native.c, \
	$(shell find src csrc -name '*.py' -o -name '*.py[xi]' -o -name '*.[ch]'))

.PHONY: demo test bench clean

demo: $(VENV)/installed
	$(BIN)/isograd train

test: $(VENV)/installed-test
	$(BIN)/python -m pytest $(PYTEST)

bench: $(VENV)/installed-bench
	$(BIN)/python bench/run.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(SOURCES) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet .
	touch $@

$(VENV)/installed-%: $(SOURCES) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet ".[$*]"
	touch $@

clean:
	rm -rf .venv* build dist src/*.egg-info src/isograd/_core.c src/isograd/_native.c src/isograd/*.so
