package binding

// ServiceKeys lists the annotations that belong on the Knative Service itself.
func ServiceKeys() []string { return serviceKeys() }

// TemplateKeys lists those that belong under spec.template.
func TemplateKeys() []string { return templateKeys() }
