#!/usr/bin/env bash
# Benchmarks of the packages (PACKAGES, default ./pkg/...) COUNT times each into
# _output/bench/<commit>.txt. BASE=<commit> compares with the file of an earlier
# run; paste that table into the commit of a change that is about speed.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUTPUT:-_output}/bench
bin=$PWD/${OUTPUT:-_output}/bin
mkdir -p "$out" "$bin"
dirty=
git diff --quiet HEAD || dirty=-dirty
file=$out/$(git rev-parse --short HEAD)$dirty.txt
read -ra packages <<<"${PACKAGES:-./pkg/...}"
go test -run='^$' -bench="${BENCH:-.}" -benchmem -count="${COUNT:-6}" "${packages[@]}" |
  grep -vE '^(PASS|\?|ok .*no test files)' | tee "$file"
GOWORK=off go build -C hack/tools -o "$bin/benchstat" golang.org/x/perf/cmd/benchstat
base=()
if [[ -n ${BASE:-} ]]; then
  base=("$out/$(git rev-parse --short "$BASE").txt")
  [[ -f ${base[0]} ]] || { echo "no ${base[0]}: check out $BASE and run make bench there first" >&2; exit 1; }
fi
echo
"$bin/benchstat" "${base[@]}" "$file" | tee "$out/stat.txt"
