// Package metricsapi serves custom.metrics.k8s.io, versions v1beta1 and v1beta2,
// from memory: pods, Knative revisions and Knative services, each with the
// metrics that a HorizontalPodAutoscaler or a person may ask for.
//
// It reads everything through a View and never asks the cluster for an object.
// A value that is unknown or stale is absent: a list leaves the object out and a
// read by name answers 404, which a HorizontalPodAutoscaler takes as missing. It
// is never 0. Every value carries the time of its own sample and the window that
// it covers.
//
// The same package keeps what such an API needs in a cluster: the serving
// certificate (Certificates, shared by all replicas through one Secret) and the
// two APIService objects (Registrar), which are written only when nobody else
// serves this API.
package metricsapi
