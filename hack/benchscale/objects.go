package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	networkingv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	networkingclient "knative.dev/networking/pkg/client/clientset/versioned"
	"knative.dev/pkg/ptr"
	"knative.dev/serving/pkg/apis/autoscaling"
	pav1alpha1 "knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	servingclient "knative.dev/serving/pkg/client/clientset/versioned"

	apis "github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// revision is one revision with the pods that it has, by their numbers.
type revision struct {
	namespace, name string
	from, to        int
	// probe revisions scale on num_requests_running, so that a burst has one answer.
	probe bool
	// led is false where the stand-in holds the lease of the revision's bucket.
	led bool
}

func (r revision) deployment() string { return r.name + "-deployment" }
func (r revision) pod(i int) string {
	return fmt.Sprintf("%s-%09x-%05x", r.deployment(), 0xabc000000+r.from, i)
}

func (r revision) labels() map[string]string {
	service := strings.TrimSuffix(r.name, "-00001")
	return map[string]string{
		"app": r.name, serving.RevisionLabelKey: r.name, serving.RevisionUID: "7d0ff1a4-0000-4000-8000-" + fmt.Sprintf("%012d", r.from),
		serving.ConfigurationLabelKey: service, serving.ConfigurationGenerationLabelKey: "1",
		serving.ConfigurationUIDLabelKey: "7d0ff1a4-1111-4000-8000-" + fmt.Sprintf("%012d", r.from),
		serving.ServiceLabelKey:          service, serving.ServiceUIDLabelKey: "7d0ff1a4-2222-4000-8000-" + fmt.Sprintf("%012d", r.from),
	}
}

// plan spreads the pods over revisions and the revisions over namespaces.
func plan(o options) (all []revision, pods []string) {
	for i := range o.revisions {
		r := revision{from: i * o.pods / o.revisions, to: (i + 1) * o.pods / o.revisions, probe: i%20 == 7%o.revisions}
		r.namespace, r.name = fmt.Sprintf("tenant-%04d", r.from/o.perNamespace), fmt.Sprintf("model-%05d-00001", i)
		all = append(all, r)
		for p := r.from; p < r.to; p++ {
			pods = append(pods, r.pod(p))
		}
	}
	return all, pods
}

// clients write the objects.
type clients struct {
	kube       kubernetes.Interface
	serving    servingclient.Interface
	networking networkingclient.Interface
	pods       *podStore
}

func newClients(cfg *rest.Config) (c clients, err error) {
	proto := rest.CopyConfig(cfg)
	proto.ContentType = "application/vnd.kubernetes.protobuf"
	if c.kube, err = kubernetes.NewForConfig(proto); err != nil {
		return c, err
	}
	if c.serving, err = servingclient.NewForConfig(cfg); err != nil {
		return c, err
	}
	if c.networking, err = networkingclient.NewForConfig(cfg); err != nil {
		return c, err
	}
	c.pods, err = newPodStore()
	return c, err
}

// definitions are the YAML of Knative's resources and config maps, and of ours without the Deployment.
func definitions(root string) (early, webhooks []byte, err error) {
	early = []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: knative-serving}\n")
	for _, g := range []struct{ module, glob string }{
		{"knative.dev/serving", "config/core/300-resources/*.yaml"},
		{"knative.dev/networking", "config/*.yaml"},
		{"knative.dev/serving", "config/core/configmaps/*.yaml"},
	} {
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", g.module).Output()
		if err != nil {
			return nil, nil, fmt.Errorf("finding the module %s: %w", g.module, err)
		}
		if early, err = appendFiles(early, filepath.Join(strings.TrimSpace(string(dir)), g.glob), ""); err != nil {
			return nil, nil, err
		}
	}
	if early, err = appendFiles(early, root+"/config/*.yaml", "45"); err != nil { // 4xx are Deployments and Services, 5xx webhooks
		return nil, nil, err
	}
	webhooks, err = appendFiles(nil, root+"/config/5*.yaml", "")
	return early, webhooks, err
}

func appendFiles(to []byte, glob, without string) ([]byte, error) {
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no file matches %s", glob)
	}
	for _, f := range files {
		if without != "" && strings.ContainsAny(filepath.Base(f)[:1], without) {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		to = append(append(to, "\n---\n"...), b...)
	}
	return to, nil
}

