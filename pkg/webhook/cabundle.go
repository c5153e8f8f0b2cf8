package webhook

import (
	"bytes"
	"context"
	"errors"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	admissionlisters "k8s.io/client-go/listers/admissionregistration/v1"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/reconciler"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
)

// authority is where the CAs of our certificate come from.
type authority interface {
	// Bundle returns the PEM CAs of what any replica serves now or soon; nil before there is one.
	Bundle() []byte
	// TrustedBy reports whether a client with this bundle trusts what this replica serves.
	TrustedBy(bundle []byte) bool
}

// bundles keeps the certificate authorities of our Secret in our webhook
// configurations. The rest of the configurations is the administrator's.
type bundles struct {
	reconciler.LeaderAwareFuncs
	kube       kubernetes.Interface
	key        types.NamespacedName
	name       string
	authority  authority
	mutating   admissionlisters.MutatingWebhookConfigurationLister
	validating admissionlisters.ValidatingWebhookConfigurationLister
	queue      *liveness.Queue
}

var _ controller.Reconciler = (*bundles)(nil)

// Reconcile implements controller.Reconciler; only the leader writes.
func (b *bundles) Reconcile(ctx context.Context, key string) error {
	defer b.queue.Begin(key, reconciler.DefaultTimeout)()
	ctx, cancel := context.WithTimeout(ctx, reconciler.DefaultTimeout)
	defer cancel()
	if !b.IsLeaderFor(b.key) {
		return controller.NewSkipKey(key)
	}
	ca := b.authority.Bundle()
	if ca == nil {
		return nil
	}
	return errors.Join(b.mutate(ctx, ca), b.validate(ctx, ca))
}

func (b *bundles) mutate(ctx context.Context, ca []byte) error {
	c, err := b.mutating.Get(b.name)
	if err != nil {
		return absent(err)
	}
	if c = c.DeepCopy(); !trust(mutatingClients(c), ca) {
		return nil
	}
	_, err = b.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Update(ctx, c, metav1.UpdateOptions{})
	return err
}

func (b *bundles) validate(ctx context.Context, ca []byte) error {
	c, err := b.validating.Get(b.name)
	if err != nil {
		return absent(err)
	}
	if c = c.DeepCopy(); !trust(validatingClients(c), ca) {
		return nil
	}
	_, err = b.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(ctx, c, metav1.UpdateOptions{})
	return err
}

// absent: without a configuration nobody calls us, which is the administrator's choice.
func absent(err error) error {
	if apierrs.IsNotFound(err) {
		return nil
	}
	return err
}

// mutatingClients are how the API server calls each webhook of a configuration.
func mutatingClients(
	c *admissionregistrationv1.MutatingWebhookConfiguration,
) (all []*admissionregistrationv1.WebhookClientConfig) {
	for i := range c.Webhooks {
		all = append(all, &c.Webhooks[i].ClientConfig)
	}
	return all
}

// validatingClients are the same of the other kind.
func validatingClients(
	c *admissionregistrationv1.ValidatingWebhookConfiguration,
) (all []*admissionregistrationv1.WebhookClientConfig) {
	for i := range c.Webhooks {
		all = append(all, &c.Webhooks[i].ClientConfig)
	}
	return all
}

// trust sets the bundle of every client and reports a change.
func trust(clients []*admissionregistrationv1.WebhookClientConfig, ca []byte) (changed bool) {
	changed = !trusts(clients, ca)
	for _, c := range clients {
		c.CABundle = ca
	}
	return changed
}

// trusts is true when every client has the bundle.
func trusts(clients []*admissionregistrationv1.WebhookClientConfig, ca []byte) bool {
	return !slices.ContainsFunc(clients,
		func(c *admissionregistrationv1.WebhookClientConfig) bool { return !bytes.Equal(c.CABundle, ca) })
}

// ready reports whether the API server can call us: every configuration of ours
// that exists trusts the certificate that this replica serves.
func (b *bundles) ready() bool {
	if b.authority.Bundle() == nil {
		return false
	}
	var clients []*admissionregistrationv1.WebhookClientConfig
	if c, err := b.mutating.Get(b.name); err == nil {
		clients = append(clients, mutatingClients(c)...)
	}
	if c, err := b.validating.Get(b.name); err == nil {
		clients = append(clients, validatingClients(c)...)
	}
	return !slices.ContainsFunc(clients,
		func(c *admissionregistrationv1.WebhookClientConfig) bool { return !b.authority.TrustedBy(c.CABundle) })
}
