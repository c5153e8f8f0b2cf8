//go:build tools

// Package tools pins Kourier, Knative's own ingress, in a module of its own because it wants
// an older Kubernetes client than Knative Serving does.
package tools

import _ "knative.dev/net-kourier/cmd/kourier"
