// Package config turns what users write into what the decider reads, once, at
// the edge: the annotations of a PodAutoscaler, knative-serving's own
// config-autoscaler and our config-ipa become one validated Settings value, or
// an error that names the annotation and the fix.
//
// Concurrency and rps targets, windows and rates are resolved by Knative's own
// functions, so that they mean exactly what they mean for Knative's class.
package config
