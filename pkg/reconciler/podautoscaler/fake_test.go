package podautoscaler

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"
	appsv1listers "k8s.io/client-go/listers/apps/v1"
	policyv1listers "k8s.io/client-go/listers/policy/v1"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	networkingfake "knative.dev/networking/pkg/client/clientset/versioned/fake"
	networkinglisters "knative.dev/networking/pkg/client/listers/networking/v1alpha1"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/ptr"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	asconfig "knative.dev/serving/pkg/autoscaler/config"
	servingfake "knative.dev/serving/pkg/client/clientset/versioned/fake"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"
	servinglisters "knative.dev/serving/pkg/client/listers/serving/v1"
	"knative.dev/serving/pkg/deployment"
	areconciler "knative.dev/serving/pkg/reconciler/autoscaling"
	knconfig "knative.dev/serving/pkg/reconciler/autoscaling/config"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// bench is a reconciler on fake clients; the collector and the scaler record
// what they are told, and the scaler answers what the test wants.
type bench struct {
	*Reconciler
	t       *testing.T
	ctx     context.Context
	kube    *kubefake.Clientset
	serving *servingfake.Clientset
	network *networkingfake.Clientset
	events  *record.FakeRecorder

	watched  map[collector.Key]collector.Spec
	specs    map[collector.Key]decider.Spec
	answer   int32 // -1: no decision yet
	requeued time.Duration
	problems []collector.Problem
	endpoint collector.Endpoint
	loads    map[string]collector.Load
	// blind is why the activator cannot be read, noActivator that it is not in the path.
	// blindPicker is why the pickers cannot be read.
	blind       error
	blindPicker error
	noActivator bool
	excess      decider.Reading
	readyAfter  time.Duration
}

func (b *bench) ActivatorProblem() error { return b.blind }

func (b *bench) PickerProblem(collector.Key) error { return b.blindPicker }

func (b *bench) Watch(t collector.Spec)                 { b.watched[t.Key] = t }
func (b *bench) SetPods(collector.Key, []collector.Pod) {}
func (b *bench) Problems(collector.Key, time.Time) []collector.Problem {
	return b.problems
}
func (b *bench) Endpoint(collector.Key) collector.Endpoint     { return b.endpoint }
func (b *bench) Loads(collector.Key) map[string]collector.Load { return b.loads }
func (b *bench) Forget(r collector.Key) {
	delete(b.watched, r)
	delete(b.specs, r)
}

func (b *bench) Ensure(r collector.Key, spec decider.Spec, _ int32) multiscaler.Record {
	b.specs[r] = spec
	return b.record()
}

func (b *bench) record() multiscaler.Record {
	if b.answer < 0 {
		return multiscaler.Record{}
	}
	want := decider.Want{Metric: decider.Running, Observed: decider.Reading(b.answer), Target: 1, Asked: b.answer, Replicas: b.answer, Reason: decider.DesiredWithinRange}
	return multiscaler.Record{Time: time.Now(), ReadyAfter: b.readyAfter, Decision: decider.Decision{Replicas: b.answer, Reason: want.Reason, Metric: want.Metric, Wants: []decider.Want{want}, ExcessBurst: b.excess}}
}

