// Package webhook answers the API server when a Pod of a Knative revision or a
// Knative Service that bears annotations of ours is written. Pods get the labels
// that their InferencePool selects on; Services get the class, refusals with the
// field and the fix, and warnings. It reads caches only, writes nothing but its
// own certificate and CA bundles, and answers on every replica without a lease.
// Patches name single fields, so what a newer Knative adds survives.
package webhook
