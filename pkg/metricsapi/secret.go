package metricsapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// settleTime is how long a replica goes on with its certificate after it has seen the
// next one. In it the registrar writes the new CA bundle (within registerInterval),
// so no certificate is ever served before the API server trusts its CA.
const settleTime = time.Minute

// Certificates is the serving certificate, which all replicas share through one Secret:
// the first replica that finds the Secret missing, empty, broken or due for renewal
// fills it, the others read it. It is safe for concurrent use.
//
//	Secret:   A ........ A+B written ........................ B
//	bundle:   A          A+B at once ........................ A+B until A ends
//	served:   A          A for settleTime, then B ........... B
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

func newCertificates(secrets corev1client.SecretInterface, secret, host string, log *slog.Logger) *Certificates {
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

// AddListener tells l when the served certificate changes.
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
func (c *Certificates) renew(ctx context.Context, secret *corev1.Secret, now time.Time, create bool) (certificate, error) {
	oldBundle := secret.Data[bundleKey]
	if len(valid(oldBundle, now)) == 0 {
		oldBundle = c.Bundle() // somebody emptied the Secret: replicas still serve what it held
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

// take notes the stored certificate and serves it once it has settled.
func (c *Certificates) take(stored certificate, now time.Time) {
	c.mu.Lock()
	if !bytes.Equal(stored.cert, c.next.cert) {
		c.nextSince = now
	}
	c.next = stored
	settled := now.Sub(c.nextSince) >= settleTime || !now.Before(c.served.notAfter) // the first one has nothing to wait for
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

// syncUntilDone keeps the certificate fresh; errors are logged and the next tick tries again.
func (c *Certificates) syncUntilDone(ctx context.Context) {
	ticker := time.NewTicker(settleTime)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := c.Sync(ctx, now); err != nil && !errors.Is(err, context.Canceled) {
				c.log.Error("serving certificate not refreshed; going on with the one at hand", "err", err)
			}
		}
	}
}
