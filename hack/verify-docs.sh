#!/usr/bin/env bash
# Every annotation, configuration key and metric is documented, nothing is
# documented that is not there, and relative links resolve. See docs/docs_test.go.
# The table of Knative's own tests is that of its results, and each failure has a reason.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -count=1 ./docs
go run ./hack/knativetable -check
