// Package promconfig makes configuration of a real Prometheus from what the project ships for
// one: PodMonitors and PrometheusRules, which only the Prometheus Operator reads, and the scrape
// configuration in docs/prometheus.md. It also finds every PromQL expression in the documents
// and manifests, so that a test can ask each. It is for tests.
package promconfig
