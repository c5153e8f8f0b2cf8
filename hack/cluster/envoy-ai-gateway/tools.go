//go:build tools

// Package tools pins Envoy AI Gateway and Envoy Gateway, in a module of their own because their
// dependencies do not agree with those of Kubernetes.
package tools

import (
	_ "github.com/envoyproxy/ai-gateway/cmd/controller"
	_ "github.com/envoyproxy/gateway/cmd/envoy-gateway"
)