// create writes every object, 32 revisions at a time, and reports progress.
func (c clients) create(ctx context.Context, o options, all []revision, progress func(string, ...any)) error {
	seen := map[string]bool{}
	for _, r := range all {
		if seen[r.namespace] {
			continue
		}
		seen[r.namespace] = true
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}}
		if _, err := c.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	var done atomic.Int64
	last := time.Now()
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(32)
	for _, r := range all {
		if time.Since(last) > 5*time.Second {
			last = time.Now()
			progress("%d of %d pods created", done.Load(), o.pods)
		}
		eg.Go(func() error {
			defer func() { done.Add(int64(r.to - r.from)) }()
			return c.createRevision(ctx, o, r)
		})
	}
	return eg.Wait()
}

func (c clients) createRevision(ctx context.Context, o options, r revision) error {
	d, err := c.kube.AppsV1().Deployments(r.namespace).Create(ctx, deployment(r), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if _, err := c.serving.ServingV1().Revisions(r.namespace).Create(ctx, knativeRevision(r),
		metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := c.pods.create(ctx, r, d.UID); err != nil {
		return err
	}
	pa, err := c.serving.AutoscalingV1alpha1().PodAutoscalers(r.namespace).Create(ctx, podAutoscaler(o, r),
		metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return c.createSKS(ctx, r, pa)
}

// createSKS makes a ServerlessService that is ready, as Knative's controller would.
func (c clients) createSKS(ctx context.Context, r revision, pa *pav1alpha1.PodAutoscaler) error {
	client := c.networking.NetworkingV1alpha1().ServerlessServices(r.namespace)
	s := &networkingv1alpha1.ServerlessService{
		ObjectMeta: metav1.ObjectMeta{Name: r.name, Labels: r.labels(), OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "autoscaling.internal.knative.dev/v1alpha1", Kind: "PodAutoscaler", Name: pa.Name, UID: pa.UID, Controller: ptr.Bool(true),
		}}},
		Spec: networkingv1alpha1.ServerlessServiceSpec{
			Mode: networkingv1alpha1.SKSOperationModeServe, ProtocolType: "http1",
			ObjectRef: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: r.deployment()},
		},
	}
	s, err := client.Create(ctx, s, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	s.Status.InitializeConditions()
	s.Status.MarkEndpointsReady()
	s.Status.MarkActivatorEndpointsRemoved()
	s.Status.ServiceName, s.Status.PrivateServiceName = r.name, r.name+"-private"
	_, err = client.UpdateStatus(ctx, s, metav1.UpdateOptions{})
	return err
}

func podAutoscaler(o options, r revision) *pav1alpha1.PodAutoscaler {
	count := fmt.Sprint(r.to - r.from)
	annotations := map[string]string{
		autoscaling.ClassAnnotationKey: apis.Class, autoscaling.MetricAnnotationKey: o.metric,
		autoscaling.MinScaleAnnotationKey: count, autoscaling.MaxScaleAnnotationKey: count,
		"serving.knative.dev/creator": "admin",
	}
	if r.probe {
		annotations[autoscaling.MetricAnnotationKey] = "num_requests_running=50"
		annotations[autoscaling.MaxScaleAnnotationKey] = fmt.Sprint(4 * (r.to - r.from))
	}
	return &pav1alpha1.PodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: r.name, Labels: r.labels(), Annotations: annotations},
		Spec: pav1alpha1.PodAutoscalerSpec{
			ScaleTargetRef: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: r.deployment()},
			Reachability:   pav1alpha1.ReachabilityReachable, ProtocolType: "http1",
		},
	}
}

func knativeRevision(r revision) *servingv1.Revision {
	labels := r.labels()
	labels[serving.RoutingStateLabelKey] = "active"
	return &servingv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Name: r.name, Labels: labels},
		Spec:       servingv1.RevisionSpec{PodSpec: podSpec(r)},
	}
}

func deployment(r revision) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: r.deployment(), Labels: r.labels()},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.Int32(int32(r.to - r.from)),
			Selector: &metav1.LabelSelector{
				MatchLabels: map[string]string{serving.RevisionUID: r.labels()[serving.RevisionUID]},
			},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: r.labels()}, Spec: podSpec(r)},
		},
	}
}
