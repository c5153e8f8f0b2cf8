//go:build tools

// Package tools pins Prometheus, in a module of its own because its dependencies do not agree
// with those of Kubernetes.
package tools

import _ "github.com/prometheus/prometheus/cmd/prometheus"
