# MPP platform. `make` alone explains the targets.
# Needs make, bash and Python 3.11 or newer with its venv module; everything else is installed into .venv.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS   += --no-print-directory

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input

# `make run` passes these on; unset ones keep the program's defaults.
PORT   ?=
HOST   ?=
BROKER ?=
RUN_ENVIRONMENT := $(if $(PORT),MPP_HTTP_PORT=$(PORT)) $(if $(HOST),MPP_HTTP_HOST=$(HOST)) $(if $(MPP_DATA_DIR),MPP_DATA_DIR='$(MPP_DATA_DIR)')

# Extra arguments for pytest: make test ARGS="-k numbering -x"
ARGS   ?=
# Test processes side by side; each starts the servers that its tests ask for.
WORKERS ?= 2
TESTS  := $(addprefix tests/,unit contract integration isolation e2e fault)

# The lock files must not depend on the mirrors of the machine that wrote them.
LOCK := PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe \
        --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

.PHONY: help
help: ## Show this list
	@echo "MPP platform - queues of public service malls"
	@echo
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  make run takes PORT (8000), HOST (127.0.0.1), MPP_DATA_DIR (.mpp) and BROKER=rabbitmq"
	@echo "  make test takes ARGS, e.g. make test ARGS=\"-k numbering -x\""
	@echo "  PYTHON chooses the interpreter, e.g. make run PYTHON=python3.12"

.PHONY: run
run: install ## Install, start the whole platform on this machine and show its addresses (Ctrl-C stops it)
	@exec env $(RUN_ENVIRONMENT) $(BIN)/mpp up $(if $(BROKER),--broker $(BROKER))

# Suite after suite, so that the servers of one are gone before the next begins; with ARGS all in one run.
GROUPS := unit,contract integration e2e,isolation fault/chassis fault/platform
comma  := ,

.PHONY: demo
demo: install ## Play a day at the platform that `make run` has started in another terminal, in about four minutes (ARGS="--regency oku-timur")
	@exec $(BIN)/mpp simulate --url http://$(if $(filter-out 0.0.0.0,$(HOST)),$(HOST),127.0.0.1):$(or $(PORT),8000) --speed 120 $(ARGS)

.PHONY: test
test: install-dev ## Run all tests with a private PostgreSQL and RabbitMQ
ifneq ($(ARGS),)
	@exec $(BIN)/python -m pytest -m "not thorough" $(TESTS) $(ARGS)
else
	@failed=; $(foreach group,$(GROUPS),$(call run_suites,$(group));) [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }
endif

# Two processes side by side, each with servers of its own; the whole platform under faults has the machine for itself.
run_suites = echo; echo "tests: $(1)"; $(BIN)/python -m pytest -m "not thorough" $(if $(findstring platform,$(1)),,-n $(WORKERS) --dist loadfile --no-loadscope-reorder) \
             $(addprefix tests/,$(subst $(comma), ,$(1))) || failed="$$failed $(1)"

.PHONY: faults
faults: install-dev ## Disturb the running platform in every way there is: the thorough form of tests/fault (about ten minutes)
	@exec $(BIN)/python -m pytest tests/fault $(ARGS)

.PHONY: fuzz
fuzz: install-dev ## Send random requests to every operation, as every role: the thorough form of the API's conformance test
	@exec $(BIN)/python -m pytest tests/e2e/test_api_conformance.py $(ARGS)

# Half an hour unless SECONDS says otherwise.
SECONDS ?= 1800
.PHONY: fuzz-long
fuzz-long: install-dev ## Send requests made up at random for SECONDS (1800): no answer 5xx, none that the document does not know
	@exec env FUZZ_SECONDS=$(SECONDS) $(BIN)/python -m pytest tests/e2e/test_api_conformance.py -k "random or survived" -s $(ARGS)

.PHONY: restore-drill
restore-drill: install-dev ## Bring a backup of everything back on bare servers and go on there: the thorough form of the test of backups
	@exec $(BIN)/python -m pytest tests/e2e/test_backup.py $(ARGS)

.PHONY: bench-board
bench-board: install-dev ## Measure live boards: 2,000 streams, and how soon a call is seen (ARGS="--streams 200 --seconds 5")
	@exec $(BIN)/python -W ignore -m tests.bench.boards $(ARGS)

.PHONY: bench
bench: install-dev ## Measure throughput, cost and latency of everything as processes, about 25 minutes (ARGS="--only base --seconds 20")
	@exec $(BIN)/python -W ignore -m tests.bench.throughput $(ARGS)

