# make serve is all that a fresh machine with Python and make needs; make test wants a C compiler, too.
PYTHON ?= python3
PORT ?= 3000
# cpu or gpu: which ONNX Runtime to install.
RUNTIME ?= cpu
# cpu or l4: where on Cloud Run.
FLAVOUR ?= cpu
SHAPE ?= steady

MODEL := models/dubai_aerial
VENV := .venv
BIN := $(VENV)/bin
# What installing compiles is to be compiled again when it changes.
BUILT_FROM := pyproject.toml hatch_build.py $(wildcard droneseg/engines/winograd/*.[ch])
# Tests that run beside each other; those of servers and benchmarks have the machine for themselves.
BESIDE := tests/droneseg tests/export tests/parity
# What pytest exits with where PYTEST_OPTIONS selects nothing.
NONE_SELECTED := 5
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
export BENTOML_DO_NOT_TRACK := true

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install model serve test dev lint format bench compatibility load bento deploy clean

help:  ## Show this.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/installed-$(RUNTIME)  ## Install what serving needs; no PyTorch.

model: $(MODEL)/plan.json  ## Bring the default model.

serve: install model  ## Serve the model on PORT (3000); DRONESEG_MODEL picks another.
	$(BIN)/bentoml serve service:DroneSeg --port $(PORT)

test: $(VENV)/installed-test model  ## Run all tests, parity with nnU-Net among them.
	@cores=$$($(BIN)/python -c "from droneseg.machine import available_cores; print(available_cores())"); \
	status=0; \
	$(BIN)/python -m pytest --numprocesses $$cores --dist worksteal --cov --cov-report= \
	  $(PYTEST_OPTIONS) $(BESIDE) || test $$? = $(NONE_SELECTED) || status=1; \
	$(BIN)/python -m pytest --cov --cov-append --cov-report=term \
	  $(PYTEST_OPTIONS) $(BESIDE:%=--ignore=%) || test $$? = $(NONE_SELECTED) || status=1; \
	exit $$status

dev: $(VENV)/installed-dev model  ## Install everything for development.

lint: $(VENV)/installed-dev  ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.cloudbuild cloudbuild.yaml
	$(BIN)/zizmor --offline --no-progress .github

format: $(VENV)/installed-dev  ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed-test model  ## Compare with nnU-Net's predictor; about an hour on two cores.
	$(BIN)/python -m benchmarks.latency

compatibility: $(VENV)/installed-test  ## Measure the matrix of models for docs/compatibility.md.
	$(BIN)/python -m pytest tests/parity/test_matrix.py --write-compatibility

load: $(VENV)/installed-test  ## Put a running service under load for a minute; SHAPE=ramp or spike.
	$(BIN)/locust --headless --only-summary --users 8 --run-time 60s --shape $(SHAPE) --html load.html \
	  --host http://localhost:$(PORT)

bento: install model  ## Build the Bento, model included; RUNTIME=gpu for NVIDIA.
	$(BIN)/bentoml build --bentofile bentofile$(if $(filter gpu,$(RUNTIME)),.gpu).yaml

deploy: $(VENV)/installed-$(RUNTIME)  ## Deploy to Cloud Run; DRY_RUN=1 prints. See docs/deploy.md.
	@$(foreach name,PROJECT REGION IMAGE COLLECTOR_IMAGE EMAIL,$(if $($(name)),,$(error set $(name)=... as docs/deploy.md says)))
	@$(BIN)/python -m deploy $(FLAVOUR) --project "$(PROJECT)" --region "$(REGION)" \
	  --image "$(IMAGE)" --collector-image "$(COLLECTOR_IMAGE)" --email "$(EMAIL)" \
	  $(if $(MAX_INSTANCES),--max-instances "$(MAX_INSTANCES)") $(if $(DRY_RUN),--dry-run)

clean:  ## Remove the virtual environment and all caches; the model stays.
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis htmlcov .coverage*

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-$(RUNTIME): $(BUILT_FROM) constraints.txt | $(BIN)/python
	@echo "Installing DroneSeg, the $(RUNTIME) runtime and the server into $(VENV) ..."
	$(INSTALL) --editable ".[$(RUNTIME),serve,models]"
	@$(BIN)/python -c "from droneseg.engines import unusable; \
	  why = unusable('winograd'); why and print('Without the winograd engine:', why)"
	@touch $@

$(VENV)/installed-test: $(BUILT_FROM) constraints.txt | $(BIN)/python
	@echo "Installing the test requirements, PyTorch and nnU-Net among them, into $(VENV) ..."
	$(INSTALL) --editable ".[test]"
	@touch $@ $(VENV)/installed-cpu

$(VENV)/installed-dev: $(BUILT_FROM) constraints.txt | $(BIN)/python
	@echo "Installing the development requirements into $(VENV) ..."
	$(INSTALL) --editable ".[dev]"
	@touch $@ $(VENV)/installed-test $(VENV)/installed-cpu

# The default model lies in model-store/, inside this repository: no network is needed. Its folder
# alone is pulled, as `dvc pull` would refuse to touch other models beside it.
$(MODEL)/plan.json: models.dvc | $(VENV)/installed-$(RUNTIME)
	$(BIN)/dvc pull $(MODEL)
	@touch $@
