package servingcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// Life is how long a certificate and the CA that signed it are valid.
	Life = 365 * 24 * time.Hour
	// clockSkew makes a new certificate valid for clocks that are this much behind.
	clockSkew = time.Hour
)

// The keys of the Secret.
const (
	bundleKey = "ca.crt"
	certKey   = corev1.TLSCertKey
	keyKey    = corev1.TLSPrivateKeyKey
)

// certificate is a serving certificate with what a client needs to trust it.
type certificate struct {
	cert, key []byte // PEM
	// bundle holds the CA of cert first and then older CAs, so that a replica that still
	// serves the previous certificate stays trusted while the others move on. PEM.
	bundle    []byte
	notBefore time.Time
	notAfter  time.Time
}

// due reports whether the certificate should be replaced: at two thirds of its life,
// about 4 months before it ends.
func (c certificate) due(now time.Time) bool {
	life := c.notAfter.Sub(c.notBefore)
	return !now.Before(c.notBefore.Add(life / 3 * 2))
}

// issue makes a new CA and a certificate for host (a DNS name) signed by it. The CA's
// key is not kept: nobody, not even this program, can sign a second certificate that the
// API server would trust. The CAs of oldBundle that are still valid stay in the bundle.
func issue(host string, oldBundle []byte, now time.Time) (certificate, error) {
	caTemplate, err := template("autoscaler-adapter CA", now)
	if err != nil {
		return certificate{}, err
	}
	caTemplate.IsCA, caTemplate.BasicConstraintsValid, caTemplate.KeyUsage = true, true, x509.KeyUsageCertSign
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, fmt.Errorf("making the CA's key: %w", err)
	}
	caDER, err := x509.CreateCertificate(rand.Reader, caTemplate, caTemplate, caKey.Public(), caKey)
	if err != nil {
		return certificate{}, fmt.Errorf("making the CA: %w", err)
	}
	ca, err := x509.ParseCertificate(caDER)
	if err != nil {
		return certificate{}, fmt.Errorf("reading the new CA: %w", err)
	}

	leaf, err := template(host, now)
	if err != nil {
		return certificate{}, err
	}
	leaf.DNSNames, leaf.KeyUsage = []string{host}, x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, fmt.Errorf("making the serving key: %w", err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return certificate{}, fmt.Errorf("signing the serving certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return certificate{}, fmt.Errorf("encoding the serving key: %w", err)
	}
	return certificate{
		cert:      encode("CERTIFICATE", leafDER),
		key:       encode("PRIVATE KEY", keyDER),
		bundle:    append(encode("CERTIFICATE", caDER), valid(oldBundle, now)...),
		notBefore: leaf.NotBefore,
		notAfter:  leaf.NotAfter,
	}, nil
}

func template(name string, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		// The serial keeps the names of successive CAs apart.
		Subject:   pkix.Name{CommonName: name, SerialNumber: serial.Text(16)},
		NotBefore: now.Add(-clockSkew),
		NotAfter:  now.Add(Life),
	}, nil
}

// data is the certificate as the Secret stores it.
func (c certificate) data() map[string][]byte {
	return map[string][]byte{certKey: c.cert, keyKey: c.key, bundleKey: c.bundle}
}

// read checks the certificate of a Secret: it must be complete, for host, trusted
// by its own bundle and valid now. The error says what is wrong.
func read(host string, data map[string][]byte, now time.Time) (certificate, error) {
	cert, key, bundle := data[certKey], data[keyKey], data[bundleKey]
	if len(cert) == 0 && len(key) == 0 && len(bundle) == 0 {
		return certificate{}, errors.New("it is empty")
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return certificate{}, fmt.Errorf("the certificate does not load: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return certificate{}, errors.New("the CA bundle holds no certificate")
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: now}); err != nil {
		return certificate{}, fmt.Errorf("the certificate is not good: %w", err)
	}
	return certificate{
		cert: cert, key: key, bundle: bundle,
		notBefore: pair.Leaf.NotBefore, notAfter: pair.Leaf.NotAfter,
	}, nil
}

// valid returns the certificates of a PEM bundle that have not expired.
func valid(bundle []byte, now time.Time) []byte {
	var kept []byte
	for {
		var block *pem.Block
		if block, bundle = pem.Decode(bundle); block == nil {
			return kept
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && now.Before(c.NotAfter) {
			kept = append(kept, pem.EncodeToMemory(block)...)
		}
	}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
