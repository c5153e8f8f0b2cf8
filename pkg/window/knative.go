package window

import "time"

// KnativeStable and KnativePanic are the windows of Knative's autoscaler where neither
// config-autoscaler nor an annotation has others: stable-window 60s, and
// panic-window-percentage 10 of that.
const (
	KnativeStable = time.Minute
	KnativePanic  = KnativeStable / 10
)
