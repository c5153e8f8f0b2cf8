package metricsapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/klog/v2"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
)

// maxFastItems is the longest list that fastLists answers, about 116 KB: above
// 128 KiB the library compresses the answer, which is left to the library.
const maxFastItems = 400

// fastLists answers the frequent question, one metric of a namespace's or of all
// objects in JSON, and passes everything else on to next. The bytes are those of
// the library (TestFastLists_answerAsTheLibrary), which takes ten times as long:
// it converts each value twice and encodes by reflection.
func fastLists(view View, next http.Handler) http.Handler {
	answers := &sharedAnswers{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, ok := parsed(r)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		question := questionOf(q.Query, q.version)
		if body := answers.get(question, time.Now()); body != nil {
			writeList(w, body)
			return
		}
		list := view.List(q.Query)
		if len(list.Objects) > maxFastItems {
			next.ServeHTTP(w, r)
			return
		}
		body := bodies.Get().(*[]byte)
		defer bodies.Put(body)
		*body = appendList((*body)[:0], list.Objects, q.Query, q.version)
		answers.put(question, *body, list.Until)
		writeList(w, *body)
	})
}

func writeList(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client went away
}

// bodies are buffers of answers, of at most about maxFastItems: allocated for each answer they
// were two fifths of what 500 lists a second allocate, and the collection of garbage delays
// the lists that meet it.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// listQuery is a list that fastLists can answer, in a version of the API.
type listQuery struct {
	Query
	version string
}

// queryKey is that of a listQuery in the context of its request.
type queryKey struct{}

// parsed returns what fastQuery has read of a request, and reads it where nobody has.
func parsed(r *http.Request) (listQuery, bool) {
	if q, found := r.Context().Value(queryKey{}).(listQuery); found {
		return q, true
	}
	info, found := request.RequestInfoFrom(r.Context())
	if !found {
		return listQuery{}, false
	}
	return fastQuery(r, info)
}

// fastQuery reads a request; false when the library has to answer.
func fastQuery(r *http.Request, info *request.RequestInfo) (listQuery, bool) {
	if r.Method != http.MethodGet || !info.IsResourceRequest || info.APIGroup != GroupName ||
		info.Name != "*" || len(info.Parts) != 3 {
		return listQuery{}, false
	}
	resource := schema.ParseGroupResource(info.Resource)
	_, served := kindOf(resource)
	if !served || !isMetric(info.Subresource) || !slices.Contains(versions(), info.APIVersion) || !wantsJSON(r.Header) {
		return listQuery{}, false
	}
	selector, ok := onlySelector(r.URL)
	q := Query{Resource: resource, Namespace: info.Namespace, Metric: info.Subresource, Selector: selector}
	return listQuery{q, info.APIVersion}, ok
}

// wantsJSON reports whether plain JSON is what the client asks for first or at all.
func wantsJSON(h http.Header) bool {
	accept := strings.Join(h.Values("Accept"), ",")
	if accept == "" || accept == "*/*" {
		return true
	}
	first, _, _ := strings.Cut(accept, ",")
	return strings.TrimSpace(first) == "application/json"
}

// onlySelector returns the label selector of a URL that has no other parameter.
func onlySelector(u *url.URL) (labels.Selector, bool) {
	if u.RawQuery == "" {
		return labels.Everything(), true
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(query) != 1 || len(query["labelSelector"]) != 1 {
		return nil, false
	}
	selector, err := labels.Parse(query.Get("labelSelector"))
	return selector, err == nil
}

// appendList encodes the objects whose value is known.
func appendList(b []byte, objects []Object, q Query, version string) []byte {
	gvk, _ := kindOf(q.Resource)
	head := appendString([]byte(`{"describedObject":{"kind":`), gvk.Kind)
	b = append(b, `{"kind":"MetricValueList","apiVersion":"`+GroupName+"/"+version+`","metadata":{},"items":[`...)
	first := true
	for _, o := range objects {
		if !q.Selector.Matches(labels.Set(o.Labels)) {
			continue
		}
		sample, ok := o.sample(q.Metric)
		if !ok {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendObject(append(b, head...), o, gvk.GroupVersion().String())
		b = appendSample(b, sample, version)
	}
	return append(b, "]}\n"...)
}

func appendObject(b []byte, o Object, apiVersion string) []byte {
	for _, field := range []struct{ key, value string }{
		{`,"namespace":`, o.Namespace}, {`,"name":`, o.Name}, {`,"uid":`, string(o.UID)}, {`,"apiVersion":`, apiVersion},
	} {
		if field.value != "" {
			b = appendString(append(b, field.key...), field.value)
		}
	}
	return append(b, '}')
}

// appendSample ends an item. The versions differ in the metric's place and the window's name.
func appendSample(b []byte, s Sample, version string) []byte {
	old := version == v1beta1.SchemeGroupVersion.Version
	window := `,"windowSeconds":`
	if old {
		b, window = appendString(append(b, `,"metricName":`...), s.Metric), `,"window":`
	} else {
		b = append(appendString(append(b, `,"metric":{"name":`...), s.Metric), `,"selector":null}`...)
	}
	b = append(b, `,"timestamp":`...)
	if s.Time.IsZero() {
		b = append(b, "null"...)
	} else {
		b = append(s.Time.UTC().AppendFormat(append(b, '"'), time.RFC3339), '"')
	}
	if seconds := windowSeconds(s.Window); seconds != nil {
		b = strconv.AppendInt(append(b, window...), *seconds, 10)
	}
	value := quantity(s.Value)
	number, suffix := value.CanonicalizeBytes(make([]byte, 0, 24))
	b = append(append(append(append(b, `,"value":"`...), number...), suffix...), '"')
	if old {
		b = append(b, `,"selector":null`...)
	}
	return append(b, '}')
}

// escaped are the bytes that are not written as they are.
var escaped = func() (table [256]bool) {
	for c := range table {
		table[c] = c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, byte(c)) >= 0
	}
	return table
}()

// appendString quotes a string; names of Kubernetes need no escapes.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if escaped[s[i]] {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // a string is always encoded
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// contained answers a request that panics with status 500, so that one poisoned
// object neither ends the process nor the connection that others share.
func contained(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause)
			default:
				klog.ErrorS(fmt.Errorf("%v", cause), "a request of the metrics API panicked; please report this", "path", r.URL.Path, "stack", string(debug.Stack()))
				err := apierrors.NewInternalError(fmt.Errorf("autoscaler-adapter failed on %s: its log has the cause", r.URL.Path))
				responsewriters.ErrorNegotiated(err, apiserver.Codecs, schema.GroupVersion{Version: "v1"}, w, r)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
