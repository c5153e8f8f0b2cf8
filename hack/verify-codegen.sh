#!/usr/bin/env bash
# The CRD in config is what its Go types say.
set -euo pipefail
cd "$(dirname "$0")/.."
file=config/inference-gateway/150-inferencebinding-crd.yaml
made=$(mktemp)
trap 'rm -f "$made"' EXIT
hack/update-codegen.sh "$made"
diff -u "$file" "$made" || { echo "$file is not what pkg/apis/inference/v1alpha1 says; fix: hack/update-codegen.sh"; exit 1; }
