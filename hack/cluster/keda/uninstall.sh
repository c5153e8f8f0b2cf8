#!/usr/bin/env bash
# uninstall.sh: what install.sh made goes, ScaledObjects first: the operator takes their
# finalizers off.
set -euo pipefail
kubectl=${KUBECTL:-kubectl}
if "$kubectl" get crd scaledobjects.keda.sh >/dev/null 2>&1; then
  "$kubectl" delete scaledobjects.keda.sh -A --all --timeout=120s
fi
"$kubectl" delete apiservice v1beta1.external.metrics.k8s.io --ignore-not-found
"$kubectl" delete namespace keda --ignore-not-found --timeout=120s
"$kubectl" get clusterroles,clusterrolebindings -o name | { grep '/keda' || true; } | xargs -r "$kubectl" delete
"$kubectl" -n kube-system delete rolebinding keda-auth-reader --ignore-not-found
"$kubectl" get crds -o name | { grep '\.keda\.sh$' || true; } | xargs -r "$kubectl" delete --timeout=120s
