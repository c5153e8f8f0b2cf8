// Package podautoscaler is the Knative reconciler of PodAutoscalers of our
// class. It reads annotations into settings, keeps the collector and the
// decision loop of each revision in step with them, and, on the leader, acts:
// it patches the scale target, keeps the ServerlessService in Serve mode and
// writes the PodAutoscaler's status. It never aggregates load and never decides.
package podautoscaler
