#!/usr/bin/env bash
# staticcheck, pinned in hack/tools/go.mod, over the product and the scripts' own programs.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/${OUTPUT:-_output}/bin
mkdir -p "$bin"
GOWORK=off go build -C hack/tools -o "$bin/staticcheck" honnef.co/go/tools/cmd/staticcheck
"$bin/staticcheck" -tags e2e ./... || { echo "fix the findings, or write //lint:ignore CHECK reason above the line"; exit 1; }
