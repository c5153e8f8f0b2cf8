// Package inferencegateway is the reconciler that puts an annotated Knative
// Service behind an inference gateway. It observes Services, their traffic and
// pods, Gateways and whatever of the Gateway API is installed, has package
// manifest render what should exist, applies that, removes what should not, and
// reports in an InferenceBinding. It renders nothing itself and touches nothing
// that it does not own.
package inferencegateway
