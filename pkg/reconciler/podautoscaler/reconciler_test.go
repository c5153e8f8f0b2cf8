package podautoscaler

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"
	appsv1listers "k8s.io/client-go/listers/apps/v1"
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

	watched  map[collector.Revision]collector.Target
	specs    map[collector.Revision]decider.Spec
	answer   int32 // -1: no decision yet
	requeued time.Duration
}

func (b *bench) Watch(t collector.Target)                           { b.watched[t.Revision] = t }
func (b *bench) SetPods(collector.Revision, []collector.Pod)        {}
func (b *bench) Last(collector.Revision) (multiscaler.Record, bool) { return b.record(), true }
func (b *bench) Forget(r collector.Revision) {
	delete(b.watched, r)
	delete(b.specs, r)
}

func (b *bench) Ensure(r collector.Revision, spec decider.Spec, _ int32) multiscaler.Record {
	b.specs[r] = spec
	return b.record()
}

func (b *bench) record() multiscaler.Record {
	if b.answer < 0 {
		return multiscaler.Record{}
	}
	return multiscaler.Record{Time: time.Now(), Decision: decider.Decision{Replicas: b.answer, Reason: decider.DesiredWithinRange}}
}

func newBench(t *testing.T, answer int32, objects ...any) *bench {
	t.Helper()
	as, err := asconfig.NewConfigFromMap(nil)
	if err != nil {
		t.Fatal(err)
	}
	indexers := map[string]cache.Indexer{}
	for _, kind := range []string{"pa", "sks", "deployment", "revision"} {
		indexers[kind] = cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	}
	pods := cache.NewIndexer(cache.MetaNamespaceKeyFunc, revisionIndexer())
	b := &bench{
		t: t, kube: kubefake.NewClientset(), serving: servingfake.NewSimpleClientset(), network: networkingfake.NewSimpleClientset(), events: record.NewFakeRecorder(20),
		watched: map[collector.Revision]collector.Target{}, specs: map[collector.Revision]decider.Spec{}, answer: answer,
	}
	for _, o := range objects {
		var err error
		switch o := o.(type) {
		case *v1alpha1.PodAutoscaler:
			err = indexers["pa"].Add(o)
			_, _ = b.serving.AutoscalingV1alpha1().PodAutoscalers(o.Namespace).Create(t.Context(), o.DeepCopy(), metav1.CreateOptions{})
		case *nv1alpha1.ServerlessService:
			err = indexers["sks"].Add(o)
		case *appsv1.Deployment:
			err = indexers["deployment"].Add(o)
			_, _ = b.kube.AppsV1().Deployments(o.Namespace).Create(t.Context(), o.DeepCopy(), metav1.CreateOptions{})
		case *corev1.Pod:
			err = pods.Add(o)
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
		pods:      podIndex{pods}, collector: b, scaler: b, own: config.Default, engines: []string{"vllm"},
		requeue: func(_ types.NamespacedName, d time.Duration) { b.requeued = d },
		log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
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
		Spec:       nv1alpha1.ServerlessServiceSpec{Mode: nv1alpha1.SKSOperationModeServe, ObjectRef: pa.Spec.ScaleTargetRef},
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

func TestReconcile_followsTheDecision(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1, "autoscaling.knative.dev/max-scale", "8"), time.Hour)
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 1), pod("llm-1", "a", ready()))
	got := b.reconcile(pa)
	if b.patched() != `{"spec":{"replicas":3}}` {
		t.Errorf("patched %s, want 3 replicas", b.patched())
	}
	if *got.Status.DesiredScale != 3 || *got.Status.ActualScale != 1 || !got.IsReady() {
		t.Errorf("status %+v, want desired 3, actual 1, ready", got.Status)
	}
	if events := b.eventText(); !strings.Contains(events, "Scaled from 1 to 3") {
		t.Errorf("events: %q", events)
	}
	if w := b.watched[revisionOf(pa)]; w.Port != 8000 {
		t.Errorf("engine page on port %d, want the user container's 8000", w.Port)
	}
	if spec := b.specs[revisionOf(pa)]; spec.MinReplicas != 1 || spec.MaxReplicas != 8 {
		t.Errorf("spec bounds %d..%d, want 1..8", spec.MinReplicas, spec.MaxReplicas)
	}
	if c := got.Status.GetCondition(autoscaling.ConditionScaleToZero); c == nil || !strings.Contains(c.Message, "keeps one pod") {
		t.Errorf("condition ScaleToZero = %v, want it to say that one pod is kept", c)
	}
}

