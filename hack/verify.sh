#!/usr/bin/env bash
# Runs every hack/verify-*.sh, goes on after a failure, and ends with a summary.
# Each check can be run alone; each says what is wrong and how to fix it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failed=()
for check in hack/verify-*.sh; do
  start=$SECONDS
  if log=$("$check" 2>&1); then
    printf 'ok    %-26s %3d s\n' "$(basename "$check")" $((SECONDS - start))
    [[ -z $log ]] || sed 's/^/      /' <<<"$log"
  else
    printf 'FAIL  %-26s %3d s\n' "$(basename "$check")" $((SECONDS - start))
    sed 's/^/      /' <<<"$log"
    failed+=("$check")
  fi
done
if [[ ${#failed[@]} -gt 0 ]]; then
  echo "verify: ${#failed[@]} failed; run one alone with: ${failed[0]}"
  exit 1
fi
echo "verify: all checks passed"
