#!/usr/bin/env bash
# config/*.yaml parse strictly and hold the rules in config/manifests_test.go;
# the _example of config-ipa equals the defaults in pkg/config.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -count=1 ./config ./hack/release
go test -count=1 -run 'Example' ./pkg/config
