#!/usr/bin/env bash
# No clock, panic, package variable or circle of files in the pure core, no init() anywhere, no
# real sleeping in tests, main.go stays short. The rules are in hack/archcheck/sources.go and files.go.
set -euo pipefail
cd "$(dirname "$0")/.."
go run ./hack/archcheck sources
