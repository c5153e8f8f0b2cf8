// Package servingcert keeps a serving certificate in a Secret that all replicas share, and
// renews it. A client that follows the CA bundle trusts every replica at any time of a
// renewal. The metrics API and the webhook have one certificate each.
package servingcert

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
)

const (
	// SettleTime is how long a replica serves its certificate after it has read the next
	// one. Whoever registers the CA bundle must do so within SettleTime/2 of a renewal, so
	// that no certificate is served before the API server trusts its CA.
	SettleTime = time.Minute
	// syncInterval is how often the Secret is read: a replica that registers the bundle
	// reads a renewal by another one within a quarter of SettleTime.
	syncInterval = SettleTime / 4
	// syncTimeout bounds one Sync: a client of Kubernetes waits for ever for an API server that
	// keeps the connection and does not answer.
	syncTimeout = 10 * time.Second
)

// Certificates is the serving certificate, which all replicas share through one Secret:
// the first replica that finds the Secret missing, empty, broken or due for renewal
// fills it, the others read it. It is safe for concurrent use.
//
//	Secret:   A ........ A+B written ........................ B
//	bundle:   A          A+B at once ........................ A+B until A ends
//	served:   A          A for SettleTime, then B ........... B
type Certificates struct {
	secrets corev1client.SecretInterface
	secret  string // its name
	host    string // the DNS name to certify
	log     *slog.Logger

	mu        sync.RWMutex
	served    certificate
	next      certificate // equal to served when nothing is pending
	nextSince time.Time
	listeners []dynamiccertificates.Listener
}

var _ dynamiccertificates.CertKeyContentProvider = (*Certificates)(nil)

// New returns the certificate for host, a DNS name, that the Secret of this name holds.
// Nothing is read before the first Sync.
func New(secrets corev1client.SecretInterface, secret, host string, log *slog.Logger) *Certificates {
	return &Certificates{secrets: secrets, secret: secret, host: host, log: log}
}

// Name names this provider in the API server's log.
func (c *Certificates) Name() string { return "secret " + c.secret }

// CurrentCertKeyContent returns the PEM certificate and key to serve with; nil before the first Sync.
func (c *Certificates) CurrentCertKeyContent() (cert, key []byte) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.served.cert, c.served.key
}

// Bundle returns the PEM CAs that trust what any replica serves now or soon; nil before the first Sync.
func (c *Certificates) Bundle() []byte {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.next.bundle
}

// TrustedBy reports whether a client that trusts the CAs of this PEM bundle trusts the
// certificate served now; false before the first Sync.
func (c *Certificates) TrustedBy(bundle []byte) bool {
	c.mu.RLock()
	served := c.served
	c.mu.RUnlock()
	served.bundle = bundle
	_, err := read(c.host, served.data(), served.notBefore)
	return err == nil
}

// AddListener notifies l when the served certificate changes.
func (c *Certificates) AddListener(l dynamiccertificates.Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = append(c.listeners, l)
}

// Sync reads the Secret and, where needed, fills it. A write that another replica
// won is an error, which the next Sync clears.
func (c *Certificates) Sync(ctx context.Context, now time.Time) error {
	secret, err := c.secrets.Get(ctx, c.secret, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return fmt.Errorf("reading secret %s: %w", c.secret, err)
	}
	if missing {
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: c.secret}}
	}
	stored, why := read(c.host, secret.Data, now)
	if why == nil && stored.due(now) {
		why = fmt.Errorf("the certificate ends %s", stored.notAfter.Format(time.DateOnly))
	}
	if why != nil {
		if stored, err = c.renew(ctx, secret, now, missing); err != nil {
			return fmt.Errorf("%w (renewing because: %w)", err, why)
		}
		c.log.Info("new serving certificate", "secret", c.secret, "host", c.host, "why", why, "ends", stored.notAfter)
	}
	c.take(stored, now)
	return nil
}

// renew writes a new certificate; create is for a Secret that does not exist.
func (c *Certificates) renew(ctx context.Context, secret *corev1.Secret, now time.Time,
	create bool) (certificate, error) {
	oldBundle := secret.Data[bundleKey]
	if len(valid(oldBundle, now)) == 0 {
		oldBundle = c.Bundle() // somebody emptied the Secret: replicas still serve its certificate
	}
	fresh, err := issue(c.host, oldBundle, now)
	if err != nil {
		return certificate{}, err
	}
	write := secret.DeepCopy()
	write.Data = fresh.data()
	if create {
		_, err = c.secrets.Create(ctx, write, metav1.CreateOptions{})
	} else {
		_, err = c.secrets.Update(ctx, write, metav1.UpdateOptions{}) // carries the resource version: a race has one winner
	}
	if err != nil {
		return certificate{}, fmt.Errorf("writing secret %s: %w", c.secret, err)
	}
	return fresh, nil
}

// take remembers the stored certificate, and serves it SettleTime after it was first read.
func (c *Certificates) take(stored certificate, now time.Time) {
	c.mu.Lock()
	if !bytes.Equal(stored.cert, c.next.cert) {
		c.nextSince = now
	}
	c.next = stored
	// the first one has nothing to wait for
	settled := now.Sub(c.nextSince) >= SettleTime || !now.Before(c.served.notAfter)
	changed := settled && !bytes.Equal(c.served.cert, stored.cert)
	if changed {
		c.served = stored
	}
	listeners := c.listeners
	c.mu.Unlock()
	if !changed {
		return
	}
	for _, l := range listeners {
		l.Enqueue()
	}
}

// Run keeps the certificate fresh until ctx ends; errors are logged and the next tick tries again.
// Each tick is a beat of alive, which may be nil.
func (c *Certificates) Run(ctx context.Context, alive *liveness.Monitor) {
	wait.NonSlidingUntilWithContext(ctx, func(ctx context.Context) {
		alive.Beat("the renewal of the certificate "+c.secret, syncInterval)
		ctx, cancel := context.WithTimeout(ctx, syncTimeout)
		defer cancel()
		if err := c.Sync(ctx, time.Now()); err != nil && !errors.Is(err, context.Canceled) {
			c.log.Error("serving certificate not refreshed; the present one stays in use", "secret", c.secret, "error", err)
		}
	}, syncInterval)
}

// GetCertificate returns what to serve, for tls.Config; an error before the first Sync.
func (c *Certificates) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, key := c.CurrentCertKeyContent()
	if len(cert) == 0 {
		return nil, fmt.Errorf("no certificate yet: secret %s was not read", c.secret)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("the certificate of secret %s does not load: %w", c.secret, err)
	}
	return &pair, nil
}
