# What a person runs. Every target brings its own environment: `make sweep` works on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Choices of train and sweep; ARGS takes any further overrides, say ARGS="optimizer=sgd seed=1".
ARGS ?=
# Choices of sweep. DATA=mnist searches the full set: give it hours, not minutes.
SEARCH ?= schedule
ifeq ($(SEARCH),architecture)
MODEL ?= compact
endif
MODEL ?= enhanced
TRIALS ?= 20
EPOCHS ?= 5
DATA ?= mnist_5k
STUDY ?=
# The database of the studies, for sweep and dashboard.
STORAGE ?= sqlite:///multirun/optuna.db
UV ?= uv

# Values are passed on unchanged, whatever characters they have: through the environment, which
# neither make nor the shell interprets. The shell splits ARGS into words.
unexport RUN STUDY STORAGE ARGS SEARCH MODEL DATA EPOCHS TRIALS BUDGET HOURS NAME
export SWEEP_SEARCH := search=$(value SEARCH)
export SWEEP_MODEL := model=$(value MODEL)
export SWEEP_DATA := data=$(value DATA)
export SWEEP_EPOCHS := epochs=$(value EPOCHS)
export SWEEP_TRIALS := hydra.sweeper.n_trials=$(value TRIALS)
export STUDY_STORAGE := storage=$(value STORAGE)
# In quotes of Hydra's grammar, but for null, which is no address.
hydra_quoted = '$(subst ',\',$(1))'
export SWEEP_STUDY := hydra.sweeper.study_name=$(call hydra_quoted,$(value STUDY))
export SWEEP_STORAGE := hydra.sweeper.storage=$(if $(filter-out null,$(value \
	STORAGE)),$(call hydra_quoted,$(value STORAGE)),null)
export SWEEP_BUDGET := budget.max_parameters=$(value BUDGET)
export SWEEP_HOURS := hours=$(value HOURS)
export SWEEP_ABLATION := search=ablation/$(value NAME)
export REPRODUCED_RUN := run=$(value RUN)
# The name of the study: STUDY, or the default that a sweep has.
export STUDY_NAME := study=$(or $(value STUDY),$(value SEARCH)-$(value MODEL)-$(value DATA))

# A variable that no target uses is refused: a mistyped one would have no effect.
USED_train := MODEL DATA EPOCHS ARGS
USED_sweep := SEARCH MODEL DATA EPOCHS TRIALS STUDY STORAGE ARGS
USED_plan := $(USED_sweep)
USED_ablation := NAME STORAGE ARGS
USED_best := BUDGET HOURS SEARCH MODEL DATA EPOCHS STUDY STORAGE ARGS
USED_confirm := SEARCH MODEL DATA EPOCHS STUDY STORAGE ARGS
USED_report := SEARCH MODEL DATA STUDY STORAGE
USED_live := STUDY STORAGE ARGS
USED_watch := SEARCH MODEL DATA STUDY STORAGE ARGS
USED_studies := STORAGE ARGS
USED_reproduce := RUN
USED_screenshots := SEARCH MODEL DATA STUDY STORAGE CHROME
USED_dashboard := STORAGE
USED_tensorboard := STUDY ARGS
USED_lock := UV
USED_bench := REPETITIONS
USED_faults := ARGS
# Of every target: where Python is, and variables that the programs read.
USED := PYTHON VENV BIN MNIST_SWEEP_% HYDRA_% MLFLOW_% CUDA_% OMP_% ONEDNN_% PIP_%
goals := $(or $(MAKECMDGOALS),help)
used := $(USED) $(foreach goal,$(goals:bench-%=bench),$(USED_$(goal)))
set := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
idle := $(filter-out $(used) -*-%,$(set))
ifneq ($(idle),)
nearest := $(shell $(PYTHON) -c 'import difflib, sys; names = sys.argv[2].split(); \
	found = difflib.get_close_matches(sys.argv[1], names, 1); \
	print("the nearest is " + found[0] if found else "it uses " + (", ".join(names) or "none"))' \
	'$(firstword $(idle))' '$(filter-out PYTHON VENV BIN %_%,$(used))')
