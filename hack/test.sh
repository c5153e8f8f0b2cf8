#!/usr/bin/env bash
# Unit and package tests: race detector, random order, every package (or those
# named). Ends with one line "N passed, N failed, N skipped"; the JSON stays in
# _output/test/unit.json. Needs only Go; the race detector needs a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUTPUT:-_output}/test
mkdir -p "$out" "${OUTPUT:-_output}/bin"
go build -o "${OUTPUT:-_output}/bin/testsum" ./hack/testsum

export GOFLAGS=
flags=(-shuffle=on -timeout=20m) # pkg/decider takes minutes under the race detector on two busy cores
cc=$(go env CC)
if [[ ${RACE:-1} == 1 ]] && command -v "${cc%% *}" >/dev/null; then
  export CGO_ENABLED=1
  flags+=(-race)
else
  cat >&2 <<'LOUD'
##############################################################################
## The race detector is OFF: it needs a C compiler (apt-get install gcc      ##
## libc6-dev), or RACE=0 was set. Data races will not be found by this run.  ##
##############################################################################
LOUD
fi

# Packages without a goroutine, as archcheck sees to (isSequential): the race detector can
# find nothing in them, and makes their tests five times as long.
sequential=(./pkg/decider ./pkg/slo ./pkg/window ./pkg/drain
  ./pkg/simulator ./pkg/simulator/engine ./pkg/simulator/trace ./pkg/simulator/oracle ./pkg/simulator/fit)

# The cluster's own programs are a module of their own. Its ingresses are compiled
# against the cluster's Kubernetes libraries, without the race detector as they are
# for the cluster, so that these libraries are compiled once.
tests() {
  if [[ $# -gt 0 ]]; then
    go test -json "${flags[@]}" "$@"
    return
  fi
  local status=0
  local pattern packages
  pattern=$(go list "${sequential[@]}" | paste -sd'|')
  mapfile -t packages < <(go list ./... | grep -vxE "$pattern")
  go test -json "${flags[@]}" "${packages[@]}" || status=$?
  CGO_ENABLED=0 GOFLAGS=-trimpath go test -json -shuffle=on -timeout=20m "${sequential[@]}" || status=$?
  GOWORK=off go test -C hack/cluster -json "${flags[@]}" ./image ./cmd/cluster || status=$?
  GOWORK=off CGO_ENABLED=0 GOFLAGS=-trimpath go test -C hack/cluster -json -shuffle=on ./ingress ./cmd/gatewayingress || status=$?
  GOWORK=off CGO_ENABLED=0 GOFLAGS=-trimpath go test -C hack/cluster/knative-e2e -json -shuffle=on ./classproxy || status=$?
  return "$status"
}

status=0
tests "$@" | "${OUTPUT:-_output}/bin/testsum" -out "$out/unit.json" || status=$?
exit "$status"
