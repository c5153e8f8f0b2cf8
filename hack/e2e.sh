#!/usr/bin/env bash
# End-to-end tests on a real cluster.
#
#   hack/e2e.sh                what CI runs in half an hour; of the faults 3 minutes, seeded by the commit.
#                              FULL=1: every test but the vllm, burst, kserve, prometheus and keda groups
#   hack/e2e.sh gateway        the tests of the inference gateway only; status 75 when there can be none here;
#                              on GATEWAY (istio), or envoy-ai-gateway, which is built, installed and removed again
#   hack/e2e.sh vllm           the tests on real vLLM (CPU); status 75 when it cannot be installed here
#   hack/e2e.sh fit            a profile learned from real vLLM predicts two loads it has not seen, about 10 min
#   hack/e2e.sh burst          the burst benchmark: ours and Knative's own class in one run, about 6 min
#   hack/e2e.sh kserve         InferenceServices of KServe; it is built, installed and removed again
#   hack/e2e.sh prometheus     a real Prometheus scrapes ours, and has data for every expression in documents and alerts
#   hack/e2e.sh keda           a real KEDA beside ours, on the same cluster; it is built, installed and removed again
#   hack/e2e.sh faults         random faults under steady load for DURATION (1h) from SEED (random, printed)
#   hack/e2e.sh run REGEXP     some tests by name
#
# Longer: FULL=1 runs the tests that make e2e leaves to make e2e-full, and longer parts of some. The groups gateway
# and run do that by themselves: FULL= hack/e2e.sh run REGEXP repeats a test as CI runs it. ZERO_CYCLES (3)
# cycles to zero and back; SCALE_DOWNS (10) one after another under streams; DRAIN_STREAMS (20s-25s) is how long
# the streams of the drain tests are; LIMIT (40m, of vllm 25m) ends a run.
#
# IPA_CLUSTER=existing uses your own cluster: KUBECONFIG, IPA_INGRESS (host:port), and the images
# in IPA_IMAGE, IPA_SIM_IMAGE, IPA_ENGINE_IMAGE, IPA_TEST_ADAPTER_IMAGE, which its nodes must be able to pull; for the
# inference gateway IPA_GATEWAY_CLASS (istio), IPA_EPP_IMAGE, IPA_BBR_IMAGE, and IPA_NET_PROXY if
# its address and the pods' cannot be dialled from here. Without that GatewayClass its tests skip.
# IPA_E2E_INSTALL=skip tests the adapter that is installed already; IPA_E2E_PARALLEL (3) is how
# many tests run side by side. What a failed run looked like is kept in _output/e2e/<time>.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUTPUT:-_output}
group=${1:-default}
artifacts=$PWD/$out/e2e/$(date +%Y%m%d-%H%M%S)-$group
mkdir -p "$artifacts" "$out/bin" "$out/test"
cluster=hack/cluster/cluster.sh
ack_image=ac2-registry.cn-hangzhou.cr.aliyuncs.com/ac2/vllm:0.4.1-ubuntu22.04
start=$SECONDS

cannot() { # what to say when this machine cannot run the tests: status 75
  echo "##############################################################################" >&2
  echo "## SKIPPED: e2e $group: $*" >&2
  echo "##############################################################################" >&2
  exit 75
}

images() { # builds what is tested and makes it known to the node
  [[ ${IPA_E2E_IMAGES:-} != skip ]] || return 0
  make --no-print-directory image >"$artifacts/image.log" 2>&1 || { cat "$artifacts/image.log"; exit 1; }
  CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/bin/ipa-e2e-engine" ./test/e2e/engine
  CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/bin/sh" ./test/e2e/vllmshell
  # Another adapter of custom.metrics.k8s.io: the test adapter of the library that ours uses.
  CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/bin/custom-metrics-test-adapter" sigs.k8s.io/custom-metrics-apiserver/test-adapter
  # The image of ACK's walk-through under its own name, with the simulator in it.
  "$("$cluster" root)/tools/mkimage" "$out/images/ack-vllm.tar" "$ack_image" "$out/bin/sh" \
    "/python3=$out/bin/sh" "/llm-d-inference-sim=$("$cluster" binary llm-d-inference-sim)"
  "$cluster" load-image "dev.local/autoscaler-adapter:dev=$out/images/autoscaler-adapter.tar" \
    "dev.local/ipa-e2e-engine:dev=$out/bin/ipa-e2e-engine" \
    "dev.local/custom-metrics-test-adapter:dev=$out/bin/custom-metrics-test-adapter" "$ack_image=$out/images/ack-vllm.tar"
}

