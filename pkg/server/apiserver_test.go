package server

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// apiServer is a Kubernetes API server in memory: it gets, lists, watches, creates, updates,
// patches and deletes objects of any kind in JSON, and checks nothing but resource versions.
type apiServer struct {
	url string
	mu  sync.Mutex
	// objects are by path, such as /api/v1/namespaces/default/pods/a.
	objects map[string]*unstructured.Unstructured
	events  []apiEvent
	// changed is closed, and made anew, with each event.
	changed chan struct{}
}

type apiEvent struct {
	path   string
	kind   string // ADDED, MODIFIED or DELETED
	object *unstructured.Unstructured
}

// newAPIServer serves the objects, each a manifest below the path that its collection has.
func newAPIServer(t *testing.T, manifests map[string][]string) *apiServer {
	t.Helper()
	a := &apiServer{objects: map[string]*unstructured.Unstructured{}, changed: make(chan struct{})}
	for collection, all := range manifests {
		for _, m := range all {
			u := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(m), &u.Object); err != nil {
				t.Fatal(err)
			}
			a.put(collection+"/"+u.GetName(), u)
		}
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// kubeconfig is a file that leads to the server.
func (a *apiServer) kubeconfig(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: k, cluster: {server: %q}}]\n"+
		"contexts: [{name: c, context: {cluster: k, user: u}}]\nusers: [{name: u, user: {}}]\n", a.url)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// put stores an object; a.mu is held, or nobody else has a yet.
func (a *apiServer) put(path string, u *unstructured.Unstructured) {
	kind := "MODIFIED"
	if was, exists := a.objects[path]; exists {
		u.SetUID(was.GetUID())
	} else {
		kind = "ADDED"
		u.SetUID(types.UID("uid-" + u.GetName()))
		u.SetCreationTimestamp(metav1.Now())
	}
	a.record(apiEvent{path, kind, u})
	a.objects[path] = u
}

func (a *apiServer) record(e apiEvent) {
	e.object.SetResourceVersion(strconv.Itoa(len(a.events) + 1))
	a.events = append(a.events, e)
	close(a.changed)
	a.changed = make(chan struct{})
}

// until waits for what an object is to become, a minute at most; ended says that nothing more comes.
func (a *apiServer) until(path string, ended <-chan error, is func(*unstructured.Unstructured) bool) error {
	limit := time.After(time.Minute)
	for {
		a.mu.Lock()
		u, changed := a.objects[path], a.changed
		done := u != nil && is(u)
		a.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case err := <-ended:
			return fmt.Errorf("the process ended: %w", err)
		case <-limit:
			return fmt.Errorf("%s did not become what it should in a minute: %v", path, u)
		}
	}
}

// stored is the object at a path; nil is none.
func (a *apiServer) stored(path string) *unstructured.Unstructured {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects[path]
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	collection, name := split(r.URL.Path)
	switch {
	case collection == "":
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound)
	case r.Method == http.MethodGet && name == "" && r.URL.Query().Get("watch") != "":
		a.watch(w, r, collection)
	case r.Method == http.MethodGet && name == "":
		a.list(w, r, collection)
	default:
		a.object(w, r, request{collection, name, body}) // a subresource is the object itself
	}
}

// request is about one object.
type request struct {
	collection, name string
	body             []byte
}

// object answers a request for one object.
func (a *apiServer) object(w http.ResponseWriter, r *http.Request, q request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := &unstructured.Unstructured{}
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		var err error
		if next, err = decode(q.body, r.Header.Get("Content-Type")); err != nil {
			fail(w, http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType)
			return
		}
		q.name = next.GetName()
	}
	path := q.collection + "/" + q.name
	was, exists := a.objects[path]
	switch version := next.GetResourceVersion(); {
	case r.Method == http.MethodPost && exists:
		fail(w, http.StatusConflict, metav1.StatusReasonAlreadyExists)
		return
	case r.Method != http.MethodPost && !exists:
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	case r.Method == http.MethodPut && version != "" && version != was.GetResourceVersion():
		fail(w, http.StatusConflict, metav1.StatusReasonConflict)
		return
	}
	switch r.Method {
	case http.MethodGet:
		next = was
	case http.MethodDelete:
		delete(a.objects, path)
		next = was.DeepCopy()
		a.record(apiEvent{path, "DELETED", next})
	case http.MethodPatch:
		text, err := was.MarshalJSON()
		if err == nil {
			text, err = jsonpatch.MergePatch(text, q.body)
		}
		if err != nil || json.Unmarshal(text, &next.Object) != nil {
			fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
			return
		}
		a.put(path, next)
	default:
		a.put(path, next)
	}
	answer(w, http.StatusOK, next.Object)
}

func (a *apiServer) list(w http.ResponseWriter, r *http.Request, collection string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	items := []any{}
	head := map[string]any{} // an empty list needs no kind, unless a dynamic client asks
	for _, path := range slices.Sorted(maps.Keys(a.objects)) {
		if u := a.objects[path]; within(path, collection) && selected(u, r) {
			items = append(items, u.Object)
			head["kind"], head["apiVersion"] = u.GetKind()+"List", u.GetAPIVersion()
		}
	}
	head["items"], head["metadata"] = items, map[string]any{"resourceVersion": strconv.Itoa(len(a.events))}
	answer(w, http.StatusOK, head)
}

func (a *apiServer) watch(w http.ResponseWriter, r *http.Request, collection string) {
	next, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil || r.URL.Query().Get("sendInitialEvents") != "" { // the client lists instead
		fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	for {
		a.mu.Lock()
		news, changed := slices.Clone(a.events[next:]), a.changed
		for _, e := range news {
			if within(e.path, collection) && selected(e.object, r) {
				_ = json.NewEncoder(w).Encode(map[string]any{"type": e.kind, "object": e.object.Object}) // the client went away
			}
		}
		a.mu.Unlock()
		next += len(news)
		w.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// split is the collection and the name of a path, such as /api/v1/namespaces/a/pods and b.
func split(path string) (collection, name string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	n := 3 // api, version, resource
	if parts[0] == "apis" {
		n++
	}
	if len(parts) > n && parts[n-1] == "namespaces" {
		n += 2
	}
	if len(parts) < n {
		return "", ""
	}
	return "/" + strings.Join(parts[:n], "/"), append(parts, "")[n]
}

// within reports whether an object is of a collection, which may be that of all namespaces.
func within(path, collection string) bool {
	own := path[:strings.LastIndex(path, "/")]
	if own == collection {
		return true
	}
	before, after, namespaced := strings.Cut(own, "/namespaces/")
	_, resource, _ := strings.Cut(after, "/")
	return namespaced && resource != "" && before+"/"+resource == collection
}

func selected(u *unstructured.Unstructured, r *http.Request) bool {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	name, byName := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	return err == nil && selector.Matches(labels.Set(u.GetLabels())) && (!byName || name == u.GetName())
}

// decode reads an object as clients send it: Kubernetes' own kinds as protobuf, others as JSON.
func decode(body []byte, contentType string) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	if contentType == runtime.ContentTypeJSON {
		return u, json.Unmarshal(body, &u.Object)
	}
	object, kind, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return nil, err
	}
	u.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	u.SetGroupVersionKind(*kind)
	return u, err
}

func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object) // the client went away
}

func fail(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	answer(w, code, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Reason: reason, Code: int32(code), Message: string(reason)})
}
