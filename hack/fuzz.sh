#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (10s) each and ends with a table: executions, seconds
# of CPU (compiling included) and result of each target, and the total. Seeds alone are part of
# make test.
#
#   hack/fuzz.sh [REGEXP]    only the targets whose "package target" matches
#
# FUZZPARALLEL (1) is the number of workers. -fuzzminimizetime=1x: without it Go spends
# the whole time on minimizing one large input (FuzzState made 2 executions in a minute).
# The lines of the table are kept in _output/fuzz/<time>.txt.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
out=${OUTPUT:-_output}/fuzz
mkdir -p "$out"
table=$out/$(date +%Y%m%d-%H%M%S).txt
log=$(mktemp) cpu=$(mktemp)
trap 'rm -f "$log" "$cpu"' EXIT
TIMEFORMAT='%U %S'

# ended reports whether a run failed only because its time was over in the middle of an input:
# Go then says "context deadline exceeded" and names no failing input.
ended() { grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input|panic:' "$log"; }

listed=$(go test -list '^Fuzz' ./pkg/...) || { echo "$listed"; exit 1; }
targets=$(awk '/^Fuzz/ { n[++i] = $1 } /^ok/ { for (; i > 0; i--) print $2, n[i] }' <<<"$listed" | grep -E -- "${1:-.}") ||
  { echo "no fuzz target matches ${1:-.}"; exit 2; }

status=0
while read -r package target; do
  echo "== $package $target"
  result=ok
  { time go test -run='^$' -fuzz="^$target\$" -fuzztime="${FUZZTIME:-10s}" -fuzzminimizetime=1x \
    -parallel="${FUZZPARALLEL:-1}" "$package" </dev/null >"$log" 2>&1; } 2>"$cpu" || ended || { result=FAILED status=1; }
  cat "$log"
  executions=$(sed -nE 's/.*execs: ([0-9]+) .*/\1/p' "$log" | tail -1)
  seconds=$(awk '{ printf "%d", $1 + $2 }' "$cpu")
  printf '%-80s %12d executions %6d s of CPU  %s\n' "${package#github.com/knative-inference/autoscaler-adapter/}.$target" \
    "${executions:-0}" "$seconds" "$result" >>"$table"
done <<<"$targets"
cat "$table"
awk '{ n += $2; s += $4 } END { printf "%d targets, %d executions, %d min of CPU\n", NR, n, s / 60 }' "$table"
exit "$status"
