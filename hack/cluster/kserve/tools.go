//go:build tools

// Package tools pins KServe's controller, in a module of its own because its dependencies do
// not agree with those of Kubernetes.
package tools

import _ "github.com/kserve/kserve/cmd/manager"
