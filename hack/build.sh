#!/usr/bin/env bash
# Builds a static binary (build.sh adapter for the cluster, build.sh ipa for people)
# or the container image (build.sh image).
# The image is one archive that containerd, docker, podman and skopeo read.
set -euo pipefail
cd "$(dirname "$0")/.."
output=${OUTPUT:-_output}
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
image=${IMAGE:-dev.local/autoscaler-adapter:dev}

binary() { # binary NAME: the command cmd/NAME
  mkdir -p "$output/bin"
  CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$version" -o "$output/bin/$1" "./cmd/$1"
  echo "$output/bin/$1 $version"
}

# mkimage is of the cluster's module and needs the standard library only.
mkimage() {
  mkdir -p "$output/bin"
  CGO_ENABLED=0 GOWORK=off go build -C hack/cluster -o "$PWD/$output/bin/mkimage" ./cmd/mkimage
  "$output/bin/mkimage" "$@"
}

image() {
  binary autoscaler-adapter
  mkdir -p "$output/images"
  mkimage -label "org.opencontainers.image.version=$version" \
    "$output/images/autoscaler-adapter.tar" "$image" "$output/bin/autoscaler-adapter"
  echo "$output/images/autoscaler-adapter.tar $image"
}

# The same image compressed, for a release: build.sh archive FILE.
archive() {
  binary autoscaler-adapter
  mkimage -gzip -label "org.opencontainers.image.version=$version" \
    -label org.opencontainers.image.licenses=Apache-2.0 \
    "$1" "$image" "$output/bin/autoscaler-adapter"
}

case ${1:-} in
  adapter) binary autoscaler-adapter ;;
  ipa) binary ipa ;;
  image) image ;;
  archive) archive "${2:?usage: build.sh archive FILE}" ;;
  *) echo "usage: build.sh adapter | ipa | image | archive FILE" >&2; exit 2 ;;
esac
