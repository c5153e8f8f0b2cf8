package manifest

import (
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// pickerHealthPort is where the kubelet asks a picker.
const pickerHealthPort = 9003

// scrapeInterval is how often a picker reads each pod; upstream's 50 ms costs
// a tenth of a core for every few pods.
const scrapeInterval = 100 * time.Millisecond

// renderPicker writes everything that runs a picker for one pool.
func (b *builder) renderPicker(pool string, r Revision) {
	name := pickerName(pool)
	id := func(apiVersion, kind string) identity {
		return identity{apiVersion, kind, b.in.Namespace, name, "picker"}
	}
	b.add(StagePicker, id("v1", "ServiceAccount"), fields{"automountServiceAccountToken": false}) // the pod asks for the token
	b.bindPicker(pool, "-epp-reads", PickerRole)
	if b.leader().Picker.Replicas > 1 {
		b.bindPicker(pool, "-epp-leads", PickerLeaderRole)
	}
	config := b.pickerConfig(r)
	if b.leader().Picker.ConfigMap == "" {
		b.add(StagePicker, id("v1", "ConfigMap"), fields{"data": fields{"config.yaml": config}})
	}
	b.add(StagePicker, id("v1", "Service"), fields{"spec": fields{
		"selector": fields{inference.PickerPodKey: pool},
		"ports": list{
			fields{"name": "grpc-ext-proc", "port": int64(pickerPort), "targetPort": int64(pickerPort), "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
			fields{"name": "http-metrics", "port": int64(inference.PickerMetricsPort), "targetPort": int64(inference.PickerMetricsPort), "protocol": "TCP"},
		},
	}})
	b.add(StagePicker, id("apps/v1", "Deployment"), fields{"spec": b.pickerDeployment(pool, config, r)})
	b.renderDestinationRule(id("networking.istio.io/v1", "DestinationRule"))
}

// renderDestinationRule makes Istio speak TLS to a server whose certificate nobody signed.
func (b *builder) renderDestinationRule(id identity) {
	if !b.can.envoyFilters {
		return
	}
	if !b.w.Served.DestinationRule {
		b.find(inference.ConditionEndpointPickerReady, "False", inference.ReasonIstioCRDMissing,
			"The cluster does not serve DestinationRule of networking.istio.io/v1, so Istio cannot reach the picker; install Istio's CRDs.")
		return
	}
	b.add(StagePicker, id, fields{"spec": b.tlsTo(id.name, id.namespace)})
}

func (b *builder) tlsTo(service, namespace string) fields {
	return fields{"host": b.hostOf(service, namespace), "trafficPolicy": fields{"tls": fields{"mode": "SIMPLE", "insecureSkipVerify": true}}}
}

// hostOf is the cluster-local name of a Service.
func (b *builder) hostOf(service, namespace string) string {
	return fmt.Sprintf("%s.%s.svc.%s", service, namespace, b.w.ClusterDomain)
}

// pickerKnownAfter is how long after a picker is Ready a gateway is taken to know its address.
// Origin: 500 was seen 0.3 s after (Istio, load average 60). Other values were not tried.
const pickerKnownAfter = 2 * time.Second

// The ClusterRoles of pickers, which are installed with the gateway's controller.
// The controller may bind these two and no other role.
const (
	// PickerRole lets a picker read its pods, pools and objectives.
	PickerRole = "autoscaler-adapter-picker"
	// PickerLeaderRole lets the replicas of a picker elect a leader.
	PickerLeaderRole = "autoscaler-adapter-picker-leader"
)

// bindPicker gives the picker of a pool one of the fixed roles in its namespace.
// The suffix is not that of a RoleBinding of earlier versions, whose role cannot change.
func (b *builder) bindPicker(pool, suffix, role string) {
	b.add(StagePicker, identity{"rbac.authorization.k8s.io/v1", "RoleBinding", b.in.Namespace, fit(pool+suffix, maxName), "picker"}, fields{
		"roleRef":  fields{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
		"subjects": list{fields{"kind": "ServiceAccount", "name": pickerName(pool), "namespace": b.in.Namespace}},
	})
}

func (b *builder) pickerDeployment(pool, config string, r Revision) fields {
	picker := b.leader().Picker
	annotations := fields{}
	configMap := picker.ConfigMap
	if configMap == "" {
		configMap = pickerName(pool)
		annotations[inference.ConfigHashKey] = digest(config)
	}
	return fields{
		"replicas": int64(picker.Replicas),
		// A route waits until its picker is available. The gateway hears of the picker's address when
		// the picker is Ready; Envoy answers 500 while it has the route and not the address.
		"minReadySeconds": int64(pickerKnownAfter / time.Second),
		"strategy":        fields{"type": "RollingUpdate", "rollingUpdate": fields{"maxUnavailable": int64(0), "maxSurge": int64(1)}},
		"selector":        fields{"matchLabels": fields{inference.PickerPodKey: pool}},
		"template": fields{
			"metadata": fields{"labels": fields{inference.PickerPodKey: pool, inference.ComponentKey: "picker"}, "annotations": annotations},
			"spec": fields{
				"serviceAccountName":           pickerName(pool),
				"automountServiceAccountToken": true, // it watches its pool and pods
				// The picker is on the path of every chunk of every response.
				"terminationGracePeriodSeconds": int64((b.longest() + 30*time.Second) / time.Second),
				"securityContext":               fields{"runAsNonRoot": true, "seccompProfile": fields{"type": "RuntimeDefault"}},
				"containers":                    list{b.pickerContainer(pool, r)},
				"volumes":                       list{fields{"name": "config", "configMap": fields{"name": configMap}}},
			},
		},
	}
}

func (b *builder) pickerContainer(pool string, r Revision) fields {
	live, ready := "inference-extension", "inference-extension"
	if b.leader().Picker.Replicas > 1 {
		live, ready = "liveness", "readiness"
	}
	c := container("epp", b.leader().Picker.Image, b.pickerArgs(pool, r))
	c["env"] = list{fieldEnv("NAMESPACE", "metadata.namespace"), fieldEnv("POD_NAME", "metadata.name")}
	c["ports"] = list{port("grpc", pickerPort), port("grpc-health", pickerHealthPort), port("metrics", inference.PickerMetricsPort)}
	c["readinessProbe"] = fields{"grpc": fields{"port": int64(pickerHealthPort), "service": ready}, "periodSeconds": int64(2)}
	c["livenessProbe"] = fields{"grpc": fields{"port": int64(pickerHealthPort), "service": live}, "initialDelaySeconds": int64(5), "periodSeconds": int64(10)}
	c["resources"] = fields{"requests": fields{"cpu": "200m", "memory": "256Mi"}, "limits": fields{"memory": "2Gi"}}
	c["volumeMounts"] = list{fields{"name": "config", "mountPath": "/config", "readOnly": true}}
	return c
}

func (b *builder) pickerArgs(pool string, r Revision) list {
	args := list{
		"--pool-name=" + pool, "--pool-namespace=" + b.in.Namespace, "--pool-group=" + poolGroup,
		"--config-file=/config/config.yaml",
		fmt.Sprintf("--grpc-port=%d", pickerPort), fmt.Sprintf("--grpc-health-port=%d", pickerHealthPort), fmt.Sprintf("--metrics-port=%d", inference.PickerMetricsPort),
		"--metrics-endpoint-auth=false", "--tracing=false", "--enable-pprof=false", "--zap-encoder=json", "-v=1",
	}
	if b.leader().Picker.Flavor == binding.FlavorGIE {
		port, _ := metricsEndpoint(b.leader(), r)
		args = append(args, fmt.Sprintf("--model-server-metrics-port=%d", port), "--refresh-metrics-interval="+scrapeInterval.String())
	}
	if b.leader().Picker.Replicas > 1 {
		args = append(args, "--ha-enable-leader-election")
	}
	return args
}

// container is one that may do little.
func container(name, image string, args list) fields {
	return fields{"name": name, "image": image, "args": args, "securityContext": fields{
		"allowPrivilegeEscalation": false, "runAsNonRoot": true, "readOnlyRootFilesystem": true,
		"capabilities": fields{"drop": list{"ALL"}}, "seccompProfile": fields{"type": "RuntimeDefault"},
	}}
}

func port(name string, number int) fields {
	return fields{"name": name, "containerPort": int64(number), "protocol": "TCP"}
}

func fieldEnv(name, path string) fields {
	return fields{"name": name, "valueFrom": fields{"fieldRef": fields{"apiVersion": "v1", "fieldPath": path}}}
}