func TestReconcile_noDecisionYetLeavesTheScale(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	b := newBench(t, -1, pa, target("llm-1", 5))
	got := b.reconcile(pa)
	if b.patched() != "none" {
		t.Errorf("patched %s without a decision", b.patched())
	}
	if got.Status.DesiredScale != nil {
		t.Errorf("desired scale %d without a decision", *got.Status.DesiredScale)
	}
}

func TestReconcile_refusedFromTheStart(t *testing.T) {
	pa := autoscaler("llm-1", 1, "autoscaling.knative.dev/metric", "kv_cache=70")
	svc := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "llm", UID: "svc-uid"}}
	b := newBench(t, 3, pa, target("llm-1", 1), svc)
	got := b.reconcile(pa)
	c := got.Status.GetCondition(v1alpha1.PodAutoscalerConditionReady)
	if c == nil || !c.IsFalse() || c.Reason != autoscaling.ReasonRefused || !strings.Contains(c.Message, "kv_cache_usage_percent") {
		t.Errorf("Ready = %v, want False, %s and the metrics that exist", c, autoscaling.ReasonRefused)
	}
	if got.Status.ServiceName != "" || b.patched() != `{"spec":{"replicas":0}}` {
		t.Errorf("service name %q, patched %s; want none and 0 replicas", got.Status.ServiceName, b.patched())
	}
	if n := strings.Count(b.eventText(), autoscaling.ReasonRefused); n != 3 {
		t.Errorf("%d warnings, want one each on PodAutoscaler, Revision and Service", n)
	}
	if len(b.watched) != 0 {
		t.Errorf("collecting for a refused revision: %v", b.watched)
	}
	if b.reconcile(got); b.eventText() != "" {
		t.Error("the same refusal was told twice")
	}
}

func TestReconcile_refusedEditKeepsTheLastGoodSpec(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1, "autoscaling.knative.dev/max-scale", "8"), time.Hour)
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 3), pod("llm-1", "a", ready()))
	b.reconcile(pa)
	stored, err := b.serving.AutoscalingV1alpha1().PodAutoscalers("default").Get(t.Context(), "llm-1", metav1.GetOptions{})
	if err != nil || stored.Annotations[autoscaling.AcceptedKey] == "" {
		t.Fatalf("accepted annotations were not remembered: %v %v", stored.Annotations, err)
	}
	edited := initialized(stored.DeepCopy(), time.Hour)
	edited.Annotations["autoscaling.knative.dev/metric"] = "nonsense"
	edited.Annotations["autoscaling.knative.dev/max-scale"] = "2"
	got := b.reconcile(edited)
	if spec := b.specs[revisionOf(pa)]; spec.MaxReplicas != 8 {
		t.Errorf("max replicas %d after a refused edit, want the last good 8", spec.MaxReplicas)
	}
	c := got.Status.GetCondition(autoscaling.ConditionAnnotationsAccepted)
	if c == nil || !c.IsFalse() || !strings.Contains(c.Message, `"nonsense"`) || !got.IsReady() {
		t.Errorf("AnnotationsAccepted = %v, Ready = %v; want refused but still serving", c, got.IsReady())
	}
}

func TestReconcile_refusedButServedByAnotherClassKeepsItsPods(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1, "autoscaling.knative.dev/metric", "nonsense"), time.Hour)
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 4))
	b.reconcile(pa)
	if b.patched() != "none" {
		t.Errorf("patched %s; a revision that serves must keep its pods", b.patched())
	}
}

func TestStartScale(t *testing.T) {
	old := initialized(autoscaler("llm-1", 1), time.Hour)
	older := initialized(autoscaler("llm-0", 0), time.Hour)
	retired := initialized(autoscaler("llm-2", 2), time.Hour)
	retired.Spec.Reachability = v1alpha1.ReachabilityUnreachable
	reserve := revision("llm-2", servingv1.RoutingStateReserve)
	f := func(name string, pa *v1alpha1.PodAutoscaler, replicas, want int32) {
		t.Helper()
		d := target(pa.Name, replicas)
		b := newBench(t, 1, pa, old, older, retired, reserve, target("llm-1", 6), target("llm-0", 9), target("llm-2", 7), d)
		s, err := b.settle(b.ctx, pa)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.startScale(pa, *s, d); got != want {
			t.Errorf("%s: start scale = %d, want %d", name, got, want)
		}
	}
	f("a new revision starts as large as the newest routed one", autoscaler("llm-3", 3), 1, 6)
	f("at most max-scale", autoscaler("llm-3", 3, "autoscaling.knative.dev/max-scale", "4"), 1, 4)
	f("turned off", autoscaler("llm-3", 3, autoscaling.StartScaleKey, "initial"), 1, 1)
	f("initial-scale when that is more", autoscaler("llm-3", 3, "autoscaling.knative.dev/initial-scale", "8"), 1, 8)
	f("held for a stable window, until traffic has come", initialized(autoscaler("llm-3", 3), 10*time.Second), 6, 6)
	f("whatever the predecessor does meanwhile", initialized(autoscaler("llm-3", 3), 10*time.Second), 8, 8)
	f("then it is over", initialized(autoscaler("llm-3", 3), 2*time.Minute), 6, 0)
	f("routed to again at 0", initialized(autoscaler("llm-3", 3), time.Hour), 0, 6)
	gone := autoscaler("llm-3", 3)
	gone.Spec.Reachability = v1alpha1.ReachabilityUnreachable
	f("unreachable", gone, 1, 0)
}

