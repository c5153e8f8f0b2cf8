#!/bin/sh
# A real one-node Kubernetes with Knative Serving and Kourier on this machine.
# cluster.sh without arguments prints what it can do. See README.md beside this file.
set -eu
src=$(cd "$(dirname "$0")" && pwd)
cache=${IPA_CACHE:-$HOME/.cache/ipa-cluster}
command -v go >/dev/null || { echo "cluster.sh: needs Go (see the go line in $src/go.mod)" >&2; exit 1; }
mkdir -p "$cache/tools"
# Quick: standard library only, and Go's build cache knows when nothing changed.
(cd "$src" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOWORK=off go build -o "$cache/tools/" ./cmd/cluster ./cmd/mkimage)
IPA_CACHE=$cache IPA_CLUSTER_SRC=$src exec "$cache/tools/cluster" "$@"
