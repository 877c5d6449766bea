# What a person runs. Every target brings its own environment: `make sweep` works on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Choices of train and sweep; ARGS takes any further overrides, say ARGS="optimizer=sgd seed=1".
MODEL ?= enhanced
ARGS ?=
# Choices of sweep. DATA=mnist searches the full set: give it hours, not minutes.
SEARCH ?= schedule
TRIALS ?= 20
EPOCHS ?= 5
DATA ?= mnist_5k
STUDY ?=
# The database of the studies, for sweep and dashboard.
STORAGE ?= sqlite:///multirun/optuna.db
UV ?= uv

.DEFAULT_GOAL := help
.PHONY: help setup train sweep test upstream check tensorboard dashboard mlflow confirm report lock clean
.PHONY: bench bench-training bench-sweep bench-overhead bench-scaling bench-gpu

help: ## list the targets
	@echo "make sweep [TRIALS=30] [DATA=mnist] [EPOCHS=20] [STUDY=name] [ARGS=\"optimizer=sgd\"]"
	@echo "make train [MODEL=baseline] [ARGS=\"epochs=5 seed=1\"]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(BIN)/.ready ## create .venv from requirements.lock; does nothing when that is current

$(BIN)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation \
		--editable .
	@touch $@

# A single run has defaults of its own for what sweep sets below.
given = $(if $(filter command environment,$(firstword $(origin $(1)))),$(2)=$($(1)))

train: setup ## train one network; data=auto takes the full MNIST where it can
	$(BIN)/python -m mnist_sweep.train model=$(MODEL) $(call given,DATA,data) \
		$(call given,EPOCHS,epochs) $(ARGS)

sweep: setup ## search under the parameter budget; the same command goes on with the study
	$(BIN)/python -m mnist_sweep.train -m search=$(SEARCH) model=$(MODEL) data=$(DATA) \
		epochs=$(EPOCHS) hydra.sweeper.n_trials=$(TRIALS) \
		hydra.sweeper.storage=$(STORAGE) \
		$(if $(STUDY),'hydra.sweeper.study_name=$(STUDY)') $(ARGS)

test: setup ## run all tests (MNIST_SWEEP_DATA names a folder with the full MNIST)
	$(BIN)/python -m pytest

upstream: setup ## run the suites of Hydra and its Optuna sweeper on ours (needs a package index)
	$(BIN)/python -m pytest -m upstream -rP tests/upstream

check: setup ## lint, format and types, as CI does
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# What a sweep calls its study unless it is told otherwise.
study = $(if $(STUDY),'$(STUDY)',$(SEARCH)-$(MODEL)-$(DATA))

tensorboard: setup ## look at the runs of outputs/ and multirun/ on http://127.0.0.1:6006
	$(BIN)/tensorboard --host 127.0.0.1 --logdir_spec outputs:outputs,multirun:multirun

dashboard: setup ## look at the studies on http://127.0.0.1:8080
	$(BIN)/python -m mnist_sweep.dashboard storage=$(STORAGE)

mlflow: setup ## look at the runs of tracking=mlflow on http://127.0.0.1:5000
	MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow ui --host 127.0.0.1 --port 5000 --workers 1 \
		--backend-store-uri $(or $(MLFLOW_TRACKING_URI),sqlite:///mlflow.db)

confirm: setup ## train a study's best again with fresh seeds: is the first really better?
	$(BIN)/python -m mnist_sweep.confirm storage=$(STORAGE) study=$(study) \
		$(call given,EPOCHS,epochs) $(if $(STUDY),$(call given,DATA,data)) $(ARGS)

report: setup ## write what a study found into multirun/STUDY/report/ (index.html)
	$(BIN)/python -m mnist_sweep.report storage=$(STORAGE) study=$(study)

BENCHMARKS := bench-training bench-sweep bench-overhead bench-scaling
bench: $(BENCHMARKS) ## compare speed with what people use: bench-sweep takes hours, the others minutes
# Lightning and Ray take part where they are installed: .venv/bin/pip install -e '.[bench]'
$(BENCHMARKS) bench-gpu: bench-%: setup
	$(BIN)/python -m benchmarks.$* $(REPETITIONS)

lock: ## resolve pyproject.toml anew into requirements.lock (needs uv)
	printf 'torch==2.14.1\ntorchvision==0.29.2\n' | $(UV) pip compile pyproject.toml --extra dev \
		--constraints - --universal --python-version 3.10 --generate-hashes --no-header \
		--no-annotate --prerelease if-necessary-or-explicit --output-file requirements.lock

clean: ## remove the environment and caches; runs stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
