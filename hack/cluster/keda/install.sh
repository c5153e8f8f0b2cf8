#!/usr/bin/env bash
# install.sh BUILD: KEDA in the cluster that KUBECTL talks to. BUILD is what
# "cluster.sh part keda" prints. uninstall.sh takes away all that it makes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: install.sh BUILD}
kubectl=${KUBECTL:-kubectl}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/kustomization.yaml" "$work"
cp -r "$build/upstream/config" "$work/src"
"$kubectl" kustomize "$work" >"$work/all.yaml"
"$kubectl" apply --server-side -f "$work/all.yaml" >/dev/null
"$kubectl" -n keda rollout status deployment/keda-operator --timeout=180s
"$kubectl" -n keda rollout status deployment/keda-metrics-apiserver --timeout=180s
"$kubectl" wait --for=condition=Available apiservice/v1beta1.external.metrics.k8s.io --timeout=120s
