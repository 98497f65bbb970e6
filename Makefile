# make demo      train on the names and invent 20 more
# make test      the quick part of the test suite, on all processors: two minutes with the build
# make test-all  the whole suite
# make fuzz      random cases, compared in bits: MINUTES=5 of them, from seed FIRST=0 on
# make faults    no memory, damaged and hostile files, processes killed, threads: each case there is;
#                make faults-memory one kind, of memory, checkpoint, input, interruption, threads
# make study     how fast, and why, on this machine: a page with pictures in build/study; QUICK=1 takes two
#                minutes, PEERS=1 installs NumPy, Numba, JAX and PyTorch to compare with
# make lint      style, types, C warnings, which part may know which, and the site's links; changes nothing
# make docs      the site, from docs and other pages: build/site/index.html
# make wheels    the sdist and from it each wheel that this machine can build, checked and tried: build/wheels
# make format    apply the style
# make sanitize  the tests that need it, under AddressSanitizer and UndefinedBehaviorSanitizer
# make coverage  which lines of Python, Cython and C the tests run: a report in build/coverage
#
# They share a virtual environment, made from PYTHON, and install this checkout into it; lint and format
# read the checkout itself. PYTEST holds options for the tests, such as PYTEST='-k softmax'.

PYTHON ?= python3
# Not .venv: an editable install in there would be replaced by a copy.
VENV ?= .venv-make
BIN = $(VENV)/bin
SOURCES = setup.py pyproject.toml $(filter-out %/_core.c %/_native.c, \
	$(shell find src csrc -name '*.py' -o -name '*.py[xi]' -o -name '*.px[di]' -o -name '*.[ch]'))

comma := ,

# One linter's complaint keeps no other from running.
LINTERS = ruff-check ruff-format mypy pyright stubtest lint-imports cython-lint clang-format check-c \
	zizmor

.PHONY: demo test test-all fuzz faults study wheels lint format sanitize coverage docs clean $(LINTERS)

demo: $(VENV)/installed
	$(BIN)/isograd train
	@echo "see it: $(BIN)/isograd explain -o run.html"

# Leaves out the tests marked slow, and what needs packages of the extra test-all; says so.
test: $(VENV)/installed-test
	$(BIN)/python -m pytest --quick -n auto $(PYTEST)

# EXTRA=test makes do with fewer packages.
EXTRA ?= test-all

# What drives the browsers in tests/explain. Without network these tests are skipped.
DRIVER = tests/explain/node_modules/.package-lock.json

test-all: $(VENV)/installed-$(EXTRA) $(and $(shell command -v npm;),$(shell command -v chromium firefox-esr;),$(DRIVER))
	$(BIN)/python -m pytest $(PYTEST)

$(DRIVER): tests/explain/package-lock.json
	-npm ci --prefix tests/explain --silent --no-audit --no-fund

# FUZZ holds kinds and options, such as FUZZ='programs --jobs 8'.
MINUTES ?= 5
FIRST ?= 0

fuzz: $(VENV)/installed-test
	$(BIN)/python tests/fuzz.py --minutes $(MINUTES) --first $(FIRST) $(FUZZ)

FAULTS = memory checkpoint input interruption threads

faults: $(FAULTS:%=faults-%)

faults-%: $(VENV)/installed-$(EXTRA)
	ISOGRAD_FAULTS=whole $(BIN)/python -m pytest -q tests/faults/test_faults_$*.py $(PYTEST)

# STUDY holds sections and options, such as STUDY='ladder limit'.
study: $(VENV)/installed-bench$(if $(PEERS),$(comma)peers)
	$(BIN)/python bench/study.py $(if $(QUICK),--quick) $(STUDY)

# PYTHONS holds interpreters, such as PYTHONS='python3.14 pypy3'; without it, each CPython that is found.
wheels: $(VENV)/packages-wheels
	$(BIN)/python tools/check_wheels.py build/wheels $(PYTHONS)

lint:
	@$(MAKE) --no-print-directory --keep-going $(LINTERS) docs

$(LINTERS): $(VENV)/packages-lint

