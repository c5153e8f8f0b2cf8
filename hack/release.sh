#!/usr/bin/env bash
# Writes a release into _output/release/<version>/:
#   autoscaler-adapter.yaml       the autoscaler and its webhook, for kubectl apply -f
#   inference-gateway.yaml        the part for inference gateways, for who wants it
#   prometheus.yaml               PodMonitors and alerts, for clusters with the Prometheus Operator
#   autoscaler-adapter.tar        the image, an OCI layout that containerd, podman, skopeo and crane read
#   autoscaler-adapter.cdx.json   what the binary in the image was built from (CycloneDX)
#   ipa                           what people type, for the system of this machine; as kubectl-ipa in the PATH it is "kubectl ipa"
#   SHA256SUMS
# VERSION (git describe), IMAGE (dev.local/autoscaler-adapter:<version>): the
# reference that the YAML names; push the archive there under that name.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
image=${IMAGE:-dev.local/autoscaler-adapter:$version}
dir=${OUTPUT:-_output}/release/$version
mkdir -p "$dir"

VERSION=$version IMAGE=$image hack/build.sh archive "$dir/autoscaler-adapter.tar"
go run ./hack/release -version "$version" -image "$image" >"$dir/autoscaler-adapter.yaml"
go run ./hack/release -version "$version" -image "$image" -config config/inference-gateway >"$dir/inference-gateway.yaml"
go run ./hack/release -version "$version" -image "$image" -config config/prometheus >"$dir/prometheus.yaml"
go run ./hack/release -version "$version" -sbom "${OUTPUT:-_output}/bin/autoscaler-adapter" >"$dir/autoscaler-adapter.cdx.json"
VERSION=$version hack/build.sh ipa && cp "${OUTPUT:-_output}/bin/ipa" "$dir/ipa"
(cd "$dir" && sha256sum autoscaler-adapter.* inference-gateway.yaml prometheus.yaml ipa >SHA256SUMS)

echo "release $version in $dir, image $image"
ls -l "$dir" | awk 'NR > 1 { printf "  %9d  %s\n", $5, $9 }'
cat <<TXT
install:   kubectl apply -f $dir/autoscaler-adapter.yaml
           kubectl apply -f $dir/inference-gateway.yaml    # only for inference gateways
uninstall: first give Services of our class another one, and wait until none of their old revisions has pods; then
           kubectl delete --ignore-not-found -f $dir/inference-gateway.yaml -f $dir/autoscaler-adapter.yaml
TXT