.PHONY: dashboards
dashboards: install-dev ## Write Grafana's dashboards (deploy/monitoring/grafana) from deploy/monitoring/dashboards
	@$(BIN)/python -m deploy.monitoring.dashboards

.PHONY: lint
lint: install-dev ## Check style, types and import rules
	@echo "ruff check";  $(BIN)/ruff check .
	@echo "ruff format"; $(BIN)/ruff format --check .
	@echo "mypy";        $(BIN)/mypy
	@echo "import rules"; $(BIN)/lint-imports

# Not with the other packages: it is needed on the day of an audit, and asks the advisory service of the package index about every
# locked version. --strict: a package that the service does not know is a failure and no clean bill of health.
.PHONY: audit
audit: install-dev ## Ask the package index for known vulnerabilities of all locked packages (needs the internet)
	@[ -x .venv/audit/bin/pip-audit ] || { $(PYTHON) -m venv .venv/audit && .venv/audit/bin/python -m pip --disable-pip-version-check --quiet install 'pip-audit>=2.10,<3'; }
	@for lock in requirements.txt requirements-dev.txt; do echo "pip-audit $$lock"; .venv/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock $(ARGS); done

.PHONY: vendor
vendor: install-dev ## Fetch the renderer of /docs anew, as gateway/pages/vendor/lock.json names it (needs npm)
	@$(BIN)/python -m gateway.pages.vendoring

.PHONY: format
format: install-dev ## Format the code and repair what the linter can repair
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: lock
lock: install-dev ## Resolve requirements*.in again into the hashed lock files (UPGRADE=1 takes newer versions)
	@echo "requirements.txt";     $(LOCK) $(if $(UPGRADE),--upgrade) -o requirements.txt requirements.in
	@echo "requirements-dev.txt"; $(LOCK) $(if $(UPGRADE),--upgrade) -o requirements-dev.txt requirements-dev.in
	@! grep -nE '://|^-|--(index-url|find-links|trusted-host)' requirements.txt requirements-dev.txt || { echo "a lock file names a place to fetch from"; exit 1; }

.PHONY: clean
clean: ## Remove the virtual environment, build products and caches (not the data in .mpp)
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find services gateway deploy tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# --- virtual environment ----------------------------------------------------------------------------------------------
# A stamp in .venv remembers what was installed: lock, package metadata, interpreter and place (scripts hold absolute paths).
# flock: `make run` and `make test` of one checkout may come at the same moment.

.PHONY: install
install: ## Create .venv with the locked run-time packages (done by run)
	@$(call install_locked,requirements.txt,run)

.PHONY: install-dev
install-dev: ## Create .venv with the locked packages of tests and checks too (done by test and lint)
	@$(call install_locked,requirements-dev.txt,dev)

define install_locked
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Python 3.11 or newer is needed, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true). On Debian or Ubuntu: apt-get install python3 python3-venv; or name one: make PYTHON=python3.12 ..." >&2; exit 1; }; \
exec 9>.venv.lock; flock 9; \
wanted="$$({ cat $(1); sed '/^.tool.ruff/,$$d' pyproject.toml; } | sha256sum | cut -d' ' -f1) $(CURDIR) $$($(PYTHON) -c 'import sys; print(sys.version)' | tr '\n' ' ')"; \
if [ "$$(cat $(VENV)/installed-$(2) 2>/dev/null)" = "$$wanted" ] && $(BIN)/python -c '' 2>/dev/null; then exit 0; fi; \
$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
if ! { [ "$$(cat $(VENV)/made-for 2>/dev/null)" = "$${wanted#* }" ] && $(BIN)/python -c '' 2>/dev/null; }; then \
	echo "Creating the virtual environment $(VENV)"; \
	$(PYTHON) -m venv --clear $(VENV); \
	echo "$${wanted#* }" > $(VENV)/made-for; \
fi; \
echo -n "Installing $$(grep -c '==' $(1)) locked packages from $(1) (some minutes the first time) "; \
{ $(PIP) install --require-hashes --progress-bar off -r $(1) && \
  $(PIP) install --quiet --no-build-isolation --no-deps -e .; } 2>$(VENV)/install.log | \
	awk '/^(Collecting|Requirement already)/ {printf "."; fflush()} END {print ""}' || { \
	cat $(VENV)/install.log >&2; echo "The installation failed; the reason stands above." >&2; exit 1; }; \
echo "$$wanted" > $(VENV)/installed-$(2)
endef