ruff-check:
	$(BIN)/ruff check .

ruff-format:
	$(BIN)/ruff format --check .

# The first example of docs/ways.md says that type checkers like it.
TYPED = tests/typed_program.py build/ways.py

build/ways.py: docs/ways.md
	@mkdir -p build
	@sed -n '/^```python$$/,/^```$$/{/^```$$/q;/^```/d;p}' $< > $@

mypy: build/ways.py
	$(BIN)/mypy
	for program in $(TYPED); do $(BIN)/mypy $$program || exit; done

pyright: build/ways.py
	$(BIN)/pyright $(TYPED)

# Of what is built already: `make test lint` and `make demo lint` are sure to have something to test.
stubtest:
	$(BIN)/python tools/check_stubs.py

lint-imports:
	PYTHONPATH=src $(BIN)/lint-imports --no-logo

cython-lint:
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/cython-lint src

clang-format:
	@find csrc tests/c tests/faults -name "*.[ch]" | xargs $(BIN)/clang-format --dry-run --Werror

check-c:
	$(BIN)/python tools/check_c.py

# The workflow is YAML, means something to GitHub, and can be abused by nobody.
zizmor:
	$(BIN)/zizmor --offline --no-progress --quiet .github/workflows

# A warning, such as that of a link into nowhere, is an error; with --quiet there would be none.
docs: $(VENV)/packages-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: $(VENV)/packages-lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find csrc tests/c tests/faults -name "*.[ch]" | xargs $(BIN)/clang-format -i

# Instrumented builds have folders of their own, and are found before an installed package.
SANITIZED = tests/test_value.py tests/test_vector.py tests/test_random_programs.py \
	tests/test_micrograd.py tests/test_random_micrograd.py tests/test_abuse.py \
	tests/test_adam.py tests/test_no_grad.py tests/test_limits.py \
	tests/test_run.py tests/test_native.py tests/test_options.py tests/test_questions.py

# A report goes to file descriptor 2 before the abort, where pytest must not hold it back.
sanitize: $(VENV)/packages-test
	ISOGRAD_SANITIZE=1 ISOGRAD_DEBUG=1 \
		$(BIN)/python setup.py --quiet build --build-base build/sanitize --build-lib build/sanitize/lib
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)" PYTHONMALLOC=malloc \
		ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		PYTHONPATH=$(CURDIR)/build/sanitize/lib \
		$(BIN)/python -m pytest --capture=sys -m "not undisturbed" $(SANITIZED) $(PYTEST)

# Runs no line of ours that the others do not, or in programs of its own.
ELSEWHERE = --ignore tests/test_c_programs.py --ignore tests/test_documents.py \
	--ignore tests/test_study.py \
	--deselect tests/test_golden.py::test_reference_reproduces_the_record \
	--deselect 'tests/test_golden.py::test_the_record_is_reproduced[names-default-value]'

coverage: $(VENV)/packages-coverage
	rm -rf build/coverage
	ISOGRAD_COVERAGE=1 ISOGRAD_DEBUG=1 \
		$(BIN)/python setup.py --quiet build --build-base build/coverage --build-lib build/coverage/lib
	GCOV_FOLDER=$(CURDIR)/build/coverage/numerics COVERAGE_FILE=$(CURDIR)/build/coverage/data \
		PYTHONPATH=$(CURDIR)/build/coverage/lib \
		$(BIN)/python -m coverage run -m pytest -m "not undisturbed and not javascript" $(ELSEWHERE) $(PYTEST)
	$(BIN)/python tools/report_coverage.py build/coverage

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(SOURCES) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet .
	touch $@

# Compiles once, whatever else is wanted later.
.PRECIOUS: $(VENV)/packages-%
$(VENV)/installed-%: $(VENV)/installed $(VENV)/packages-%
	touch $@

# Without isograd, where it is not needed or built in another way.
$(VENV)/packages-%: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $$($(BIN)/python tools/packages_of.py $*)
	touch $@

clean:
	rm -rf .venv-make build dist src/*.egg-info src/isograd/_core.c src/isograd/_native.c src/isograd/*.so
