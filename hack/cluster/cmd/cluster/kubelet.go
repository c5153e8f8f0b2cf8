package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// images starts containerd on the prepared store, or imports: first what the system pods run.
func (n *starting) images() error {
	p := n.paths
	if err := n.render("cni/10-bridge.conflist", cniConfig); err != nil {
		return err
	}
	if err := n.render("containerd/config.toml", containerdConfig); err != nil {
		return err
	}
	linked := n.linkStore()
	if err := n.supervise("containerd", "containerd", "--config", p.run("containerd", "config.toml")); err != nil {
		return err
	}
	if err := poll(n.ctx, "containerd", func() error { return ctr(p.containerd(), "version").Run() }); err != nil {
		return err
	}
	if linked {
		stage("containerd ready, images in place")
		close(n.imagesIn)
		return nil
	}
	first, later := archives(n.state.Built)
	if err := importImages(p.containerd(), first); err != nil {
		return err
	}
	stage("containerd ready, %d images imported", len(first))
	close(n.imagesIn)
	if err := importImages(p.containerd(), later); err != nil {
		return err
	}
	stage("engine simulator and test images imported")
	return nil
}

// linkStore reports whether containerd's root could be linked from the prepared store.
func (n *starting) linkStore() bool {
	if n.state.Store == "" {
		return false
	}
	root := n.paths.run("containerd", "root")
	if err := linkTree(n.state.Store, root); err != nil {
		fmt.Printf("no store: %v\n", err)
		os.RemoveAll(root)
		return false
	}
	return true
}

// archives are the images by urgency: first what the system pods run.
func archives(b builds) (first, later []string) {
	tar := func(dir, name string) string { return filepath.Join(dir, "images", name+".tar") }
	for _, name := range append([]string{"pause", "coredns"}, servingImages...) {
		first = append(first, tar(b.Node, name))
	}
	if b.Envoy {
		first = append(first, tar(b.Kourier, "kourier"), tar(b.Kourier, "envoy"))
	} else {
		first = append(first, tar(b.Node, "kingress"))
	}
	return first, []string{tar(b.Sim, "llm-d-inference-sim"), tar(b.Node, "hello")}
}

func allArchives(s state) []string {
	first, later := archives(s.Built)
	all := append(first, later...)
	if s.Gateway != (gatewayBuilds{}) {
		all = append(all, s.Gateway.archives()...)
	}
	return all
}

func ctr(socket string, args ...string) *exec.Cmd {
	return exec.Command("ctr", append([]string{"--address", socket, "--namespace", "k8s.io"}, args...)...)
}

// importImages imports three archives at a time: each waits partly for the disk.
func importImages(socket string, archives []string) error {
	slots := make(chan struct{}, 3)
	var steps []func() error
	for _, a := range archives {
		steps = append(steps, func() error {
			slots <- struct{}{}
			defer func() { <-slots }()
			out, err := ctr(socket, "images", "import", a).CombinedOutput()
			if err != nil {
				return fmt.Errorf("import %s: %w: %s", filepath.Base(a), err, lastLine(string(out)))
			}
			return nil
		})
	}
	return parallel(steps...)
}

// kubelet starts kubelet and kube-proxy. Only after the images are there: a pod that comes
// earlier would try to pull, fail, and back off.
func (n *starting) kubelet() error {
	if err := n.after(n.controlUp); err != nil {
		return err
	}
	if err := n.render("proxy.yaml", proxyConfig); err != nil {
		return err
	}
	if err := n.supervise("kube-proxy", n.bin("kube-proxy"), "--config="+n.paths.run("proxy.yaml"), "--v=2"); err != nil {
		return err
	}
	if err := n.after(n.imagesIn); err != nil {
		return err
	}
	if err := n.render("kubelet.yaml", kubeletConfig); err != nil {
		return err
	}
	if err := n.supervise("kubelet", n.bin("kubelet"), "--config="+n.paths.run("kubelet.yaml"), "--kubeconfig="+n.paths.pki("admin.conf"),
		"--root-dir="+n.paths.run("kubelet"), "--hostname-override="+nodeName, "--node-ip="+nodeIP, "--v=2"); err != nil {
		return err
	}
	err := poll(n.ctx, "kubelet", func() error {
		var node object
		if err := n.api.get(n.ctx, "/api/v1/nodes/"+nodeName, &node); err != nil {
			return err
		}
		if !node.is("Ready") {
			return fmt.Errorf("node %s is not Ready", nodeName)
		}
		return nil
	})
	if err == nil {
		stage("node Ready")
	}
	return err
}

// render fills a configuration template and writes it below run/.
func (n *starting) render(name, text string) error {
	t, err := template.New(name).Parse(text)
	if err != nil {
		return err
	}
	cni := "/usr/lib/cni" // Debian's; elsewhere it is usually /opt/cni/bin
	if _, err := os.Stat(cni); err != nil {
		cni = "/opt/cni/bin"
	}
	var b strings.Builder
	if err := t.Execute(&b, map[string]any{
		"Run": n.paths.run(), "Socket": n.paths.containerd(), "CA": n.paths.pki("ca.crt"), "AdminConf": n.paths.pki("admin.conf"),
		"CNI": cni, "PodRange": podRange, "PodNetwork": podNetwork, "DNS": dnsIP, "NodeIP": nodeIP, "NodeName": nodeName,
		"CgroupRoot": "/" + cgroupRoot, "CgroupV1": !unified(), "Pause": pauseImage,
	}); err != nil {
		return err
	}
	return writeFile(n.paths.run(name), b.String())
}

const cniConfig = `{"cniVersion":"0.4.0","name":"pods","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"hairpinMode":true,
  "ipam":{"type":"host-local","ranges":[[{"subnet":"{{.PodRange}}"}]],"routes":[{"dst":"0.0.0.0/0"}],"dataDir":"{{.Run}}/cni-data"}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
`

// restrict_oom_score_adj: without CAP_SYS_RESOURCE runc dies of "can't get final child's PID".
const containerdConfig = `version = 2
root = "{{.Run}}/containerd/root"
state = "{{.Run}}/containerd/state"
[grpc]
  address = "{{.Socket}}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{{.Pause}}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{{.CNI}}"
    conf_dir = "{{.Run}}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
[plugins."io.containerd.internal.v1.opt"]
  path = "{{.Run}}/containerd/opt"
`

const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: {{.CA}}}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://{{.Socket}}
cgroupDriver: cgroupfs
cgroupRoot: {{.CgroupRoot}}
{{if .CgroupV1}}failCgroupV1: false
{{end}}failSwapOn: false
podLogsDir: {{.Run}}/pod-logs
volumePluginDir: {{.Run}}/volume-plugins
clusterDNS: [{{.DNS}}]
clusterDomain: cluster.local
resolvConf: {{.Run}}/resolv.conf
imageGCHighThresholdPercent: 100
evictionHard: {imagefs.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%"}
makeIPTablesUtilChains: false
maxPods: 500
serializeImagePulls: false
registryPullQPS: 0
`

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: {{.PodNetwork}}
nodeIP: {{.NodeIP}}
hostnameOverride: {{.NodeName}}
clientConnection: {kubeconfig: {{.AdminConf}}}
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`