func TestStatus_trafficWaitsForTheStartScale(t *testing.T) {
	pa, old := autoscaler("llm-2", 2), initialized(autoscaler("llm-1", 1), time.Hour)
	f := func(name string, want bool, pods ...any) {
		t.Helper()
		b := newBench(t, 3, append(pods, pa, old, readySKS(pa), target("llm-2", 3), target("llm-1", 3))...)
		if got := b.reconcile(pa); got.Status.IsScaleTargetInitialized() != want {
			t.Errorf("%s: initialized = %v, want %v", name, !want, want)
		}
	}
	a, c := pod("llm-2", "a", ready()), pod("llm-2", "c", ready())
	f("two of three", false, a, c, pod("llm-2", "b"))
	f("all three", true, a, c, pod("llm-2", "b", ready()))
	f("one cannot be scheduled: not waited for", true, a, c, pod("llm-2", "b", unschedulable()))
	f("none can be scheduled: still one is needed", false, pod("llm-2", "a", unschedulable()), pod("llm-2", "b", unschedulable()), pod("llm-2", "c", unschedulable()))
}

func TestStatus_missedProgressDeadlineNamesTheAnnotation(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	d := target("llm-1", 1)
	d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", LastTransitionTime: metav1.Now()}}
	b := newBench(t, 1, pa, readySKS(pa), d)
	b.reconcile(pa)
	if events := b.eventText(); !strings.Contains(events, "serving.knative.dev/progress-deadline") {
		t.Errorf("events: %q", events)
	}
	if b.reconcile(pa); strings.Contains(b.eventText(), "progress-deadline") {
		t.Error("the same missed deadline was told twice")
	}
}

func TestObserve_writesNothing(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 5, pa, target("llm-1", 1))
	b.kube.ClearActions()
	b.serving.ClearActions()
	if err := b.ObserveKind(b.ctx, pa); err != nil {
		t.Fatal(err)
	}
	actions := slices.Concat(b.kube.Actions(), b.serving.Actions(), b.network.Actions())
	for _, a := range actions {
		if a.GetVerb() != "get" && a.GetVerb() != "list" && a.GetVerb() != "watch" {
			t.Errorf("a standby wrote: %s %s", a.GetVerb(), a.GetResource().Resource)
		}
	}
	if events := b.eventText(); events != "" {
		t.Errorf("a standby sent events: %s", events)
	}
	if _, ok := b.specs[revisionOf(pa)]; !ok {
		t.Error("a standby must decide in shadow")
	}
}

func TestScaleTarget_otherKindsAreRefused(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	pa.Spec.ScaleTargetRef.Kind = "StatefulSet"
	b := newBench(t, 1, pa)
	if err := b.ReconcileKind(b.ctx, pa); err == nil || !strings.Contains(err.Error(), "only Deployment") {
		t.Errorf("error %v, want one that names the kind that can be scaled", err)
	}
}

func TestScaleTarget_missingIsAskedForAgainQuietly(t *testing.T) {
	b := newBench(t, 1)
	if ok, _ := controller.IsRequeueKey(b.ReconcileKind(b.ctx, autoscaler("llm-1", 1))); !ok {
		t.Error("a missing Deployment is an error, want a later look")
	}
}

func revision(name string, state servingv1.RoutingState) *servingv1.Revision {
	r := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	r.Labels = map[string]string{serving.RoutingStateLabelKey: string(state)}
	return r
}