$(error make $(goals) does not use $(firstword $(idle)): $(nearest); put environment variables \
	before make)
endif

# The names of other searches' studies are made of more than these words.
ifneq ($(filter confirm report watch screenshots,$(goals)),)
ifeq ($(value STUDY)$(filter schedule pareto,$(value SEARCH)),)
$(error make $(goals) SEARCH=$(value SEARCH) needs STUDY, the name that the sweep printed: make \
	$(goals) STUDY=name)
endif
endif

ifeq ($(if $(filter reproduce,$(goals)),$(value RUN),none),)
$(error make reproduce needs RUN, a run directory: make reproduce RUN=multirun/STUDY/best)
endif

ifeq ($(if $(filter ablation,$(goals)),$(value NAME),none),)
$(error make ablation needs NAME, a file in mnist_sweep/conf/search/ablation/: make ablation NAME=batch_size)
endif

.DEFAULT_GOAL := help
.PHONY: help setup best train sweep plan ablation test test-slow faults inputs upstream check tensorboard dashboard mlflow confirm reproduce report live watch studies results docs screenshots lock clean
.PHONY: bench bench-training bench-sweep bench-overhead bench-scaling bench-products bench-soak bench-gpu bench-gpu-workers

help: ## list the targets
	@echo "make best BUDGET=8000 HOURS=3 [DATA=mnist] [SEARCH=architecture]"
	@echo "make sweep [TRIALS=30] [DATA=mnist] [EPOCHS=20] [STUDY=name] [ARGS=\"optimizer=sgd\"]"
	@echo "make train [MODEL=baseline] [ARGS=\"epochs=5 seed=1\"]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(BIN)/.ready ## create .venv from requirements.lock; does nothing when that is current

$(BIN)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation \
		--editable .
	@touch $@

# A single run has other defaults than sweep: what is not given is left out.
given = $(if $(filter command environment,$(firstword $(origin $(1)))),"$$SWEEP_$(1)")

best: setup ## the best network for BUDGET parameters in HOURS, and whether it beats the default
	$(BIN)/python -m mnist_sweep.best "$$SWEEP_DATA" $(call given,BUDGET) $(call given,HOURS) \
		$(call given,SEARCH) $(call given,MODEL) $(call given,EPOCHS) "$$STUDY_STORAGE" \
		$(if $(value STUDY),"$$SWEEP_STUDY") $(value ARGS)

train: setup ## train one network; data=auto takes the full MNIST where it can
	$(BIN)/python -m mnist_sweep.train "$$SWEEP_MODEL" $(call given,DATA) \
		$(call given,EPOCHS) $(value ARGS)

sweep: setup ## search under the parameter budget; the same command resumes the study
	$(BIN)/python -m mnist_sweep.train -m "$$SWEEP_SEARCH" "$$SWEEP_MODEL" "$$SWEEP_DATA" \
		"$$SWEEP_EPOCHS" "$$SWEEP_TRIALS" "$$SWEEP_STORAGE" \
		$(if $(value STUDY),"$$SWEEP_STUDY") $(value ARGS)

plan: setup ## say what make sweep would do, and what it costs, with the same variables
	$(BIN)/python -m mnist_sweep.train -m "$$SWEEP_SEARCH" "$$SWEEP_MODEL" "$$SWEEP_DATA" \
		"$$SWEEP_EPOCHS" "$$SWEEP_TRIALS" "$$SWEEP_STORAGE" \
		$(if $(value STUDY),"$$SWEEP_STUDY") dry_run=true $(value ARGS)

ablation: setup ## train each value of one setting with five seeds: NAME, of mnist_sweep/conf/search/ablation/
	$(BIN)/python -m mnist_sweep.train -m "$$SWEEP_ABLATION" "$$SWEEP_STORAGE" $(value ARGS)

# As many processes as there are cores.
test: setup ## run the tests but for the slow ones (MNIST_SWEEP_DATA names a folder with the full MNIST)
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not slow and not upstream'

