#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME each. Seeds alone are part of make test.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -list '^Fuzz' ./pkg/... | awk '/^Fuzz/ { n[++i] = $1 } /^ok/ { for (; i > 0; i--) print $2, n[i] }' |
  while read -r package target; do
    echo "== $package $target"
    go test -run='^$' -fuzz="^$target\$" -fuzztime="${FUZZTIME:-10s}" "$package" </dev/null
  done
