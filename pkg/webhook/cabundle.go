package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"

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
	c = c.DeepCopy()
	changed := false
	for i := range c.Webhooks {
		changed = trust(&c.Webhooks[i].ClientConfig, ca) || changed
	}
	if !changed {
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
	c = c.DeepCopy()
	changed := false
	for i := range c.Webhooks {
		changed = trust(&c.Webhooks[i].ClientConfig, ca) || changed
	}
	if !changed {
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

// trust sets the bundle and reports a change.
func trust(c *admissionregistrationv1.WebhookClientConfig, ca []byte) bool {
	if bytes.Equal(c.CABundle, ca) {
		return false
	}
	c.CABundle = ca
	return true
}

// ready reports whether the API server can call us: every configuration of ours
// that exists trusts our certificate.
func (b *bundles) ready() bool {
	ca, err := b.authority()
	if err != nil || ca == nil {
		return false
	}
	var configs []admissionregistrationv1.WebhookClientConfig
	if c, err := b.mutating.Get(b.name); err == nil {
		for _, w := range c.Webhooks {
			configs = append(configs, w.ClientConfig)
		}
	}
	if c, err := b.validating.Get(b.name); err == nil {
		for _, w := range c.Webhooks {
			configs = append(configs, w.ClientConfig)
		}
	}
	for _, c := range configs {
		if !bytes.Equal(c.CABundle, ca) {
			return false
		}
	}
	return true
}
