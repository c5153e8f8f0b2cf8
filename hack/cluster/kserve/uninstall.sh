#!/usr/bin/env bash
# uninstall.sh: what install.sh made goes, InferenceServices first: the controller takes
# their finalizers off.
set -euo pipefail
kubectl=${KUBECTL:-kubectl}
if "$kubectl" get crd inferenceservices.serving.kserve.io >/dev/null 2>&1; then
  "$kubectl" delete inferenceservices.serving.kserve.io -A --all --timeout=120s
fi
"$kubectl" get mutatingwebhookconfigurations,validatingwebhookconfigurations -o name | { grep -E '\.(serving\.kserve\.io|kserve-webhook-server\.[a-z-]+)$' || true; } | xargs -r "$kubectl" delete
"$kubectl" delete namespace kserve --ignore-not-found --timeout=120s
"$kubectl" get clusterroles,clusterrolebindings -o name | { grep '/kserve-' || true; } | xargs -r "$kubectl" delete
"$kubectl" get crds -o name | { grep '\.serving\.kserve\.io$' || true; } | xargs -r "$kubectl" delete --timeout=120s
