//go:build e2e

// Package e2e runs the product on a real cluster: real kubelet, real Knative
// Serving, real ingress. hack/e2e.sh is how to start it.
//
// Environment: KUBECONFIG and IPA_INGRESS (host:port of the ingress) name the
// cluster. IPA_IMAGE, IPA_SIM_IMAGE and IPA_ENGINE_IMAGE name the images, which
// must be known to the nodes. The tests of the inference gateway skip without
// GatewayClass IPA_GATEWAY_CLASS (istio); IPA_EPP_IMAGE and IPA_BBR_IMAGE are the
// picker's and the router's images, IPA_NET_PROXY a proxy into the cluster's
// network, IPA_KSERVE the build of KServe (TestKServe skips without it), IPA_SEEDS the
// files of ACK's walk-through. IPA_E2E_INSTALL=skip uses the adapter that is
// installed already, without the comparison of before and after.
//
// Tests that change what all revisions share (config maps, the adapter's own
// pods) are sequential; Go runs them before the parallel ones. Each test has a
// namespace of its own.
package e2e
