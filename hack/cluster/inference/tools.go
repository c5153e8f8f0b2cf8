//go:build tools

// Package tools pins the endpoint picker, the body-based router and, by their modules, the
// custom resources of Gateway API and of its inference extension.
package tools

import (
	_ "sigs.k8s.io/gateway-api-inference-extension/cmd/bbr/runner"
	_ "sigs.k8s.io/gateway-api-inference-extension/cmd/epp/runner"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
