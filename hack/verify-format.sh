#!/usr/bin/env bash
# Every Go file is gofmt'd.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files -co --exclude-standard '*.go' | while read -r f; do [[ -f $f ]] && echo "$f"; done)
bad=$(gofmt -l "${files[@]}")
[[ -z $bad ]] || { echo "not formatted; fix: make fmt"; echo "$bad"; exit 1; }
