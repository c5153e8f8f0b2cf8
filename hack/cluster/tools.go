//go:build tools

// Package tools makes go.mod name everything the cluster builds or reads from the module cache.
package tools

import (
	_ "knative.dev/caching/config"
	_ "knative.dev/networking/config"
	_ "knative.dev/serving/cmd/activator"
	_ "knative.dev/serving/cmd/autoscaler"
	_ "knative.dev/serving/cmd/autoscaler-hpa"
	_ "knative.dev/serving/cmd/controller"
	_ "knative.dev/serving/cmd/queue"
	_ "knative.dev/serving/cmd/webhook"
)
