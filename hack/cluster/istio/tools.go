//go:build tools

// Package tools pins Istio's control plane, its agent and the helm that renders its charts, in a
// module of its own. Only this one version of Istio is served by the Go module proxy, and it
// needs the replaces of go.mod.
package tools

import (
	_ "helm.sh/helm/v4/cmd/helm"
	_ "istio.io/istio/pilot/cmd/pilot-agent"
	_ "istio.io/istio/pilot/cmd/pilot-discovery"
)
