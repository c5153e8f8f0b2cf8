#!/usr/bin/env bash
# go vet, with and without the e2e tests.
set -euo pipefail
cd "$(dirname "$0")/.."
go vet ./... || { echo "fix what go vet names above"; exit 1; }
go vet -tags=e2e ./... || { echo "fix what go vet -tags=e2e names above"; exit 1; }
