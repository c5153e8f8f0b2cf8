//go:build tools

// Package tools pins KEDA's operator and its metrics server, in a module of its own because
// their dependencies do not agree with those of Kubernetes.
package tools

import (
	_ "github.com/kedacore/keda/v2/cmd/adapter"
	_ "github.com/kedacore/keda/v2/cmd/operator"
)
