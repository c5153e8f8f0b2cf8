package server

import (
	"fmt"
	"slices"
	"strings"
)

// Part is what a process of the program does. Each part has a Deployment, a
// ServiceAccount and rights of its own, so that the process that parses the
// metrics endpoints of tenants is not the one that may create Deployments.
type Part string

// The parts of the program.
const (
	// Autoscaler collects, decides, scales, and serves custom.metrics.k8s.io.
	Autoscaler Part = "autoscaler"
	// Webhook answers admission reviews.
	Webhook Part = "webhook"
	// Gateway configures inference gateways. It is installed by a file of its own.
	Gateway Part = "gateway"
)

// AllParts is what a process does when the command line names no part.
func AllParts() []Part { return []Part{Autoscaler, Webhook, Gateway} }

// ParseParts reads a comma-separated list of parts, and refuses an empty one and
// names that it does not know.
func ParseParts(text string) ([]Part, error) {
	var parts []Part
	for name := range strings.SplitSeq(text, ",") {
		p := Part(strings.TrimSpace(name))
		if !slices.Contains(AllParts(), p) {
			return nil, fmt.Errorf("--parts: there is no part %q; name some of autoscaler, webhook and gateway, separated by commas", p)
		}
		if !slices.Contains(parts, p) {
			parts = append(parts, p)
		}
	}
	return parts, nil
}

func (o Options) has(p Part) bool { return slices.Contains(o.Parts, p) }
