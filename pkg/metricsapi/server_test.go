package metricsapi

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/servingcert"
)

// frontProxy is the API server's side: the certificate it calls us with.
type frontProxy struct {
	ca   []byte
	pair tls.Certificate
}

func newFrontProxy(t *testing.T, name string) frontProxy {
	t.Helper()
	issue := func(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if parent == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	caTemplate := template(t, "front proxy CA")
	caTemplate.IsCA, caTemplate.BasicConstraintsValid = true, true
	ca, caKey := issue(caTemplate, nil, nil)
	leafTemplate := template(t, name)
	leafTemplate.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	leaf, key := issue(leafTemplate, ca, caKey)
	return frontProxy{
		ca:   encode("CERTIFICATE", ca.Raw),
		pair: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key},
	}
}

// kube is the part of a cluster that says who calls.
func kube(proxy frontProxy) *fake.Clientset {
	return fake.NewClientset(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "extension-apiserver-authentication"},
		Data: map[string]string{
			"requestheader-client-ca-file":       string(proxy.ca),
			"requestheader-allowed-names":        `["front-proxy-client"]`,
			"requestheader-username-headers":     `["X-Remote-User"]`,
			"requestheader-group-headers":        `["X-Remote-Group"]`,
			"requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`,
			"client-ca-file":                     string(proxy.ca),
		},
	}, emptySecret())
}

// reviews answers over HTTP, which is all the library asks with: alice may read
// metrics and the recording, nobody else may.
func reviews(t *testing.T) kubernetes.Interface {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/subjectaccessreviews", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(review *authorizationv1.SubjectAccessReview) {
			attributes, path := review.Spec.ResourceAttributes, review.Spec.NonResourceAttributes
			metrics := attributes != nil && attributes.Group == GroupName && (attributes.Verb == "get" || attributes.Resource == "recording")
			review.Status.Allowed = review.Spec.User == "alice" && (metrics || path != nil && path.Path == recordingDirectPath)
		})
	})
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(review *authenticationv1.TokenReview) {
			review.Status.Authenticated = review.Spec.Token == "alice-token"
			review.Status.User.Username = "alice"
		})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// answer fills in the status of a posted review.
func answer[T any](w http.ResponseWriter, r *http.Request, decide func(*T)) {
	var review T
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	decide(&review)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(review)
}

// run starts a server on a free port and waits until it is ready and registered.
func run(t *testing.T, o Options, client *fake.Clientset) (s *Server, c *cluster, url string) {
	t.Helper()
	c = newCluster(t, clusterRole("role-1"))
	o.View = twoModels()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := newServer(o, clients{kube: client, reviews: reviews(t), dynamic: c.client})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if s.Ready() {
			t.Error("still ready after the end")
		}
	})
	eventually(t, func() bool { return s.Ready() && c.get("v1beta2") != nil })
	return s, c, "https://" + listener.Addr().String()
}

// As the API server calls us: by the name in the certificate, trusting only the CA
// bundle that stands in the APIService, with the user in headers.
func TestServer_behind_the_API_server(t *testing.T) {
	proxy := newFrontProxy(t, "front-proxy-client")
	recording := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("recorded")) })
	s, c, url := run(t, Options{Registerer: prometheus.NewRegistry(), Recording: recording}, kube(proxy))
	bundle := caBundle(c.get("v1beta2"))
	if bundle != string(s.certs.Bundle()) {
		t.Fatalf("the APIService holds another CA: %s", bundle)
	}
	const path = v1beta2Root + "/namespaces/default/pods/*/kv_cache_usage_percent"
	for _, tt := range []struct {
		name string
		pair *tls.Certificate
		set  func(http.Header)
		path string
		code int
	}{
		{"alice through the proxy", &proxy.pair, user("alice"), path, 200},
		{"mallory through the proxy", &proxy.pair, user("mallory"), path, 403},
		{"the API server's own check", &proxy.pair, user("system:kube-aggregator", "system:masters"), v1beta2Root, 200},
		{"a user without the proxy's certificate", nil, user("alice"), path, 403},
		{"alice's token", nil, bearer("alice-token"), path, 200},
		{"alice's token for root", nil, as(bearer("alice-token"), "root"), path, 403},
		{"a wrong token", nil, bearer("guess"), path, 401},
		{"nobody", nil, func(http.Header) {}, path, 403},
		{"alice reads the recording", &proxy.pair, user("alice"), recordingPath, 200},
		{"alice's token reads that of one replica", nil, bearer("alice-token"), recordingDirectPath, 200},
		{"mallory does not", &proxy.pair, user("mallory"), recordingPath, 403},
		{"nobody does", nil, func(http.Header) {}, recordingDirectPath, 403},
		{"nobody probing", nil, func(http.Header) {}, "/readyz", 200},
		{"metrics of the library are off", &proxy.pair, user("root", "system:masters"), "/metrics", 404},
		{"profiles are off", &proxy.pair, user("root", "system:masters"), "/debug/pprof/", 404},
	} {
		client := clientOf(bundle, tt.pair)
		if code, body := call(t, client, url+tt.path, tt.set); code != tt.code {
			t.Errorf("%s: %d %s, want %d", tt.name, code, body, tt.code)
		}
	}
	other := newFrontProxy(t, "front-proxy-client")
	if code, _ := call(t, clientOf(bundle, &other.pair), url+path, user("alice")); code == 200 {
		t.Error("a certificate of another CA was taken for the API server's")
	}
}

