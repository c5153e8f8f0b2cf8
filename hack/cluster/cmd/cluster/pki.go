package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// authority signs the certificates of one purpose.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// makePKI writes all keys and certificates of the cluster, and the two kubeconfigs: one for
// its own components, one for the host.
func makePKI(p paths, s state) error {
	ca, err := newAuthority(p, "ca")
	if err != nil {
		return err
	}
	// A CA of its own: with a shared one, any client could claim to be the front proxy.
	front, err := newAuthority(p, "front-ca")
	if err != nil {
		return err
	}
	names := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	ips := []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(nodeIP), net.ParseIP(apiServiceIP)}
	for _, c := range []struct {
		by   authority
		name string
		cert x509.Certificate
	}{
		{ca, "apiserver", x509.Certificate{Subject: pkix.Name{CommonName: "kube-apiserver"}, DNSNames: names, IPAddresses: ips,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}},
		{ca, "admin", x509.Certificate{Subject: pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}},
		{front, "front", x509.Certificate{Subject: pkix.Name{CommonName: "front-proxy"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}},
	} {
		if err := c.by.issue(p, c.name, c.cert); err != nil {
			return err
		}
	}
	if err := serviceAccountKey(p); err != nil {
		return err
	}
	return writeKubeconfigs(p, s, ca)
}

func newAuthority(p paths, name string) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	t := certTemplate(x509.Certificate{Subject: pkix.Name{CommonName: "ipa-cluster-" + name}})
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage |= x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, key.Public(), key)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return authority{}, err
	}
	return authority{cert, key}, writePair(p, name, der, key)
}

func (a authority) issue(p paths, name string, c x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := certTemplate(c)
	der, err := x509.CreateCertificate(rand.Reader, &t, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePair(p, name, der, key)
}

func certTemplate(c x509.Certificate) x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	c.SerialNumber = serial
	c.NotBefore = time.Now().Add(-time.Hour)
	c.NotAfter = time.Now().AddDate(1, 0, 0)
	c.KeyUsage = x509.KeyUsageDigitalSignature
	return c
}

func writePair(p paths, name string, der []byte, key crypto.Signer) error {
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(p.pki(name+".key"), block("PRIVATE KEY", b)); err != nil {
		return err
	}
	return writeFile(p.pki(name+".crt"), block("CERTIFICATE", der))
}

func serviceAccountKey(p paths) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeFile(p.pki("sa.pub"), block("PUBLIC KEY", pub)); err != nil {
		return err
	}
	return writeFile(p.pki("sa.key"), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)))
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func writeKubeconfigs(p paths, s state, ca authority) error {
	crt, key, err := readPair(p, "admin")
	if err != nil {
		return err
	}
	caPEM := block("CERTIFICATE", ca.cert.Raw)
	if err := writeFile(p.pki("admin.conf"), kubeconfigText(6443, caPEM, crt, key)); err != nil {
		return err
	}
	return writeFile(p.kubeconfig(), kubeconfigText(s.APIPort, caPEM, crt, key))
}

func kubeconfigText(port int, ca, crt, key string) string {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: ipa-cluster, cluster: {server: "https://127.0.0.1:%d", certificate-authority-data: %s}}]
users: [{name: admin, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: ipa-cluster, context: {cluster: ipa-cluster, user: admin}}]
current-context: ipa-cluster
`, port, b64(ca), b64(crt), b64(key))
}
