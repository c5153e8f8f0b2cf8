//go:build tools

// Package tools pins the engine simulator, in a module of its own because its dependencies
// do not agree with those of Kubernetes.
package tools

import _ "github.com/llm-d/llm-d-inference-sim/cmd/llm-d-inference-sim"
