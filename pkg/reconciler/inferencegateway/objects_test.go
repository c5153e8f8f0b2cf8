package inferencegateway

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/ptr"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// service adds a Knative Service of one revision, name-00001, with all traffic.
func (c *cluster) service(name string, annotations map[string]string) *servingv1.Service {
	c.Helper()
	c.uid++
	svc := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: name, UID: types.UID("svc-" + name), Generation: 1, Annotations: annotations,
		CreationTimestamp: metav1.NewTime(time.Now().Add(time.Duration(c.uid) * time.Second)),
	}}
	put(c, c.services, svc)
	c.revision(name, name+"-00001")
	c.traffic(name, map[string]int{name + "-00001": 100})
	return svc
}

func (c *cluster) annotate(svc *servingv1.Service, annotations map[string]string) {
	c.Helper()
	changed := svc.DeepCopy()
	changed.Annotations = annotations
	put(c, c.services, changed)
}

func (c *cluster) revision(service, name string) {
	c.Helper()
	rev := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{serving.ServiceLabelKey: service}}}
	rev.Spec.TimeoutSeconds = ptr.Int64(int64(drainTime / time.Second))
	rev.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: 8000}}}}
	put(c, c.revs, rev)
}

// traffic writes the KIngress of a Service.
func (c *cluster) traffic(service string, percent map[string]int) {
	c.Helper()
	var splits []nv1alpha1.IngressBackendSplit
	for _, rev := range sortedKeys(percent) {
		splits = append(splits, nv1alpha1.IngressBackendSplit{
			IngressBackend: nv1alpha1.IngressBackend{ServiceName: rev}, Percent: percent[rev],
			AppendHeaders: map[string]string{"Knative-Serving-Revision": rev},
		})
	}
	paths := &nv1alpha1.HTTPIngressRuleValue{Paths: []nv1alpha1.HTTPIngressPath{{Splits: splits}}}
	put(c, c.ingress, &nv1alpha1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: service},
		Spec: nv1alpha1.IngressSpec{Rules: []nv1alpha1.IngressRule{
			{Hosts: []string{service + ".default.example.com"}, Visibility: nv1alpha1.IngressVisibilityExternalIP, HTTP: paths},
			{Hosts: []string{service + ".default"}, Visibility: nv1alpha1.IngressVisibilityClusterLocal, HTTP: paths},
		}},
	})
}

func put(c *cluster, i cache.Indexer, obj any) {
	c.Helper()
	if err := i.Update(obj); err != nil {
		c.Fatal(err)
	}
}

// pod adds a pod of a revision that has been Ready for a minute.
func (c *cluster) pod(service, revision, name string, annotations map[string]string) {
	c.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: name, UID: types.UID("pod-" + name), Annotations: annotations,
		Labels: map[string]string{serving.ServiceLabelKey: service, "serving.knative.dev/revision": revision},
	}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
	if _, err := c.kube.CoreV1().Pods("default").Create(c.Context(), pod, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
	c.seePods()
}

// setReady changes whether a pod is Ready.
func (c *cluster) setReady(name string, ready bool) {
	c.Helper()
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	pod := c.livePod(name)
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.Now()}}
	if _, err := c.kube.CoreV1().Pods("default").UpdateStatus(c.Context(), pod, metav1.UpdateOptions{}); err != nil {
		c.Fatal(err)
	}
	c.seePods()
}

// seePods brings the pod cache up to date.
func (c *cluster) seePods() {
	c.Helper()
	list, err := c.kube.CoreV1().Pods("").List(c.Context(), metav1.ListOptions{})
	if err != nil {
		c.Fatal(err)
	}
	var all []any
	for i := range list.Items {
		all = append(all, &list.Items[i])
	}
	if err := c.r.pods.Replace(all, ""); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) podLabel(name, key string) string {
	c.Helper()
	return c.livePod(name).Labels[key]
}

// hides reports whether a pod is hidden from the picker.
func (c *cluster) hides(name string) bool {
	c.Helper()
	return hidden(c.livePod(name))
}

func (c *cluster) livePod(name string) *corev1.Pod {
	c.Helper()
	pod, err := c.kube.CoreV1().Pods("default").Get(c.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.Fatal(err)
	}
	return pod
}
