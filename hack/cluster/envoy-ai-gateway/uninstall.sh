#!/usr/bin/env bash
# uninstall.sh: what install.sh made goes, the Gateways of its class first: Envoy Gateway takes
# away what it made for them.
set -euo pipefail
kubectl=${KUBECTL:-kubectl}
"$kubectl" get gateways.gateway.networking.k8s.io -A -o jsonpath='{range .items[?(@.spec.gatewayClassName=="envoy-gateway")]}{.metadata.namespace} {.metadata.name}{"\n"}{end}' 2>/dev/null |
  while read -r namespace name; do "$kubectl" -n "$namespace" delete gateway "$name" --timeout=60s </dev/null; done
"$kubectl" delete gatewayclass envoy-gateway --ignore-not-found --timeout=60s
"$kubectl" delete namespace envoy-gateway-system envoy-ai-gateway-system --ignore-not-found --timeout=120s
"$kubectl" get mutatingwebhookconfigurations,clusterroles,clusterrolebindings -o name |
  { grep -E '/(eg-gateway-helm|aieg-|envoy-ai-gateway|ai-gateway|envoy-gateway)' || true; } | xargs -r "$kubectl" delete
"$kubectl" get crds -o name | { grep -E '\.(gateway|aigateway)\.envoyproxy\.io$' || true; } | xargs -r "$kubectl" delete --timeout=120s