func TestReachability_onlyTheRouteDecides(t *testing.T) {
	f := func(name string, state servingv1.RoutingState, want v1alpha1.ReachabilityType) {
		t.Helper()
		pa := autoscaler("llm-1", 1)
		pa.Spec.Reachability = v1alpha1.ReachabilityUnreachable
		b := newBench(t, 1, pa, revision("llm-1", state))
		if got := b.reachability(pa); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	f("no route is left", servingv1.RoutingStateReserve, v1alpha1.ReachabilityUnreachable)
	f("all pods crashed, still routed", servingv1.RoutingStateActive, v1alpha1.ReachabilityReachable)
	f("never routed", servingv1.RoutingStatePending, v1alpha1.ReachabilityUnknown)
	pa := autoscaler("llm-1", 1)
	pa.Spec.Reachability = v1alpha1.ReachabilityUnreachable
	if got := newBench(t, 1, pa).reachability(pa); got != v1alpha1.ReachabilityReachable {
		t.Errorf("the Revision is not in the cache: %q; unknown is not unreachable", got)
	}
}

// A pod that crashes, or waits for a GPU node, makes Knative call the revision
// unreachable: its pods must not be deleted and made again in a loop.
func TestReconcile_crashedButRoutedKeepsItsPods(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	pa.Spec.Reachability = v1alpha1.ReachabilityUnreachable
	b := newBench(t, 4, pa, readySKS(pa), target("llm-1", 4), revision("llm-1", servingv1.RoutingStateActive))
	b.reconcile(pa)
	if spec := b.specs[revisionOf(pa)]; !spec.Reachable || spec.MinReplicas != 1 {
		t.Errorf("spec reachable %v, min %d; want a routed revision", spec.Reachable, spec.MinReplicas)
	}
}

func TestReconcile_neverRoutedIsGivenBackWhenIdle(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	pa.Spec.Reachability = v1alpha1.ReachabilityUnknown
	b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 1))
	b.reconcile(pa)
	if spec := b.specs[revisionOf(pa)]; spec.Reachable || spec.MinReplicas != 0 {
		t.Errorf("spec reachable %v, min %d; want it to go when idle", spec.Reachable, spec.MinReplicas)
	}
}

// A rollback starts with the replicas of the revision it takes over from, and
// keeps them for a stable window, not for one reconciliation.
func TestStartScale_rollbackIsHeld(t *testing.T) {
	pa, peer := initialized(autoscaler("llm-1", 1), time.Hour), initialized(autoscaler("llm-2", 2), time.Hour)
	b := newBench(t, 1, pa, peer, readySKS(pa), target("llm-1", 0), target("llm-2", 6))
	b.reconcile(pa)
	if got := b.specs[revisionOf(pa)].MinReplicas; got != 6 {
		t.Fatalf("min replicas at the rollback = %d, want the peer's 6", got)
	}
	s, err := b.settle(b.ctx, pa)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.startScale(pa, *s, target("llm-1", 6)); got != 6 {
		t.Errorf("start scale at the next look = %d, want 6 for a stable window", got)
	}
	b.starts.set(pa.UID, start{replicas: 6, until: time.Now()})
	if got := b.startScale(pa, *s, target("llm-1", 6)); got != 0 {
		t.Errorf("start scale after it = %d, want 0", got)
	}
}

func TestStartScale_isReadOnce(t *testing.T) {
	pa, old := autoscaler("llm-2", 2), initialized(autoscaler("llm-1", 1), time.Hour)
	growing := target("llm-1", 3)
	b := newBench(t, 1, pa, old, target("llm-2", 1), growing)
	s, err := b.settle(b.ctx, pa)
	if err != nil {
		t.Fatal(err)
	}
	first := b.startScale(pa, *s, target("llm-2", 1))
	*growing.Spec.Replicas = 9
	if again := b.startScale(pa, *s, target("llm-2", 3)); first != 3 || again != 3 {
		t.Errorf("start scale %d, then %d; want 3 although the predecessor grows", first, again)
	}
}

func TestReconcile_missedDeadlineEndsAndStays(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	pa.Status.InitializeConditions()
	pa.Status.MarkActivating("Queued", "")
	for i := range pa.Status.Conditions {
		pa.Status.Conditions[i].LastTransitionTime = apis.VolatileTime{Inner: metav1.NewTime(time.Now().Add(-10 * time.Minute))}
	}
	b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 1))
	got := b.reconcile(pa)
	if c := got.Status.GetCondition(v1alpha1.PodAutoscalerConditionActive); b.patched() != `{"spec":{"replicas":0}}` || c.Reason != timedOut {
		t.Fatalf("patched %s, Active %v; want 0 and %s", b.patched(), c, timedOut)
	}
	b = newBench(t, 1, got, readySKS(pa), target("llm-1", 0))
	if b.reconcile(got); b.patched() != "none" {
		t.Errorf("patched %s afterwards, want it to stay at 0", b.patched())
	}
}

func TestScale_oneDecisionIsPatchedOnce(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 1), pod("llm-1", "a", ready()))
	b.reconcile(pa)
	b.kube.ClearActions()
	b.reconcile(pa) // the cache still shows 1
	if b.patched() != "none" {
		t.Errorf("patched %s again", b.patched())
	}
}
