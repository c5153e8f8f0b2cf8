# Everything a developer, CI and a newcomer types. `make` alone explains itself.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
IMAGE ?= dev.local/autoscaler-adapter:dev
OUTPUT ?= _output
export VERSION OUTPUT

# The toolchain of go.mod for everything here, the cluster's modules included:
# an installed Go that is older may have known vulnerabilities.
export GOTOOLCHAIN ?= $(shell sed -n 's/^toolchain //p' go.mod)

# One set of flags everywhere but in the race tests, so that checks, binary,
# image and end-to-end tests compile the Kubernetes libraries once.
export CGO_ENABLED ?= 0
export GOFLAGS ?= -trimpath

# make cluster, cluster-down, kubectl, ...; see hack/cluster/README.md.
-include hack/cluster/cluster.mk

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Watch a Service that serves a model grow and shrink (needs root; ENGINE=vllm, KEEP=1)
	@hack/demo.sh

.PHONY: test
test: ## Unit and package tests, race detector, shuffled; needs only Go
	@hack/test.sh

.PHONY: verify
verify: ## Every static check: format, vet, linters, architecture, generated files, config, docs, modules, scripts, known vulnerabilities
	@hack/verify.sh

.PHONY: e2e
e2e: ## End-to-end tests on a real one-node cluster (needs root)
	@hack/e2e.sh

.PHONY: e2e-vllm
e2e-vllm: ## The same against real vLLM on the CPU (downloads it once)
	@hack/e2e.sh vllm

.PHONY: e2e-burst
e2e-burst: ## Time from a burst to the replicas it needs, ours and Knative's own class in one run
	@hack/e2e.sh burst

.PHONY: e2e-fit
e2e-fit: ## An engine profile learned from real vLLM, predicted against measured on other loads
	@hack/e2e.sh fit

.PHONY: e2e-faults
e2e-faults: ## Random faults on the real cluster under steady load (DURATION=1h, SEED=random)
	@hack/e2e.sh faults

.PHONY: e2e-knative
e2e-knative: ## Knative's own end-to-end tests with its class and with ours, into docs/knative-e2e.md (ARGS="-as kpa,slo -run REGEXP GROUP...")
	@hack/e2e-knative.sh $(ARGS)

.PHONY: e2e-gateway
e2e-gateway: ## The tests of the inference gateway only, on GATEWAY (istio, or envoy-ai-gateway, which is built once, 6 to 19 min)
	@GATEWAY=$(GATEWAY) hack/e2e.sh gateway

.PHONY: e2e-kserve
e2e-kserve: ## InferenceServices of KServe scaled by our class (builds KServe once, 16 to 38 min on busy cores)
	@hack/e2e.sh kserve

.PHONY: e2e-prometheus
e2e-prometheus: ## A real Prometheus scrapes what runs, and has data for every expression in documents and alerts (builds it once, 7 min of CPU time)
	@hack/e2e.sh prometheus

.PHONY: e2e-keda
e2e-keda: ## A real KEDA on the same cluster: its scalers read our numbers (builds it once, 40 min on busy cores)
	@hack/e2e.sh keda

.PHONY: e2e-full
e2e-full: export FULL ?= 1
e2e-full: export ZERO_CYCLES ?= 20
e2e-full: export DRAIN_STREAMS ?= 90s-120s
e2e-full: export SCALE_DOWNS ?= 50
e2e-full: export LIMIT ?= 150m
e2e-full: e2e e2e-vllm e2e-fit e2e-burst e2e-kserve e2e-prometheus e2e-keda e2e-knative ## All eight, and the gateway's tests and zero on Envoy AI Gateway
	@GATEWAY=envoy-ai-gateway hack/e2e.sh gateway
	@GATEWAY=envoy-ai-gateway hack/e2e.sh run '^TestZero$$/^together$$/^gateway$$'

.PHONY: bench
bench: ## Benchmarks into _output/bench/<commit>.txt; BASE=<commit> compares with an earlier run
	@hack/bench.sh

.PHONY: bench-policy
bench-policy: ipa ## Every policy on every trace, into docs/benchmarks.md; goes on where it was cut short (TRACES=folder, LIMIT=30m)
	@go run ./hack/benchpolicy -binary $(OUTPUT)/bin/ipa -out $(OUTPUT)/bench-policy -traces "$(TRACES)" -limit $${LIMIT:-0} -doc docs/benchmarks.md $(ARGS)

.PHONY: bench-scale
bench-scale: build ## One replica at size: CPU, memory, intervals, decisions, metrics API (needs root; ARGS="-pods 10000")
	@go build -o $(OUTPUT)/bin/benchscale ./hack/benchscale
	@$(OUTPUT)/bin/benchscale -adapter $(OUTPUT)/bin/autoscaler-adapter -out $(OUTPUT)/bench-scale $(ARGS)

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME (10s), then a table of executions
	@hack/fuzz.sh

.PHONY: playground
playground: ipa ## A simulated fleet scaled live, on http://127.0.0.1:8089; no cluster, no root (ARGS="--load burst")
	@$(OUTPUT)/bin/ipa playground $(ARGS)

.PHONY: build
build: ## Both static binaries, _output/bin/autoscaler-adapter (the cluster's) and _output/bin/ipa (what people type)
	@hack/build.sh adapter
	@hack/build.sh ipa

.PHONY: ipa
ipa: ## The program that people type, _output/bin/ipa; as kubectl-ipa in the PATH it is "kubectl ipa"
	@hack/build.sh ipa

.PHONY: image
image: ## The container image as an archive, _output/images/autoscaler-adapter.tar
	@IMAGE=$(IMAGE) hack/build.sh image

.PHONY: release
release: ## One YAML file and the image as an OCI archive, _output/release/<version>/
	@hack/release.sh

.PHONY: fmt
fmt: ## Format all Go code
	@gofmt -l -w $$(git ls-files -co --exclude-standard '*.go')

.PHONY: generate
generate: ## Write the generated files anew: the CRD of InferenceBinding
	@hack/update-codegen.sh

.PHONY: tidy
tidy: ## Tidy every Go module
	@for m in $$(git ls-files -co --exclude-standard '*go.mod'); do (cd $$(dirname $$m) && echo "$$m" && go mod tidy); done

.PHONY: ci
ci: ## What CI runs: verify, test, e2e, e2e-vllm
	@.ci/run

.PHONY: clean
clean: ## Remove what the targets above wrote (_output); the cluster's cache stays
	@rm -rf $(OUTPUT)
