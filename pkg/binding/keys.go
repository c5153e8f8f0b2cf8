package binding

// ServiceKeys lists the annotations that belong on the Knative Service itself.
func ServiceKeys() []string { return serviceKeys() }
