#!/usr/bin/env bash
# Every go.mod is tidy.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
while read -r mod; do
  diff=$(cd "$(dirname "$mod")" && GOWORK=off go mod tidy -diff 2>&1) && continue
  echo "$mod is not tidy; fix: (cd $(dirname "$mod") && go mod tidy)"
  head -30 <<<"$diff"
  status=1
done < <(git ls-files -co --exclude-standard '*go.mod')
exit $status
