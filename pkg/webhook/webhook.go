package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	ingressinformer "knative.dev/networking/pkg/client/injection/informers/networking/v1alpha1/ingress"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/reconciler"
	revisioninformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/revision"
	serviceinformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/service"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/servingcert"
)

// Name is that of the Service, of the Secret (with -tls) and of both webhook configurations.
const Name = "autoscaler-adapter-webhook"

// gracePeriod is how long requests are still answered after the end was asked
// for: the API server must first learn that this replica is gone.
const gracePeriod = 5 * time.Second

// everything selects all objects.
var everything = labels.Everything()

func named(name string) func(*metav1.ListOptions) {
	return func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	}
}

// Options are the parts that New wires to the cluster; all required.
type Options struct {
	Cluster *Cluster
	// Defaults returns the current config-inference-gateway, Own the current config-ipa.
	Defaults func() binding.Defaults
	Own      func() *config.Config
	// Foreign returns the selector of an InferencePool that is not ours, nil where there is none.
	Foreign func(namespace, pool string) map[string]string
	// KeptOut reports a Service that does not agree with the pool it names, by the
	// reconciler's last word: its pods must not join.
	KeptOut func(namespace, service string) bool
	// Installed reports whether the gateway's part is installed in the cluster.
	Installed func() bool
	// Heartbeat is that of the autoscalers.
	Heartbeat *Heartbeat
	// Alive watches the reviews, the renewal of the certificate, and the CA bundles.
	Alive *liveness.Monitor
	// Namespace is our own: that of the Service and of the Secret.
	Namespace string
	// Serve answers with h over TLS, within limits of time and connections, until ctx ends.
	Serve func(ctx context.Context, h http.Handler, t *tls.Config) error
	// Registerer takes the metrics; nil drops them.
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Server answers admission reviews, and keeps its certificate and its CA bundles.
type Server struct {
	serve     func(context.Context, http.Handler, *tls.Config) error
	handler   http.Handler
	heartbeat *Heartbeat
	certs     *servingcert.Certificates
	bundles   *bundles
	factory   informers.SharedInformerFactory
	impl      *controller.Impl
	alive     *liveness.Monitor
}

// New builds the server on the informers in ctx.
func New(ctx context.Context, o Options) (*Server, error) {
	caches := Caches{
		Services: serviceinformer.Get(ctx).Lister(), Ingresses: ingressinformer.Get(ctx).Lister(),
		Revisions: revisioninformer.Get(ctx).Lister(),
		Defaults:  o.Defaults, Foreign: o.Foreign, KeptOut: o.KeptOut, Installed: o.Installed,
		DefaultClass: o.Cluster.defaultClass, Opened: func() bool { return o.Heartbeat.alive(time.Now()) },
	}
	j := judgement{Caches: caches, cluster: o.Cluster, own: o.Own}
	h, err := newHandler(o.Registerer, o.Alive, map[string]admit{PodsPath: caches.pods, RevisionsPath: caches.fullDuplex,
		DefaultsPath: setClass, InferenceServicesPath: kserveClass(o.Own), ValidatePath: j.validate})
	if err != nil {
		return nil, err
	}
	s := &Server{serve: o.Serve, handler: h, heartbeat: o.Heartbeat, alive: o.Alive}
	s.certs = servingcert.New(kubeclient.Get(ctx).CoreV1().Secrets(o.Namespace), Name+"-tls", Name+"."+o.Namespace+".svc", o.Log)
	if err := s.watchBundles(ctx, o.Namespace); err != nil {
		return nil, err
	}
	return s, s.register(o.Registerer)
}

// register publishes whether the API server can call this replica, which the readiness of
// the pod does not show.
func (s *Server) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	return reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ipa_webhook_ready", Help: "1 while the webhook configurations trust the certificate that this replica serves, else 0.",
	}, func() float64 {
		if s.Ready() {
			return 1
		}
		return 0
	}))
}

// watchBundles builds the controller of the CA bundles on caches of our two configurations alone.
func (s *Server) watchBundles(ctx context.Context, namespace string) error {
	s.factory = informers.NewSharedInformerFactoryWithOptions(kubeclient.Get(ctx), controller.GetResyncPeriod(ctx),
		informers.WithTweakListOptions(named(Name)))
	registrations := s.factory.Admissionregistration().V1()
	key := types.NamespacedName{Namespace: namespace, Name: Name}
	s.bundles = &bundles{
		kube: kubeclient.Get(ctx), key: key, name: Name, authority: s.certs,
		mutating:   registrations.MutatingWebhookConfigurations().Lister(),
		validating: registrations.ValidatingWebhookConfigurations().Lister(),
		queue:      s.alive.Queue(bundlesQueue),
		LeaderAwareFuncs: reconciler.LeaderAwareFuncs{
			PromoteFunc: func(b reconciler.Bucket, enqueue func(reconciler.Bucket, types.NamespacedName)) error {
				enqueue(b, key)
				return nil
			},
		},
	}
	s.impl = controller.NewContext(ctx, s.bundles, controller.ControllerOptions{WorkQueueName: bundlesQueue,
		Logger: logging.FromContext(ctx)})
	enqueue := controller.HandleAll(func(any) {
		defer s.alive.Begin("an event of a webhook configuration", 0)()
		s.impl.EnqueueKey(key)
	})
	for _, informer := range []cache.SharedIndexInformer{
		registrations.MutatingWebhookConfigurations().Informer(), registrations.ValidatingWebhookConfigurations().Informer(),
	} {
		if _, err := informer.AddEventHandler(enqueue); err != nil {
			return fmt.Errorf("webhook: watching: %w", err)
		}
	}
	return nil
}

// Ready reports whether the API server can call this replica.
func (s *Server) Ready() bool { return s.bundles.ready() }

// Run answers until gracePeriod after the end of ctx. The informers of the context given
// to New run already; ctx carries the leader election of the CA bundles.
func (s *Server) Run(ctx context.Context) error {
	s.factory.Start(ctx.Done())
	s.heartbeat.factory.Start(ctx.Done()) // until it is synced new pods get no gate
	for kind, ok := range s.factory.WaitForCacheSync(ctx.Done()) {
		if !ok && ctx.Err() == nil {
			return fmt.Errorf("webhook: the cache of %v did not sync", kind)
		}
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(gracePeriod, stop) })

	s.bundles.queue.Follow(s.impl.WorkQueue().Len)
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { s.certs.Run(ctx, s.alive); return nil })
	eg.Go(func() error { s.enqueueRegularly(ctx); return nil })
	eg.Go(func() error { return controller.StartAll(ctx, s.impl) })
	eg.Go(func() error { return s.serve(serving, s.handler, &tls.Config{GetCertificate: s.certs.GetCertificate}) })
	return eg.Wait()
}

// bundleInterval is how often the CA bundles are compared with the certificate: well
// within the time that a renewed certificate is not served yet, see pkg/servingcert.
const bundleInterval = 10 * time.Second

// bundlesQueue names the queue of the CA bundles.
const bundlesQueue = "WebhookBundles"

func (s *Server) enqueueRegularly(ctx context.Context) {
	_ = wait.PollUntilContextCancel(ctx, bundleInterval, false, func(context.Context) (bool, error) {
		s.alive.Beat("the timer of the CA bundles", bundleInterval)
		s.impl.EnqueueKey(s.bundles.key)
		return false, nil
	})
}
