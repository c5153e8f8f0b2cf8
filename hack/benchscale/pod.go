package main

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/pkg/ptr"
)

// pod is as large as one that Knative makes: two containers, the queue-proxy's
// 40 environment variables.
func pod(r revision, i int, owner types.UID) *corev1.Pod {
	labels := r.labels()
	labels["pod-template-hash"] = fmt.Sprintf("%09x", 0xabc000000+r.from)
	spec := podSpec(r)
	spec.NodeName = fmt.Sprintf("node-%04d", i/8)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: r.pod(i), Labels: labels,
			Annotations: map[string]string{
				"serving.knative.dev/creator":  "admin",
				"autoscaling.knative.dev/note": "annotations of the template are on every pod",
				"kubectl.kubernetes.io/note":   strings.Repeat("x", 200),
			},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet",
				Name: r.deployment() + "-abc", UID: owner, Controller: ptr.Bool(true)}},
		},
		Spec: spec,
	}
}

func podSpec(r revision) corev1.PodSpec {
	var env []corev1.EnvVar
	for i := range 40 {
		env = append(env, corev1.EnvVar{Name: fmt.Sprintf("QUEUE_SERVING_VARIABLE_%02d", i), Value: r.namespace + "/" + r.name})
	}
	get := &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(8012)}
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: get}}
	return corev1.PodSpec{
		Containers: []corev1.Container{
			{
				Name: "user-container", Image: "docker.io/vllm/vllm-openai@sha256:" + strings.Repeat("0", 64),
				Args:  []string{"--model=Qwen/Qwen3-32B", "--max-model-len=32768", "--gpu-memory-utilization=0.92", "--tensor-parallel-size=2"},
				Ports: []corev1.ContainerPort{{Name: "user-port", ContainerPort: enginePort, Protocol: corev1.ProtocolTCP}},
				Env:   []corev1.EnvVar{{Name: "PORT", Value: "8000"}, {Name: "K_REVISION", Value: r.name}, {Name: "K_SERVICE", Value: r.name}},
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
					"nvidia.com/gpu": resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("96Gi"),
				}},
			},
			{
				Name: "queue-proxy", Image: "gcr.io/knative-releases/queue@sha256:" + strings.Repeat("1", 64), Env: env, ReadinessProbe: probe,
				Ports: []corev1.ContainerPort{{Name: "queue-port", ContainerPort: 8012},
					{Name: "http-queueadm", ContainerPort: 8022}, {Name: "http-autometric", ContainerPort: queueProxyPort}},
			},
		},
		Tolerations: []corev1.Toleration{{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists}},
	}
}

func podStatus(i int) corev1.PodStatus {
	at := metav1.NewTime(time.Now())
	s := corev1.PodStatus{Phase: corev1.PodRunning, PodIP: podIP(i), PodIPs: []corev1.PodIP{{IP: podIP(i)}},
		HostIP: "10.0.0.1", StartTime: &at}
	for _, kind := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized,
		corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		s.Conditions = append(s.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue,
			LastTransitionTime: at})
	}
	for _, name := range []string{"user-container", "queue-proxy"} {
		s.ContainerStatuses = append(s.ContainerStatuses, corev1.ContainerStatus{
			Name: name, Ready: true, Image: "sha256:" + strings.Repeat("2", 64),
			ImageID: "sha256:" + strings.Repeat("3", 64), ContainerID: "containerd://" + strings.Repeat("4", 64),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}},
		})
	}
	return s
}
