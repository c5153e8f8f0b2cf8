package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// Users of the API server; the audit log counts the requests of adapterUser only.
const (
	benchUser   = "bench"
	adapterUser = "adapter"
)

// controlPlane is a real etcd and kube-apiserver.
type controlPlane struct {
	k8s, dir  string
	etcd, api *exec.Cmd
}

func (c *controlPlane) file(name string) string { return filepath.Join(c.dir, name) }

// startControlPlane runs etcd and kube-apiserver and waits until they serve.
func startControlPlane(ctx context.Context, k8s, dir string) (*controlPlane, error) {
	c := &controlPlane{k8s: k8s, dir: dir}
	if err := c.writeFiles(); err != nil {
		return nil, err
	}
	var err error
	// No fsync: the data ends with the run.
	c.etcd, err = c.start(ctx, "etcd", "--name=e", "--data-dir="+c.file("data"), "--unsafe-no-fsync", "--log-level=error",
		"--quota-backend-bytes=8589934592",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380", "--initial-cluster=e=http://127.0.0.1:2380")
	if err != nil {
		return nil, err
	}
	return c, c.startAPI(ctx)
}

func (c *controlPlane) startAPI(ctx context.Context) (err error) {
	// --advertise-address is one of the pod network: loopback is refused.
	c.api, err = c.start(ctx, "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--secure-port=6443", "--bind-address=0.0.0.0",
		"--advertise-address="+podIP(maxPods-1), "--cert-dir="+c.file("certs"), "--token-auth-file="+c.file("tokens.csv"),
		"--client-ca-file="+c.file("ca.crt"), "--requestheader-client-ca-file="+c.file("ca.crt"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--service-account-key-file="+c.file("sa.key"), "--service-account-signing-key-file="+c.file("sa.key"), "--service-account-issuer=https://bench",
		"--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
		"--audit-policy-file="+c.file("audit.yaml"), "--audit-log-path="+c.file("audit.log"), "--v=0")
	if err != nil {
		return err
	}
	return c.wait(ctx)
}

func (c *controlPlane) start(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(c.file(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	link := c.file(name) // the binary is what it is called
	_ = os.Remove(link)
	if err := os.Symlink(c.k8s, link); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, link, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, cmd.Start()
}

func (c *controlPlane) wait(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.config(benchUser, "127.0.0.1"))
	if err != nil {
		return err
	}
	return until(ctx, 2*time.Minute, "kube-apiserver to be ready (see "+c.file("kube-apiserver.log")+")", func() bool {
		res, err := client.Get("https://127.0.0.1:6443/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == 200
	})
}

// restartAPI ends kube-apiserver as a crash does, and starts it anew.
func (c *controlPlane) restartAPI(ctx context.Context) error {
	_ = c.api.Process.Kill()
	_ = c.api.Wait()
	return c.startAPI(ctx)
}

func (c *controlPlane) stop() {
	for _, cmd := range []*exec.Cmd{c.api, c.etcd} {
		if cmd != nil && cmd.Process != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
}

func (c *controlPlane) config(user, host string) *rest.Config {
	return &rest.Config{
		Host: "https://" + host + ":6443", BearerToken: user, TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: -1,
		Timeout: time.Minute,
	}
}

func (c *controlPlane) writeFiles() error {
	ca, _, err := cert.GenerateSelfSignedCertKey("bench", nil, nil)
	if err != nil {
		return err
	}
	key, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return err
	}
	tokens := fmt.Sprintf("%s,%s,1,system:masters\n%s,%s,2,system:masters\n", benchUser, benchUser, adapterUser, adapterUser)
	audit := fmt.Sprintf("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- {level: Metadata, users: [%s]}\n- {level: None}\n", adapterUser)
	files := map[string][]byte{"ca.crt": ca, "sa.key": key, "tokens.csv": []byte(tokens), "audit.yaml": []byte(audit)}
	for name, content := range files {
		if err := os.WriteFile(c.file(name), content, 0o600); err != nil {
			return err
		}
	}
	k := clientcmdapi.NewConfig()
	k.Clusters["bench"] = &clientcmdapi.Cluster{Server: "https://" + ourIP + ":6443", InsecureSkipTLSVerify: true}
	k.AuthInfos["adapter"] = &clientcmdapi.AuthInfo{Token: adapterUser}
	k.Contexts["bench"] = &clientcmdapi.Context{Cluster: "bench", AuthInfo: "adapter"}
	k.CurrentContext = "bench"
	return clientcmd.WriteToFile(*k, c.file("kubeconfig"))
}

// apply has kubectl apply YAML.
func (c *controlPlane) apply(ctx context.Context, yaml []byte) error {
	link := c.file("kubectl")
	_ = os.Remove(link)
	if err := os.Symlink(c.k8s, link); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, link, "--server=https://127.0.0.1:6443", "--token="+benchUser, "--insecure-skip-tls-verify",
		"apply", "--server-side", "--force-conflicts", "--validate=false", "-f", "-")
	cmd.Env = append(os.Environ(), "KUBECACHEDIR="+c.file("kubectl-cache"))
	cmd.Stdin = bytes.NewReader(yaml)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply: %w: %s", err, out)
	}
	return nil
}

// until polls ok until it is true.
func until(ctx context.Context, limit time.Duration, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v for %s", limit, what)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}
