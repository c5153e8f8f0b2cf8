#!/usr/bin/env bash
# install.sh BUILD: Envoy AI Gateway on Envoy Gateway in the cluster that KUBECTL talks to,
# as GatewayClass envoy-gateway. BUILD is what "cluster.sh part envoy-ai-gateway" prints; HELM
# renders the charts. The cluster has the CRDs of Gateway API and its inference extension.
# uninstall.sh takes away all that this makes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: install.sh BUILD}
kubectl=${KUBECTL:-kubectl} helm=${HELM:-helm}
up=$build/upstream work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HELM_CACHE_HOME=$work HELM_CONFIG_HOME=$work HELM_DATA_HOME=$work

cp -r "$up/charts/gateway-helm" "$work/envoy-gateway"
chmod -R u+w "$work/envoy-gateway"
# The chart's values are a template with two variables, which values-envoy-gateway.yaml overrides.
# shellcheck disable=SC2016 # the variables are the template's
sed 's/\${GatewayImagePullPolicy}/IfNotPresent/; s/\${GatewayImage}/dev.local\/envoy-gateway:v1.9.1/' \
  "$work/envoy-gateway/values.tmpl.yaml" >"$work/envoy-gateway/values.yaml"
"$helm" template aieg "$up/manifests/charts/ai-gateway-helm" -n envoy-ai-gateway-system \
  -f "$here/values-ai-gateway.yaml" >"$work/ai-gateway.yaml"
"$helm" template eg "$work/envoy-gateway" -n envoy-gateway-system \
  -f "$up/manifests/envoy-gateway-values.yaml" -f "$up/examples/inference-pool/envoy-gateway-values-addon.yaml" \
  -f "$here/values-envoy-gateway.yaml" >"$work/envoy-gateway.yaml"

for n in envoy-gateway-system envoy-ai-gateway-system; do
  "$kubectl" create namespace "$n" --dry-run=client -o yaml | "$kubectl" apply -f - >/dev/null
done
"$kubectl" apply --server-side -f "$up/charts/gateway-helm/charts/crds/crds/generated/" \
  -f "$up/manifests/charts/ai-gateway-crds-helm/templates/" >/dev/null
"$kubectl" apply --server-side -n envoy-ai-gateway-system -f "$work/ai-gateway.yaml" >/dev/null
"$kubectl" apply --server-side -n envoy-gateway-system -f "$work/envoy-gateway.yaml" >/dev/null
# helm made a new certificate for the webhook, which the controller reads when it starts.
"$kubectl" -n envoy-ai-gateway-system rollout restart deployment/ai-gateway-controller >/dev/null
"$kubectl" -n envoy-ai-gateway-system rollout status deployment/ai-gateway-controller --timeout=120s
"$kubectl" -n envoy-gateway-system rollout status deployment/envoy-gateway --timeout=120s
"$kubectl" apply --server-side -f "$here/gatewayclass.yaml" >/dev/null
"$kubectl" wait --for=condition=Accepted gatewayclass/envoy-gateway --timeout=60s
