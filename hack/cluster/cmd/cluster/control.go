package main

import "fmt"

// controlPlane starts etcd and the Kubernetes control plane.
func (n *starting) controlPlane() error {
	if err := n.supervise("etcd", n.etcdArgs()...); err != nil {
		return err
	}
	if err := n.supervise("kube-apiserver", n.apiserverArgs()...); err != nil {
		return err
	}
	if err := poll(n.ctx, "kube-apiserver", func() error { return n.api.get(n.ctx, "/readyz", nil) }); err != nil {
		return err
	}
	stage("kube-apiserver and etcd ready")
	close(n.controlUp)
	if err := n.supervise("kube-controller-manager", n.controllerManagerArgs()...); err != nil {
		return err
	}
	if err := n.supervise("kube-scheduler", n.schedulerArgs()...); err != nil {
		return err
	}
	return poll(n.ctx, "kube-controller-manager: no default service account", func() error {
		return n.api.get(n.ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
	})
}

func (n *starting) bin(name string) string { return n.state.Built.bin(name) }

func (n *starting) etcdArgs() []string {
	// No fsync: the data ends with the cluster anyway.
	return []string{n.bin("etcd"), "--name=e", "--data-dir=" + n.paths.run("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380", "--initial-cluster=e=http://127.0.0.1:2380"}
}

func (n *starting) apiserverArgs() []string {
	pki := n.paths.pki
	return []string{n.bin("kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379", "--secure-port=6443", "--bind-address=0.0.0.0",
		"--advertise-address=" + nodeIP, // loopback is refused
		"--client-ca-file=" + pki("ca.crt"), "--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
		"--service-account-key-file=" + pki("sa.pub"), "--service-account-signing-key-file=" + pki("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-cluster-ip-range=" + serviceRange, "--authorization-mode=Node,RBAC", "--allow-privileged=true",
		"--kubelet-preferred-address-types=InternalIP", // else logs and exec look for node0 in DNS
		"--kubelet-client-certificate=" + pki("admin.crt"), "--kubelet-client-key=" + pki("admin.key"),
		// The aggregation layer, for custom.metrics.k8s.io. The API server dials the Service's cluster
		// IP, which kube-proxy serves in this namespace, so --enable-aggregator-routing is not needed.
		"--requestheader-client-ca-file=" + pki("front-ca.crt"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki("front.crt"), "--proxy-client-key-file=" + pki("front.key"), "--v=1"}
}

// Both clients' default of 20 queries a second would add five seconds to the start.
const clientRate = 1000

func (n *starting) controllerManagerArgs() []string {
	pki, conf := n.paths.pki, n.paths.pki("admin.conf")
	return []string{n.bin("kube-controller-manager"), "--kubeconfig=" + conf, "--authentication-kubeconfig=" + conf, "--authorization-kubeconfig=" + conf,
		"--service-account-private-key-file=" + pki("sa.key"), "--root-ca-file=" + pki("ca.crt"),
		"--cluster-signing-cert-file=" + pki("ca.crt"), "--cluster-signing-key-file=" + pki("ca.key"), "--use-service-account-credentials=true",
		"--leader-elect=false", fmt.Sprintf("--kube-api-qps=%d", clientRate), fmt.Sprintf("--kube-api-burst=%d", clientRate),
		"--allocate-node-cidrs=true", "--cluster-cidr=" + podNetwork, "--service-cluster-ip-range=" + serviceRange,
		// Short, so that tests of the HPA controller take seconds: a production cluster has 15 s and 5 min.
		"--horizontal-pod-autoscaler-sync-period=5s", "--horizontal-pod-autoscaler-downscale-stabilization=20s"}
}

func (n *starting) schedulerArgs() []string {
	conf := n.paths.pki("admin.conf")
	return []string{n.bin("kube-scheduler"), "--kubeconfig=" + conf, "--authentication-kubeconfig=" + conf, "--authorization-kubeconfig=" + conf,
		"--leader-elect=false", fmt.Sprintf("--kube-api-qps=%d", clientRate), fmt.Sprintf("--kube-api-burst=%d", clientRate)}
}