test-slow: setup ## run the slow tests: killed sweeps, browsers, Slurm, Ray, Dask, PostgreSQL
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'slow and not upstream'

faults: setup ## kill, stop and starve sweeps on purpose, for some minutes (ARGS="only=clock seed=1")
	$(BIN)/python -m tools.faults $(value ARGS)

inputs: setup ## try wrong inputs, files changed at random, and compositions of the config space
	$(BIN)/python -m pytest -q -n auto tests/inputs tests/test_config_space.py \
		tests/models/test_compact_properties.py tests/test_hostile.py

upstream: setup ## run the suites of Hydra and its Optuna sweeper on ours (needs a package index)
	$(BIN)/python -m pytest -m upstream -rP tests/upstream

check: setup ## lint, format and types, as CI does
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

tensorboard: setup ## look at STUDY's trials, or at the latest runs, on http://127.0.0.1:6006
	$(BIN)/python -m mnist_sweep.tensorboard $(if $(value STUDY),"$$STUDY_NAME") $(value ARGS)

dashboard: setup ## look at the studies on http://127.0.0.1:8080
	$(BIN)/python -m mnist_sweep.dashboard "$$STUDY_STORAGE"

mlflow: setup ## look at the runs of tracking=mlflow on http://127.0.0.1:5000
	$(BIN)/python -m mnist_sweep.mlflow

confirm: setup ## train a study's best again with fresh seeds, to see whether they differ
	$(BIN)/python -m mnist_sweep.confirm "$$STUDY_STORAGE" "$$STUDY_NAME" \
		$(call given,EPOCHS) $(if $(value STUDY),$(call given,DATA)) $(value ARGS)

reproduce: setup ## train the run in RUN again, and say whether it is identical
	$(BIN)/python -m mnist_sweep.reproduce "$$REPRODUCED_RUN"

report: setup ## write what a study found into multirun/STUDY/report/ (index.html)
	$(BIN)/python -m mnist_sweep.report "$$STUDY_STORAGE" "$$STUDY_NAME"

live: setup ## the same page while a sweep runs, of STUDY or all, on http://127.0.0.1:8090
	$(BIN)/python -m mnist_sweep.report live=true "$$STUDY_STORAGE" \
		$(if $(value STUDY),"$$STUDY_NAME") $(value ARGS)

watch: setup ## the trials of a study in this terminal while another process sweeps it
	$(BIN)/python -m mnist_sweep.watch "$$STUDY_STORAGE" "$$STUDY_NAME" $(value ARGS)

studies: setup ## list the studies; ARGS deletes, renames and exports one (docs/studies.md)
	$(BIN)/python -m mnist_sweep.studies "$$STUDY_STORAGE" $(value ARGS)

results: setup ## make the tables and pictures of docs/results.md and README.md from docs/results/*.json
	$(BIN)/python -m tools.results

docs: results ## make docs/settings.md from the code, and what make results makes
	$(BIN)/python -m tools.settings_page

screenshots: setup ## take docs/pictures/: STUDY's report, and a sweep (needs Chromium)
	$(BIN)/python -m tools.screenshots "$$STUDY_STORAGE" "$$STUDY_NAME"

BENCHMARKS := bench-training bench-sweep bench-overhead bench-scaling bench-products
bench: $(BENCHMARKS) ## compare speed with what people use: bench-sweep takes hours, the others minutes
# Lightning and Ray take part where they are installed: .venv/bin/pip install -e '.[bench]'
$(BENCHMARKS) bench-soak bench-gpu bench-gpu-workers: bench-%: setup
	$(BIN)/python -m benchmarks.$(subst -,_,$*) $(REPETITIONS)

lock: ## resolve pyproject.toml anew into requirements.lock (needs uv)
	printf 'torch==2.14.1\ntorchvision==0.29.2\n' | $(UV) pip compile pyproject.toml --extra dev \
		--constraints - --universal --python-version 3.10 --generate-hashes --no-header \
		--no-annotate --prerelease if-necessary-or-explicit --output-file requirements.lock

clean: ## remove the environment and caches; runs stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
