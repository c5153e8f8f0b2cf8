# Targets for the real one-node cluster; included by the root Makefile, and usable alone:
# make -f hack/cluster/cluster.mk cluster
CLUSTER ?= hack/cluster/cluster.sh
VLLM ?= hack/cluster/vllm.sh
ARGS ?= get pods -A

.PHONY: cluster cluster-build cluster-down cluster-gateway cluster-status kubectl vllm

cluster: ## Real one-node Kubernetes with Knative and Kourier (first time about 10 min, then 11-25 s)
	@$(CLUSTER) up

cluster-build: ## Only build what the cluster needs, without starting it
	@$(CLUSTER) build

cluster-down: ## End the cluster and leave nothing behind
	@$(CLUSTER) down

cluster-status: ## What runs and how to use it
	@$(CLUSTER) status

kubectl: ## kubectl against the cluster: make kubectl ARGS="get pods -A"
	@$(CLUSTER) kubectl $(ARGS)

vllm: ## Install real vLLM for the CPU outside the tree (about 2 min, 6.2 GB)
	@$(VLLM) install

cluster-gateway: ## Add the inference gateway to the cluster: Istio, stock Envoy, picker (first time about 5 min, then 15 s; GATEWAY=envoy-ai-gateway adds that one, too)
	@$(CLUSTER) up
	@$(CLUSTER) gateway
	@case "$(GATEWAY)" in ""|istio) ;; envoy-ai-gateway) eval "$$($(CLUSTER) env)" && \
	  KUBECTL=$$($(CLUSTER) binary kubectl) HELM=$$($(CLUSTER) binary helm) \
	  hack/cluster/envoy-ai-gateway/install.sh "$$($(CLUSTER) part envoy-ai-gateway)" ;; \
	*) echo "GATEWAY=$(GATEWAY): there are istio and envoy-ai-gateway" >&2; exit 2 ;; esac