// The next certificate is served without a restart.
func TestServer_reloads_its_certificate(t *testing.T) {
	proxy := newFrontProxy(t, "front-proxy-client")
	client := kube(proxy)
	s, _, url := run(t, Options{}, client)
	old := s.certs.Bundle()

	renewal := time.Now().Add(servingcert.Life * 3 / 4)
	for _, now := range []time.Time{renewal, renewal.Add(servingcert.SettleTime)} {
		if err := s.certs.Sync(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	fresh := firstBlock(s.certs.Bundle())
	if bytes.Contains(old, fresh) {
		t.Fatal("nothing was renewed")
	}
	// Only the new CA is trusted here; its certificate starts in the future.
	config := &tls.Config{ServerName: testHost, RootCAs: pool(fresh), Time: func() time.Time { return renewal }}
	eventually(t, func() bool {
		connection, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "https://"))
		if err != nil {
			return false
		}
		return connection.Close() == nil
	})
}

// A cluster that is not there yet is waited for; the end of ctx ends the wait.
func TestServer_waits_for_the_cluster(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("connection refused")
	})
	log := &bytes.Buffer{}
	s, err := newServer(Options{View: fakeView{}, Log: slog.New(slog.NewTextHandler(log, nil))}, clients{kube: client, dynamic: newDynamic()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := s.serve(ctx, listener); err != nil || s.Ready() {
		t.Errorf("serve: %v, ready %v; want nil, false", err, s.Ready())
	}
	if !strings.Contains(log.String(), "secret autoscaler-adapter-tls: connection refused") {
		t.Errorf("log %q does not say what it waits for", log)
	}
}

func TestRun_port_taken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s, err := newServer(Options{View: fakeView{}, BindAddress: "127.0.0.1", Port: taken.Addr().(*net.TCPAddr).Port}, clients{kube: fake.NewClientset(), dynamic: newDynamic()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Run: %v, want the port to be in use", err)
	}
}

func TestNew_names_what_is_missing(t *testing.T) {
	for want, o := range map[string]Options{
		"RESTConfig is missing": {View: fakeView{}},
		"View is missing":       {RESTConfig: &rest.Config{Host: "https://127.0.0.1:1"}},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
	if _, err := New(Options{RESTConfig: &rest.Config{Host: "https://127.0.0.1:1"}, View: fakeView{}}); err != nil {
		t.Errorf("New: %v, want no call to the cluster", err)
	}
}

func user(name string, groups ...string) func(http.Header) {
	return func(h http.Header) {
		h.Set("X-Remote-User", name)
		h["X-Remote-Group"] = groups
	}
}

// as impersonates a user.
func as(set func(http.Header), user string) func(http.Header) {
	return func(h http.Header) {
		set(h)
		h.Set("Impersonate-User", user)
	}
}

func bearer(token string) func(http.Header) {
	return func(h http.Header) { h.Set("Authorization", "Bearer "+token) }
}

func pool(bundle []byte) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(bundle)
	return p
}

func clientOf(bundle string, pair *tls.Certificate) *http.Client {
	config := &tls.Config{ServerName: testHost, RootCAs: pool([]byte(bundle))}
	if pair != nil {
		config.Certificates = []tls.Certificate{*pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

func call(t *testing.T, client *http.Client, url string, set func(http.Header)) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	set(request.Header)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// eventually polls what real sockets and the library's goroutines bring about.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not come about in 20 s")
		case <-ticker.C:
		}
	}
}
