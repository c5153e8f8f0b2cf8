#!/usr/bin/env bash
# install.sh BUILD: KServe in the cluster that KUBECTL talks to. BUILD is what
# "cluster.sh part kserve" prints. uninstall.sh takes away all that it makes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: install.sh BUILD}
kubectl=${KUBECTL:-kubectl}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/{kustomization,namespace}.yaml "$work"
cp -r "$build/upstream/config" "$work/src"

host=kserve-webhook-server-service.kserve.svc
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$host" \
  -addext "subjectAltName=DNS:$host" -keyout "$work/key" -out "$work/crt" 2>/dev/null
cat >"$work/cert.yaml" <<YAML
apiVersion: v1
kind: Secret
metadata: {name: kserve-webhook-server-cert, namespace: kserve}
type: kubernetes.io/tls
data: {tls.crt: $(base64 -w0 <"$work/crt"), tls.key: $(base64 -w0 <"$work/key")}
YAML
patch() { # webhook: its place in the configuration
  echo "[{\"op\":\"add\",\"path\":\"/webhooks/$1/clientConfig/caBundle\",\"value\":\"$(base64 -w0 <"$work/crt")\"}]"
}
patch 0 >"$work/ca.json"
patch 1 >"$work/ca2.json"

"$kubectl" kustomize "$work" >"$work/all.yaml"
"$kubectl" apply --server-side -f "$work/all.yaml" >/dev/null
"$kubectl" wait --for=condition=Established crd/inferenceservices.serving.kserve.io --timeout=60s
"$kubectl" -n kserve rollout status deployment/kserve-controller-manager --timeout=180s
