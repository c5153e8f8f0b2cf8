package webhook

import (
	"context"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	ingressinformer "knative.dev/networking/pkg/client/injection/informers/networking/v1alpha1/ingress"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	secretinformer "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/secret"
	secretfactory "knative.dev/pkg/injection/clients/namespacedkube/informers/factory"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/reconciler"
	"knative.dev/pkg/system"
	"knative.dev/pkg/webhook"
	"knative.dev/pkg/webhook/certificates"
	serviceinformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/service"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// Name is that of the Service, of the Secret (with -tls) and of both webhook configurations.
const Name = "autoscaler-adapter-webhook"

// gracePeriod is how long requests are still answered after the end was asked
// for: the API server must first learn that this replica is gone.
const gracePeriod = 5 * time.Second

// everything selects all objects.
var everything = labels.Everything()

// ownSecretOnly replaces Knative's factory, which would list every Secret of our
// namespace, by one that lists ours, so that our role can name it.
func ownSecretOnly(ctx context.Context) context.Context {
	return context.WithValue(ctx, secretfactory.Key{}, informers.NewSharedInformerFactoryWithOptions(
		kubeclient.Get(ctx), controller.GetResyncPeriod(ctx),
		informers.WithNamespace(system.Namespace()), informers.WithTweakListOptions(named(Name+"-tls"))))
}

func named(name string) func(*metav1.ListOptions) {
	return func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	}
}

// Prepare makes ready what the injection of informers needs: call it once, before
// that. namespace is our own.
func Prepare(ctx context.Context, namespace string, port int) (context.Context, error) {
	if err := os.Setenv(system.NamespaceEnvKey, namespace); err != nil { // knative.dev/pkg reads it there
		return nil, fmt.Errorf("webhook: %w", err)
	}
	injection.Default.RegisterInformerFactory(ownSecretOnly)
	return webhook.WithOptions(ctx, webhook.Options{
		ServiceName: Name, SecretName: Name + "-tls", Port: port, GracePeriod: gracePeriod,
	}), nil
}

// Options are the parts that New wires to the cluster; all required.
type Options struct {
	Cluster *Cluster
	// Defaults returns the current config-inference-gateway, Own the current config-ipa.
	Defaults func() binding.Defaults
	Own      func() *config.Config
	// Foreign returns the selector of an InferencePool that is not ours, nil where there is none.
	Foreign func(namespace, pool string) map[string]string
	// KeptOut tells of a Service that does not agree with the pool it names, by the
	// reconciler's last word: its pods must not join.
	KeptOut func(namespace, service string) bool
	Engines []string
}

// Server answers admission reviews, and keeps its certificate and its CA bundles.
type Server struct {
	webhook     *webhook.Webhook
	bundles     *bundles
	factory     informers.SharedInformerFactory
	controllers []*controller.Impl
}

// New builds the server on the informers in ctx, which Prepare has seen.
func New(ctx context.Context, o Options) (*Server, error) {
	caches := Caches{Services: serviceinformer.Get(ctx).Lister(), Ingresses: ingressinformer.Get(ctx).Lister(), Defaults: o.Defaults, Foreign: o.Foreign, KeptOut: o.KeptOut}
	j := judgement{Caches: caches, cluster: o.Cluster, own: o.Own, engines: o.Engines}
	wh, err := webhook.New(ctx, []any{
		endpoint{PodsPath, caches.pods}, endpoint{DefaultsPath, setClass}, endpoint{ValidatePath, j.validate},
	})
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	s := &Server{webhook: wh}
	impl, err := s.watchBundles(ctx)
	if err != nil {
		return nil, err
	}
	s.controllers = []*controller.Impl{certificates.NewController(ctx, configmap.NewStaticWatcher()), impl}
	return s, nil
}

// watchBundles builds the controller of the CA bundles on caches of our two configurations alone.
func (s *Server) watchBundles(ctx context.Context) (*controller.Impl, error) {
	s.factory = informers.NewSharedInformerFactoryWithOptions(kubeclient.Get(ctx), controller.GetResyncPeriod(ctx), informers.WithTweakListOptions(named(Name)))
	registrations := s.factory.Admissionregistration().V1()
	secret := types.NamespacedName{Namespace: system.Namespace(), Name: Name + "-tls"}
	s.bundles = &bundles{
		kube: kubeclient.Get(ctx), secret: secret, name: Name, secrets: secretinformer.Get(ctx).Lister(),
		mutating: registrations.MutatingWebhookConfigurations().Lister(), validating: registrations.ValidatingWebhookConfigurations().Lister(),
		LeaderAwareFuncs: reconciler.LeaderAwareFuncs{
			PromoteFunc: func(b reconciler.Bucket, enqueue func(reconciler.Bucket, types.NamespacedName)) error {
				enqueue(b, secret)
				return nil
			},
		},
	}
	impl := controller.NewContext(ctx, s.bundles, controller.ControllerOptions{WorkQueueName: "WebhookBundles", Logger: logging.FromContext(ctx)})
	enqueue := controller.HandleAll(func(any) { impl.EnqueueKey(secret) })
	for _, informer := range []cache.SharedIndexInformer{
		secretinformer.Get(ctx).Informer(),
		registrations.MutatingWebhookConfigurations().Informer(), registrations.ValidatingWebhookConfigurations().Informer(),
	} {
		if _, err := informer.AddEventHandler(enqueue); err != nil {
			return nil, fmt.Errorf("webhook: watching: %w", err)
		}
	}
	return impl, nil
}

// Ready reports whether the API server can call this replica.
func (s *Server) Ready() bool { return s.bundles.ready() }

// Run answers until ctx ends. The informers of the context given to New run
// already; ctx carries the leader election of the certificate.
func (s *Server) Run(ctx context.Context) error {
	s.factory.Start(ctx.Done())
	for kind, ok := range s.factory.WaitForCacheSync(ctx.Done()) {
		if !ok && ctx.Err() == nil {
			return fmt.Errorf("webhook: the cache of %v did not sync", kind)
		}
	}
	s.webhook.InformersHaveSynced()
	failed := make(chan error, 1)
	go func() { failed <- s.webhook.Run(ctx.Done()) }()
	if err := controller.StartAll(ctx, s.controllers...); err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	return <-failed
}
