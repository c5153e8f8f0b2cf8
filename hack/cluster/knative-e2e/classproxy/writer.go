package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	classKey  = "autoscaling.knative.dev/class"
	metricKey = "autoscaling.knative.dev/metric"
	// maxBody bounds an object that is rewritten: the API server's own limit.
	maxBody = 3 << 20
)

// writer writes annotations into the templates of Services and Configurations.
type writer struct {
	class  string // "" changes nothing
	metric string // only where the template names none; "" is none
}

// rewrite changes the body of a request that creates or replaces a Service or a
// Configuration of Knative. A body that is no JSON object with a template stays as it is.
func (w writer) rewrite(r *http.Request) error {
	if !w.concerns(r) {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return err
	}
	if len(body) > maxBody {
		return fmt.Errorf("an object of more than %d bytes", maxBody)
	}
	body = w.annotate(body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// concerns reports whether a request carries a whole Service or Configuration. A patch
// changes single fields and keeps the annotations of the object.
func (w writer) concerns(r *http.Request) bool {
	return w.class != "" && (r.Method == http.MethodPost || r.Method == http.MethodPut) &&
		strings.HasPrefix(r.URL.Path, "/apis/serving.knative.dev/") && strings.Contains(r.Header.Get("Content-Type"), "json")
}

func (w writer) annotate(body []byte) []byte {
	var o map[string]any
	if json.Unmarshal(body, &o) != nil {
		return body
	}
	spec, _ := o["spec"].(map[string]any)
	template, _ := spec["template"].(map[string]any)
	if template == nil {
		return body
	}
	annotations := child(child(template, "metadata"), "annotations")
	annotations[classKey] = w.class
	if _, named := annotations[metricKey]; !named && w.metric != "" {
		annotations[metricKey] = w.metric
	}
	out, err := json.Marshal(o)
	if err != nil {
		return body
	}
	return out
}

// child returns the object below a key, made if it is not there.
func child(o map[string]any, key string) map[string]any {
	c, ok := o[key].(map[string]any)
	if !ok {
		c = map[string]any{}
		o[key] = c
	}
	return c
}
