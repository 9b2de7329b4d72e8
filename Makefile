# Every task of the project; `make` alone lists them. Each sets up what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

ALGORITHM ?= auto
PORT ?= 8080
AWS_PORT ?= 8081
STATE ?= .modelmill
STACK ?= modelmill

UV := $(shell command -v uv || echo .tools/uv)
RUN := $(UV) run --frozen --no-sync
export SAM_CLI_TELEMETRY := 0

.PHONY: help demo up test pr format lint types imports template build deploy destroy bench proof lock setup dev

help: ## list the tasks
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup ## the main job from start to end on this machine: upload, train, serve (ALGORITHM=mlp for Keras)
	@$(RUN) python examples/demo.py --algorithm $(ALGORITHM)

up: setup ## run the whole platform on this machine until Ctrl-C (PORT=8080 AWS_PORT=8081 STATE=.modelmill)
	@exec $(RUN) modelmill up --port $(PORT) --aws-port $(AWS_PORT) --state $(STATE)

test: dev ## all tests, on as many cores as there are
	$(RUN) pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

pr: lint types imports template test ## everything that CI runs

format: dev ## format the code
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

lint: dev
	$(RUN) ruff format --check .
	$(RUN) ruff check .

types: dev
	$(RUN) mypy

imports: dev
	$(RUN) lint-imports

template: dev
	$(RUN) sam validate --lint
	$(RUN) python -m infra.translated | $(RUN) cfn-lint
	$(RUN) python -m infra.layers --check

build: dev ## build functions and layers for AWS
	$(RUN) sam build

deploy: dev ## put the stack into the AWS account of your credentials (STACK=modelmill)
	$(RUN) python -m infra.deploy.deploy --stack $(STACK)

destroy: dev ## remove the stack with all its data; asks first (STACK=modelmill, YES=1 does not ask)
	$(RUN) python -m infra.deploy.destroy --stack $(STACK) $(if $(YES),--yes)

bench: dev ## the benchmarks behind docs/performance.md
	$(RUN) python -m benchmarks.in_process
	$(RUN) python -m benchmarks.over_http
	$(RUN) python -m benchmarks.cold_start
	$(RUN) python -m benchmarks.footprint
	$(RUN) python -m benchmarks.main_job
	$(RUN) python -m benchmarks.ingest
	$(RUN) python -m benchmarks.smaller_forms

proof: dev ## jobs on real data against plain scikit-learn and Keras scripts; about three quarters of an hour
	$(RUN) python -m benchmarks.proofs
	$(RUN) python -m benchmarks.proofs.base_models

lock: $(UV) ## update uv.lock and what is exported from it
	$(UV) lock --upgrade
	$(UV) run python -m infra.layers

setup: $(UV)
	@$(UV) sync --frozen --quiet --inexact --extra local

dev: $(UV)
	@$(UV) sync --frozen --quiet --inexact --extra local --group dev --group sam

# uv where it is missing: in an environment of its own, or beside it where Python comes without venv.
.tools/uv:
	@mkdir -p .tools
	@python3 -m venv .tools/venv >/dev/null 2>&1 && .tools/venv/bin/pip install --quiet uv==0.13.9 && ln -sf venv/bin/uv .tools/uv \
	|| { python3 -m pip install --quiet --target .tools/packages uv==0.13.9 && ln -sf packages/bin/uv .tools/uv; } \
	|| { echo "uv is needed and could not be installed; see https://docs.astral.sh/uv/getting-started/installation/" >&2; exit 1; }
