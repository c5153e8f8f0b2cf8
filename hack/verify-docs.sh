#!/usr/bin/env bash
# Every annotation, configuration key and metric is documented, nothing is
# documented that is not there, and relative links resolve. See docs/docs_test.go.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -count=1 ./docs
