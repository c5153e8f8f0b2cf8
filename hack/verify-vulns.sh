#!/usr/bin/env bash
# No known vulnerability is reachable from the product: govulncheck, pinned in
# hack/tools/go.mod, follows the calls of cmd and pkg. The database is the Go module
# golang.org/x/vulndb, pinned below: the module proxy serves it once, afterwards the
# check needs no network. govulncheck indexes the folder of OSV entries by itself,
# with withdrawn entries and several ranges per module.
#
# A newer database: go list -m golang.org/x/vulndb@latest, then
# go mod download -json golang.org/x/vulndb@VERSION for its sum.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v0.0.0-20261105234957-e22db6528018
sum=h1:mfngRv0Yoh0VApsXKEN82CjD99kl7mtparN3bs3JnqI=
bin=$PWD/${OUTPUT:-_output}/bin
mkdir -p "$bin"

# field NAME: one value of what "go mod download -json" printed.
field() { sed -n "s/^[[:space:]]*\"$1\": \"\(.*\)\",\{0,1\}$/\1/p" <<<"$module"; }

if ! module=$(GOWORK=off go mod download -json "golang.org/x/vulndb@$version") || [[ -z $(field Dir) ]]; then
  echo "The vulnerabilities were NOT checked: the database golang.org/x/vulndb@$version could not be fetched."
  echo "$(field Error)"
  echo "Give this machine a module proxy once (GOPROXY, now $(go env GOPROXY)); later runs use the module cache."
  exit 1
fi
if [[ $(field Sum) != "$sum" ]]; then
  echo "The vulnerabilities were NOT checked: golang.org/x/vulndb@$version has the sum $(field Sum), want $sum."
  echo "Clear that version from the module cache, or correct the sum in hack/verify-vulns.sh when the version was changed."
  exit 1
fi
GOWORK=off go build -C hack/tools -o "$bin/govulncheck" golang.org/x/vuln/cmd/govulncheck
"$bin/govulncheck" -db "file://$(field Dir)/data/osv" ./cmd/... ./pkg/... || {
  echo "raise the modules that govulncheck names to the version under \"Fixed in\" (go get MODULE@VERSION; go mod tidy)"
  exit 1
}
