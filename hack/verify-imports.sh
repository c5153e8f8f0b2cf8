#!/usr/bin/env bash
# Imports point inward only; the pure core stays pure. The table is in hack/archcheck/imports.go;
# the column of imports in docs/ARCHITECTURE.md is written from it.
set -euo pipefail
cd "$(dirname "$0")/.."
go run ./hack/archcheck imports
go run ./hack/archcheck doc