func newBench(t *testing.T, answer int32, objects ...any) *bench {
	t.Helper()
	as, err := asconfig.NewConfigFromMap(nil)
	if err != nil {
		t.Fatal(err)
	}
	indexers := map[string]cache.Indexer{}
	for _, kind := range []string{"pa", "sks", "deployment", "revision", "budget"} {
		indexers[kind] = cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	}
	pods := cache.NewIndexer(cache.MetaNamespaceKeyFunc, revisionIndexer())
	b := &bench{
		t: t, kube: kubefake.NewClientset(), serving: servingfake.NewSimpleClientset(), network: networkingfake.NewSimpleClientset(), events: record.NewFakeRecorder(20),
		watched: map[collector.Key]collector.Spec{}, specs: map[collector.Key]decider.Spec{}, answer: answer,
	}
	for _, o := range objects {
		var err error
		switch o := o.(type) {
		case *v1alpha1.PodAutoscaler:
			err = indexers["pa"].Add(o)
			_, _ = b.serving.AutoscalingV1alpha1().PodAutoscalers(o.Namespace).Create(t.Context(), o.DeepCopy(), metav1.CreateOptions{})
		case *nv1alpha1.ServerlessService:
			err = indexers["sks"].Add(o)
			_, _ = b.network.NetworkingV1alpha1().ServerlessServices(o.Namespace).Create(t.Context(), o.DeepCopy(), metav1.CreateOptions{})
		case *appsv1.Deployment:
			err = indexers["deployment"].Add(o)
			_, _ = b.kube.AppsV1().Deployments(o.Namespace).Create(t.Context(), o.DeepCopy(), metav1.CreateOptions{})
		case *corev1.Pod:
			err = pods.Add(o)
			_, _ = b.kube.CoreV1().Pods(o.Namespace).Create(t.Context(), o.DeepCopy(), metav1.CreateOptions{})
		case *policyv1.PodDisruptionBudget:
			err = indexers["budget"].Add(o)
			_, _ = b.kube.PolicyV1().PodDisruptionBudgets(o.Namespace).Create(t.Context(), o.DeepCopy(), metav1.CreateOptions{})
		case *servingv1.Revision:
			err = indexers["revision"].Add(o)
		case *servingv1.Service:
			_, err = b.serving.ServingV1().Services(o.Namespace).Create(t.Context(), o, metav1.CreateOptions{})
		default:
			t.Fatalf("unknown object %T", o)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.Reconciler = &Reconciler{
		Base: &areconciler.Base{
			Client: b.serving, NetworkingClient: b.network, SKSLister: networkinglisters.NewServerlessServiceLister(indexers["sks"]),
		},
		kube: b.kube, deployments: appsv1listers.NewDeploymentLister(indexers["deployment"]), autoscalers: palisters.NewPodAutoscalerLister(indexers["pa"]),
		revisions: servinglisters.NewRevisionLister(indexers["revision"]),
		budgets:   policyv1listers.NewPodDisruptionBudgetLister(indexers["budget"]),
		pods:      podIndex{Indexer: pods}, collector: b, scaler: b, own: config.Default,
		requeue: func(_ types.NamespacedName, d time.Duration) { b.requeued = d },
		log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
		probe:   func(context.Context, *v1alpha1.PodAutoscaler) (bool, error) { return !b.noActivator, nil },
	}
	b.ctx = controller.WithEventRecorder(knconfig.ToContext(t.Context(), &knconfig.Config{Autoscaler: as, Deployment: &deployment.Config{ProgressDeadline: 2 * time.Minute}}), b.events)
	return b
}

// reconcile runs one reconciliation and returns the status it wrote.
func (b *bench) reconcile(pa *v1alpha1.PodAutoscaler) *v1alpha1.PodAutoscaler {
	b.t.Helper()
	pa = pa.DeepCopy()
	pa.Status.InitializeConditions()
	if err := b.ReconcileKind(b.ctx, pa); err != nil {
		b.t.Fatalf("ReconcileKind: %v", err)
	}
	return pa
}

// patched returns the count last written to a scale subresource, -1 when none was.
func (b *bench) patched() string {
	last := "none"
	for _, a := range b.kube.Actions() {
		if p, ok := a.(clienttesting.PatchAction); ok && a.GetSubresource() == "scale" {
			last = string(p.GetPatch())
		}
	}
	return last
}

func (b *bench) eventText() string {
	var all []string
	for {
		select {
		case e := <-b.events.Events:
			all = append(all, e)
		default:
			return strings.Join(all, "\n")
		}
	}
}

func autoscaler(name string, generation int, annotations ...string) *v1alpha1.PodAutoscaler {
	pa := &v1alpha1.PodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, UID: types.UID(name),
			Annotations: map[string]string{knautoscaling.ClassAnnotationKey: autoscaling.Class},
			Labels: map[string]string{
				serving.RevisionLabelKey: name, serving.ConfigurationLabelKey: "llm", serving.ServiceLabelKey: "llm",
				serving.ConfigurationGenerationLabelKey: string(rune('0' + generation)),
			},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "serving.knative.dev/v1", Kind: "Revision", Name: name, UID: "rev-uid", Controller: ptr.Bool(true)}},
		},
		Spec: v1alpha1.PodAutoscalerSpec{
			ScaleTargetRef: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name + "-deployment"},
			Reachability:   v1alpha1.ReachabilityReachable,
		},
	}
	for i := 0; i < len(annotations); i += 2 {
		pa.Annotations[annotations[i]] = annotations[i+1]
	}
	return pa
}

func target(name string, replicas int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name + "-deployment"},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "queue-proxy", Ports: []corev1.ContainerPort{{ContainerPort: 8012}}},
			{Name: "user-container", Ports: []corev1.ContainerPort{{ContainerPort: 8000}}},
		}}}},
	}
}

func readySKS(pa *v1alpha1.PodAutoscaler) *nv1alpha1.ServerlessService {
	sks := &nv1alpha1.ServerlessService{
		ObjectMeta: metav1.ObjectMeta{Namespace: pa.Namespace, Name: pa.Name, OwnerReferences: []metav1.OwnerReference{{UID: pa.UID, Controller: ptr.Bool(true)}}},
		Spec:       nv1alpha1.ServerlessServiceSpec{Mode: nv1alpha1.SKSOperationModeServe, NumActivators: minActivators, ObjectRef: pa.Spec.ScaleTargetRef},
	}
	sks.Status.InitializeConditions()
	sks.Status.MarkEndpointsReady()
	sks.Status.ServiceName, sks.Status.PrivateServiceName = pa.Name, pa.Name+"-private"
	return sks
}

func pod(revision, name string, conditions ...corev1.PodCondition) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{serving.RevisionLabelKey: revision}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1", Conditions: conditions},
	}
}

func ready() corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
}

func unschedulable() corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse}
}

func initialized(pa *v1alpha1.PodAutoscaler, ago time.Duration) *v1alpha1.PodAutoscaler {
	pa.Status.InitializeConditions()
	pa.Status.MarkScaleTargetInitialized()
	pa.Status.ServiceName = pa.Name
	for i, c := range pa.Status.Conditions {
		if c.Type == v1alpha1.PodAutoscalerConditionScaleTargetInitialized {
			pa.Status.Conditions[i].LastTransitionTime = apis.VolatileTime{Inner: metav1.NewTime(time.Now().Add(-ago))}
		}
	}
	return pa
}

func revision(name string, state servingv1.RoutingState) *servingv1.Revision {
	r := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	r.Labels = map[string]string{serving.RoutingStateLabelKey: string(state)}
	return r
}
