# Everything sets itself up on a machine that has only Python 3.11 or newer, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --require-hashes
HERE := $(PIP) install --quiet --no-deps --no-build-isolation --editable .

.PHONY: help demo test test-all test-oldest test-install audit check format coverage conformance bench fuzz dist docs man changelog requirements clean

help:
	@echo "make demo          the main job on real parts: intercepted, then pinned"
	@echo "make test          the test suite on this Python"
	@echo "make test-all      the tests that depend on the Python, on every other one that is found"
	@echo "make test-oldest   the rooms' tests with the oldest dependencies that are allowed"
	@echo "make test-install  every extra into an empty environment, on every supported Python that is found"
	@echo "make audit         what is known against the versions that a release is made with"
	@echo "make check         formatting, linting, types, architecture, docstrings"
	@echo "make coverage      the test suite with branch coverage"
	@echo "make conformance   every scenario with every client, recorded in the docs"
	@echo "make bench         ratios against plain ssl and what grows with what, in one run; docs/benchmarks.md"
	@echo "make fuzz          every fuzz target, a minute each"
	@echo "make dist          the wheel and the source archive, their bill of materials and its licences"
	@echo "make docs          the documentation as a site, into build/docs"
	@echo "make man           the man pages, into build/man"
	@echo "make changelog     what the next release's section of CHANGELOG.md would be"
	@echo "make requirements  compile the hash-checked requirement files anew"

$(VENV)/.made: requirements/pip.txt requirements/build.txt
	@echo "== making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say PYTHON=... to make")'
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --requirement requirements/pip.txt
	@$(INSTALL) --requirement requirements/build.txt
	@touch $@

$(VENV)/.demo: $(VENV)/.made requirements/demo.txt pyproject.toml
	@echo "== installing what the demo needs"
	@$(INSTALL) --requirement requirements/demo.txt
	@$(HERE)
	@touch $@

$(VENV)/.test: $(VENV)/.made requirements/test.txt requirements/tpm.txt pyproject.toml
	@echo "== installing what the tests need"
	@$(INSTALL) --requirement requirements/test.txt
	@if pkg-config --exists tss2-esys 2>/dev/null; then $(INSTALL) --requirement requirements/tpm.txt; \
	  else echo "== no headers of tpm2-tss: the tests of a TPM are left out"; fi
	@$(HERE)
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	@$(BIN)/pinscher demo

# A test that hangs ends its worker; older pytests do not know the setting, so that it is not in pyproject.toml.
TESTED := -n 2 -q -o faulthandler_exit_on_timeout=true

# MEASURED=yes measures branch coverage on the way; on 3.12 or newer, see .ci/run.
test: $(VENV)/.test
ifdef MEASURED
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(TESTED)
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report
else
	$(BIN)/python -m pytest $(TESTED)
endif

test-all: $(VENV)/.test
	$(BIN)/python tools/every_python.py

# Left out: what asks the OpenSSL that cryptography brings, which builds other paths before cryptography 50.0.2; what
# holds the dated list of Mozilla's roots against the newest certifi; and what schemathesis 4 tests, which the oldest
# starlette does not go with.
test-oldest: $(VENV)/.made
	$(PYTHON) -m venv --clear .venvs/oldest
	.venvs/oldest/bin/python -m pip install --quiet --require-hashes --requirement requirements/oldest.txt
	.venvs/oldest/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	PYTEST_ADDOPTS='-p no:schemathesis' .venvs/oldest/bin/python -m pytest -n 2 -q tests/unit \
	  --deselect tests/unit/rotation/survival/test_agreement.py::test_openssl_builds_one_of_the_paths_that_are_foretold \
	  --deselect tests/unit/diagnosis/test_roots.py::test_every_root_of_certifi_is_recognised \
	  --ignore tests/unit/monitor/test_openapi.py

# PYTHONS and EXTRAS narrow it: make test-install PYTHONS=3.12 EXTRAS="cli lab".
test-install: $(VENV)/.test
	$(BIN)/python tools/every_extra.py

# An environment of its own: what audits is none of what is audited.
.venvs/audit/.made: requirements/audit.txt $(VENV)/.made
	$(PYTHON) -m venv --clear .venvs/audit
	.venvs/audit/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --requirement requirements/audit.txt
	@touch $@

audit: .venvs/audit/.made
	.venvs/audit/bin/python tools/audit.py

coverage:
	@$(MAKE) test MEASURED=yes

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/interrogate -q src tests

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

conformance: $(VENV)/.test
	$(BIN)/python tools/conformance.py

# A program that probes are compared with: it has an environment of its own, and nothing imports it.
.venvs/sslyze:
	$(PYTHON) -m venv .venvs/sslyze
	.venvs/sslyze/bin/python -m pip --disable-pip-version-check install --quiet sslyze

bench: $(VENV)/.test .venvs/sslyze
	$(BIN)/python benchmarks/run.py

# EACH is the seconds that a target gets: make fuzz EACH=3600.
EACH ?= 60
fuzz: $(VENV)/.test
	@for target in fuzz/fuzz_*.py; do echo "== $$target"; $(BIN)/python $$target $(EACH) || exit 1; done

dist: $(VENV)/.test
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*
	@mkdir -p build
	$(BIN)/python tools/licences.py > build/licences.md
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-format JSON \
	  --output-file build/pinscher.cdx.json requirements/all.txt

# An environment of its own: what builds the pages imports nothing of ours.
.venvs/docs/.made: requirements/docs.txt $(VENV)/.made
	$(PYTHON) -m venv --clear .venvs/docs
	.venvs/docs/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --requirement requirements/docs.txt
	@touch $@

docs: .venvs/docs/.made
	rm -rf build/docs build/doctrees
	.venvs/docs/bin/python -m sphinx --fail-on-warning --keep-going --quiet --doctree-dir build/doctrees docs build/docs
	@! grep -rlE --include='*.html' '<(script|img|link|iframe|source)[^>]*(src|href)="(https?:)?//' build/docs || (echo "these pages load something from elsewhere"; exit 1)
	@echo "build/docs/index.html"

man: $(VENV)/.test
	$(BIN)/python tools/man_pages.py

changelog: $(VENV)/.test
	@$(BIN)/towncrier build --draft --version next

requirements:
	@for name in pip build demo test niquests certbot docs audit oldest tpm; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --no-annotate requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --no-annotate pyproject.toml --all-extras --output-file requirements/all.txt

clean:
	rm -rf $(VENV) .venvs build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
