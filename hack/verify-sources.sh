#!/usr/bin/env bash
# No clock, panic or package variable in the pure core, no init() anywhere, no
# real sleeping in tests, main.go stays short. The rules are in hack/archcheck/sources.go.
set -euo pipefail
cd "$(dirname "$0")/.."
go run ./hack/archcheck sources
