package metricsapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/servingcert"
)

// retryInterval is the pause after a failed start, e.g. while the API server is away.
const retryInterval = 2 * time.Second

// Options configure a Server. RESTConfig and View are required.
type Options struct {
	// RESTConfig reaches the cluster: for the Secret, the delegated reviews and the APIServices.
	RESTConfig *rest.Config
	View       View
	// Recording answers GET on its two paths, behind the same authentication and
	// authorisation as the metrics; nil is not found.
	Recording http.Handler
	// Register reports whether to have the API where nobody else has it; nil is always true.
	Register func() bool
	// Registerer takes the server's own metrics; nil drops them.
	Registerer prometheus.Registerer
	// Namespace is where the Service and the Secret live; knative-inference by default.
	Namespace string
	// Name is that of the Service, the Deployment and the ClusterRole; the Secret is
	// Name-tls. autoscaler-adapter by default.
	Name string
	// BindAddress and Port are what to listen on; every address and 8443 by default.
	BindAddress string
	Port        int
	// Limit bounds the connections of the port; nil bounds none.
	Limit func(net.Listener) net.Listener
	// Alive watches the renewal of the certificate; nil does not.
	Alive *liveness.Monitor
	// Log is slog.Default() by default. The library underneath logs to klog.
	Log *slog.Logger
}

// Server serves the API and keeps its certificate and its registration.
type Server struct {
	o         Options
	clients   clients
	latency   *latency
	certs     *servingcert.Certificates
	registrar *Registrar
	events    record.EventBroadcaster
	ready     atomic.Bool
	listening chan struct{} // closed when ready turns true
}

// New checks the options and registers the metrics; it does not reach the cluster.
func New(o Options) (*Server, error) {
	if o.RESTConfig == nil {
		return nil, errors.New("metricsapi: RESTConfig is missing")
	}
	c, err := newClients(o.RESTConfig)
	if err != nil {
		return nil, fmt.Errorf("metricsapi: making a client: %w", err)
	}
	return newServer(o, c)
}

func newServer(o Options, c clients) (*Server, error) {
	if o.View == nil {
		return nil, errors.New("metricsapi: View is missing")
	}
	o.Namespace = cmp.Or(o.Namespace, "knative-inference")
	o.Name = cmp.Or(o.Name, component)
	o.Port = cmp.Or(o.Port, 8443)
	o.Log = cmp.Or(o.Log, slog.Default())
	latency, err := newLatency(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("metricsapi: registering metrics: %w", err)
	}
	s := &Server{o: o, clients: c, latency: latency, events: record.NewBroadcaster(), listening: make(chan struct{})}
	s.certs = servingcert.New(c.kube.CoreV1().Secrets(o.Namespace), o.Name+"-tls", o.Name+"."+o.Namespace+".svc", o.Log)
	s.registrar = NewRegistrar(RegistrarOptions{
		Client: c.dynamic, Namespace: o.Namespace, Name: o.Name, Bundle: s.certs.Bundle, Wanted: o.Register, Log: o.Log,
		Events: s.events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: component}),
	})
	if err := registerOwnership(o.Registerer, s.registrar); err != nil {
		return nil, fmt.Errorf("metricsapi: registering metrics: %w", err)
	}
	return s, nil
}

// Ready reports whether the API is being served. Being registered is no part of it:
// another adapter may have the API.
func (s *Server) Ready() bool { return s.ready.Load() }

// Run serves until ctx ends, and then returns nil once open requests are answered.
// Trouble with the cluster is logged and tried again; only a port that cannot be
// had is an error. It is called once.
func (s *Server) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(s.o.BindAddress, strconv.Itoa(s.o.Port)))
	if err != nil {
		return fmt.Errorf("metricsapi: %w", err)
	}
	defer listener.Close()
	if s.o.Limit != nil {
		listener = s.o.Limit(listener)
	}
	return s.serve(ctx, listener)
}

func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	defer s.events.Shutdown()
	s.events.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: s.clients.kube.CoreV1().Events(s.o.Namespace)})

	api := s.start(ctx, listener)
	if api == nil {
		return nil
	}
	defer s.ready.Store(false)

	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() { s.certs.Run(ctx, s.o.Alive) })
	background.Go(func() {
		select {
		case <-ctx.Done():
		case <-s.listening: // not before: an APIService that leads nowhere slows every client's discovery
			s.registrar.Run(ctx)
		}
	})
	if err := api.PrepareRun().RunWithContext(ctx); err != nil {
		return fmt.Errorf("metricsapi: serving: %w", err)
	}
	return nil
}

// start repeats build until it succeeds; nil when ctx ended first.
func (s *Server) start(ctx context.Context, listener net.Listener) *genericapiserver.GenericAPIServer {
	for {
		api, err := s.build(ctx, listener)
		if err == nil {
			return api
		}
		if ctx.Err() == nil {
			s.o.Log.Warn("metrics API is not up yet; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryInterval):
		}
	}
}

// build gets what requests cannot be answered without.
func (s *Server) build(ctx context.Context, listener net.Listener) (*genericapiserver.GenericAPIServer, error) {
	if err := s.certs.Sync(ctx, time.Now()); err != nil {
		return nil, err
	}
	a, err := delegated(ctx, s.clients, listener, s.certs)
	if err != nil {
		return nil, err
	}
	api, err := newAPIServer(s.o.View, a, s.latency.observe, withRecording(s.o.Recording))
	if err != nil {
		return nil, err
	}
	return api, api.AddPostStartHook("listening", func(hook genericapiserver.PostStartHookContext) error {
		if !a.knowsProxy(hook) {
			s.o.Log.Warn("the API server's requests will be refused: its CA is not in the config map; is the aggregation layer on?",
				"configmap", metav1.NamespaceSystem+"/"+authConfigMap, "key", proxyCAKey)
		}
		s.ready.Store(true)
		close(s.listening)
		return nil
	})
}
