# `make` lists the targets. The environment lives in .venv: it is made once, and mended when pyproject.toml or
# constraints.txt change. Another interpreter: make PYTHON=python3.12 run

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv-peers/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test check format bench studies docs clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Groma needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/pip || { echo "making the environment in .venv (once; some minutes and about 2 GB)"; $(PYTHON) -m venv .venv; }
	@echo "installing what pyproject.toml and constraints.txt ask for"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

run: $(READY)  ## the main job: align, embody, survey, and write runs/main/report.html
	$(BIN)/groma run --out runs/main --fresh

test: $(READY)  ## the tests, without the slow ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" -q

check: $(READY)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/make_docs.py --check

format: $(READY)  ## mend what can be mended without thinking
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) .venv-peers/.ready  ## every benchmark, one after the other, and the table of speeds, docs/speed.md; takes hours
	@for file in benchmarks/*.py; do echo "$$file"; case "$$file" in \
		*/scoring.py) OMP_NUM_THREADS=1 $(PEERS) "$$file" ;; \
		*/reinforcement.py) OMP_NUM_THREADS=1 $(BIN)/python "$$file" --trl-1-12 .venv-peers/trl-1.12 ;; \
		*/agents_vs_inspect.py) OMP_NUM_THREADS=1 $(BIN)/python "$$file" --peer-python $(PEERS) ;; \
		*) OMP_NUM_THREADS=1 $(BIN)/python "$$file" ;; esac || exit 1; done
	@$(BIN)/python benchmarks/parts/speed_page.py

.venv-peers/.ready: pyproject.toml
	@echo "making the environment of the peers in .venv-peers, which ask for other versions than ours"
	@$(PYTHON) -m venv .venv-peers
	@$(PEERS) -m pip install --quiet --disable-pip-version-check torch==$$($(BIN)/python -c 'import torch; print(torch.__version__.partition("+")[0])') \
		-e '.[peers]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .venv-peers/trl-1.12 trl==1.12.0
	@touch $@

studies: $(READY)  ## what takes minutes: the main job, held against what it must show
	$(BIN)/python -m pytest -m slow -q

docs: $(READY)  ## docs/cli.md anew from the command line's own help
	$(BIN)/python scripts/make_docs.py

clean:  ## remove the environment and all caches; runs/ stays
	rm -rf .venv .venv-peers build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
