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
flags=(-shuffle=on)
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

packages=("$@")
[[ ${#packages[@]} -gt 0 ]] || packages=(./...)
status=0
go test -json "${flags[@]}" "${packages[@]}" | "${OUTPUT:-_output}/bin/testsum" -out "$out/unit.json" || status=$?
exit "$status"
