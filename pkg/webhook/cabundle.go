package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	admissionlisters "k8s.io/client-go/listers/admissionregistration/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/reconciler"
	"knative.dev/pkg/webhook/certificates/resources"
)

// bundles keeps the certificate authority of our Secret in our webhook
// configurations. What else stands there is the administrator's.
type bundles struct {
	reconciler.LeaderAwareFuncs
	kube       kubernetes.Interface
	secret     types.NamespacedName
	name       string
	secrets    corelisters.SecretLister
	mutating   admissionlisters.MutatingWebhookConfigurationLister
	validating admissionlisters.ValidatingWebhookConfigurationLister
}

var _ controller.Reconciler = (*bundles)(nil)

// Reconcile implements controller.Reconciler; only the leader writes.
func (b *bundles) Reconcile(ctx context.Context, key string) error {
	if !b.IsLeaderFor(b.secret) {
		return controller.NewSkipKey(key)
	}
	ca, err := b.authority()
	if err != nil || ca == nil {
		return err
	}
	return errors.Join(b.mutate(ctx, ca), b.validate(ctx, ca))
}

// authority is nil until the Secret is filled.
func (b *bundles) authority() ([]byte, error) {
	s, err := b.secrets.Secrets(b.secret.Namespace).Get(b.secret.Name)
	if apierrs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("webhook: reading the Secret %s: %w", b.secret, err)
	}
	return s.Data[resources.CACert], nil
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
func mutatingClients(c *admissionregistrationv1.MutatingWebhookConfiguration) (all []*admissionregistrationv1.WebhookClientConfig) {
	for i := range c.Webhooks {
		all = append(all, &c.Webhooks[i].ClientConfig)
	}
	return all
}

// validatingClients are the same of the other kind.
func validatingClients(c *admissionregistrationv1.ValidatingWebhookConfiguration) (all []*admissionregistrationv1.WebhookClientConfig) {
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
	return !slices.ContainsFunc(clients, func(c *admissionregistrationv1.WebhookClientConfig) bool { return !bytes.Equal(c.CABundle, ca) })
}

// ready reports whether the API server can call us: every configuration of ours
// that exists trusts our certificate.
func (b *bundles) ready() bool {
	ca, err := b.authority()
	if err != nil || ca == nil {
		return false
	}
	if c, err := b.mutating.Get(b.name); err == nil && !trusts(mutatingClients(c), ca) {
		return false
	}
	if c, err := b.validating.Get(b.name); err == nil && !trusts(validatingClients(c), ca) {
		return false
	}
	return true
}
