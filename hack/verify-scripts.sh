#!/usr/bin/env bash
# Shell scripts are executable, parse, and pass shellcheck where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
scripts=()
while read -r f; do
  [[ -f $f ]] || continue
  scripts+=("$f")
  [[ -x $f ]] || { echo "$f is not executable; fix: chmod +x $f"; status=1; }
  bash -n "$f" || status=1
done < <({ git ls-files -co --exclude-standard '*.sh'; echo .ci/run; } | sort -u)
if command -v shellcheck >/dev/null; then
  shellcheck -S warning "${scripts[@]}" || { echo "fix what shellcheck names above"; status=1; }
else
  echo "shellcheck is not installed (apt-get install shellcheck): only the syntax was checked"
fi
exit $status
