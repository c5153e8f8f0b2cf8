#!/usr/bin/env bash
# go vet's own checks, errorlint, exhaustive, nilerr, unparam, gocritic, revive and lll over the
# whole tree, the e2e tests included, as one tool of go vet: hack/tools/lint says what each is
# for. The modules are pinned in hack/tools/go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/${OUTPUT:-_output}/bin
mkdir -p "$bin"
tested=$(GOWORK=off go test -C hack/tools ./lint) || { echo "$tested"; exit 1; }
GOWORK=off go build -C hack/tools -o "$bin/lint" ./lint
go vet -vettool="$bin/lint" -tags=e2e ./... || { echo "fix the findings; a finding that begins with the name of a linter can be kept by //nolint:NAME reason at the end of its line"; exit 1; }