gateway() { # the inference gateway; without it its tests skip, and a run of only them cannot be
  local code=0
  "$cluster" gateway || code=$?
  case $code in
    0) ;;
    75) [[ $group != gateway ]] || cannot "no inference gateway can be installed here"
      echo "## SKIPPED: the tests of the inference gateway: it cannot be installed here" >&2 ;;
    *) exit "$code" ;;
  esac
}

second_gateway() { # beside Istio, whose tests' other parts are the same
  [[ $GATEWAY == envoy-ai-gateway ]] || { echo "GATEWAY=$GATEWAY: there are istio and envoy-ai-gateway" >&2; exit 2; }
  local build
  build=$("$cluster" part "$GATEWAY" 8>&-)
  HELM=$("$cluster" binary helm) "hack/cluster/$GATEWAY/install.sh" "$build"
  # One test at a time: a pool that comes or goes disturbs the others of its listener.
  export IPA_GATEWAY_CLASS=envoy-gateway IPA_E2E_PARALLEL=${IPA_E2E_PARALLEL:-1}
  trap remove_second_gateway EXIT
}

# shellcheck disable=SC2317 # traps call it
remove_second_gateway() {
  [[ ${IPA_GATEWAY_CLASS:-} != envoy-gateway || ${IPA_CLUSTER:-} == existing ]] || hack/cluster/envoy-ai-gateway/uninstall.sh
}

if [[ ${IPA_CLUSTER:-} == existing ]]; then
  : "${KUBECONFIG:?IPA_CLUSTER=existing needs KUBECONFIG}" "${IPA_INGRESS:?IPA_CLUSTER=existing needs IPA_INGRESS, host:port of the ingress}"
  export KUBECTL=${KUBECTL:-kubectl}
else
  if [[ $group == vllm || $group == fit ]]; then hack/cluster/vllm.sh install || cannot "real vLLM could not be installed"; fi
  # One run at a time: it installs and removes the product. What the cluster
  # starts must not inherit the lock.
  exec 8>"$("$cluster" root)/in-use.lock"
  flock -n 8 || { echo "another end-to-end run or demo uses this cluster: waiting for its end"; flock 8; }
  "$cluster" up 8>&-
  [[ $group == burst || $group == faults ]] || gateway
  eval "$("$cluster" env)"
  # Not "cluster.sh kubectl", which asks Go's build cache each time: two thirds of the CPU time of a call.
  KUBECTL=$("$cluster" binary kubectl) KUBECACHEDIR=$("$cluster" root)/run/kubectl-cache
  export KUBECTL KUBECACHEDIR
  [[ -z ${GATEWAY:-} || $GATEWAY == istio ]] || second_gateway
  case $group in
    kserve) IPA_KSERVE=$("$cluster" part kserve 8>&-); export IPA_KSERVE ;;
    prometheus | keda) IPA_PROMETHEUS=$("$cluster" part prometheus 8>&-); export IPA_PROMETHEUS ;;
  esac
  if [[ $group == keda ]]; then IPA_KEDA=$("$cluster" part keda 8>&-); export IPA_KEDA; fi
  images
fi
export IPA_E2E_ARTIFACTS=$artifacts
case $group in gateway | run) export FULL=${FULL-1} ;; *) export FULL=${FULL-} ;; esac

case $group in
  default) select=(-skip '^Test(VLLM|Burst|KServe|Prometheus|KEDA)') limit=${LIMIT:-40m}
    export DURATION=${DURATION:-3m} SEED=${SEED:-$((16#$(git rev-parse --short=8 HEAD 2>/dev/null || echo 1)))} ;;
  gateway) select=(-run '^TestGateway') limit=40m ;;
  vllm) select=(-run '^TestVLLM' -skip '^TestVLLMFit') limit=${LIMIT:-25m} ;;
  fit) select=(-run '^TestVLLMFit') limit=25m ;;
  kserve) select=(-run '^TestKServe') limit=25m ;;
  prometheus) select=(-run '^TestPrometheus') limit=25m ;;
  keda) select=(-run '^TestKEDA') limit=25m ;;
  burst) select=(-run '^TestBurst') limit=25m ;;
  faults) select=(-run '^TestFaultRun$') limit=0 ;; # the test ends by DURATION
  run) select=(-run "${2:?usage: e2e.sh run REGEXP}") limit=${LIMIT:-40m} ;;
  *) echo "usage: e2e.sh [gateway | vllm | fit | burst | kserve | prometheus | keda | faults | run REGEXP]" >&2; exit 2 ;;
esac

collect() { # what the cluster and the product looked like when a test failed
  "$KUBECTL" -n knative-inference logs -l app.kubernetes.io/part-of=autoscaler-adapter --prefix --tail=-1 >"$artifacts/adapter.log" 2>&1 || true
  "$KUBECTL" -n knative-inference logs -l app.kubernetes.io/part-of=autoscaler-adapter --prefix --tail=-1 --previous >"$artifacts/adapter-previous.log" 2>&1 || true
  "$KUBECTL" get events -A --sort-by=.lastTimestamp >"$artifacts/events.txt" 2>&1 || true
  "$KUBECTL" get pods -A -o wide >"$artifacts/pods.txt" 2>&1 || true
  "$KUBECTL" get inferencebindings,inferencepools,httproutes,gateways,envoyfilters,destinationrules -A -o yaml >"$artifacts/gateway.yaml" 2>&1 || true
  if [[ ${IPA_GATEWAY_CLASS:-} == envoy-gateway ]]; then
    "$KUBECTL" get envoypatchpolicies -A -o yaml >"$artifacts/envoypatchpolicies.yaml" 2>&1 || true
    "$KUBECTL" -n envoy-gateway-system logs deploy/envoy-gateway --tail=3000 >"$artifacts/envoy-gateway.log" 2>&1 || true
    "$KUBECTL" -n envoy-ai-gateway-system logs deploy/ai-gateway-controller --tail=3000 >"$artifacts/ai-gateway-controller.log" 2>&1 || true
  fi
  "$KUBECTL" -n istio-system logs deploy/istiod --tail=2000 >"$artifacts/istiod.log" 2>&1 || true
  "$KUBECTL" get podautoscalers -A -o yaml >"$artifacts/podautoscalers.yaml" 2>&1 || true
  echo "kept in ${artifacts#"$PWD"/}"
}

go build -o "$out/bin/testsum" ./hack/testsum
# The logs of a removed product are gone, so they are read while it runs.
(while sleep 30; do
  "$KUBECTL" -n knative-inference logs -l app.kubernetes.io/part-of=autoscaler-adapter --prefix --tail=-1 >"$artifacts/adapter.tmp" 2>/dev/null &&
    mv "$artifacts/adapter.tmp" "$artifacts/adapter-last-seen.log"
  [[ ${IPA_GATEWAY_CLASS:-} != envoy-gateway ]] || { # what it answered, and why, goes with the Gateway
    "$KUBECTL" -n envoy-gateway-system logs -l gateway.envoyproxy.io/owning-gateway-name -c envoy --tail=-1 >"$artifacts/envoy.tmp" 2>/dev/null &&
      [[ -s $artifacts/envoy.tmp ]] && mv "$artifacts/envoy.tmp" "$artifacts/envoy-last-seen.log"
  }
done) & watcher=$!
trap 'kill $watcher 2>/dev/null || true; remove_second_gateway' EXIT

status=0
go test -json -tags=e2e -count=1 -timeout "$limit" -parallel "${IPA_E2E_PARALLEL:-3}" "${select[@]}" ./test/e2e |
  "$out/bin/testsum" -v -out "$artifacts/e2e.json" | tee "$artifacts/summary.txt" || status=$?
if [[ $status != 0 ]]; then collect; else rm -f "$artifacts"/*-last-seen.log; fi
[[ ! -f $artifacts/figures.txt ]] || cat "$artifacts/figures.txt"
echo "e2e $group: $((SECONDS - start)) s"
tail -1 "$artifacts/summary.txt"
exit "$status"
