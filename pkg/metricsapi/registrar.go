package metricsapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/record"
)

// registerInterval is how often the APIServices are compared with what they should be.
const registerInterval = 10 * time.Second

// RegistrarOptions say what to register.
type RegistrarOptions struct {
	Client dynamic.Interface
	// Namespace and Name are those of the Service in front of the API. Name is also the
	// ClusterRole that owns the APIServices, so that removing it removes them, and the
	// Deployment that events are about.
	Namespace, Name string
	// Bundle returns the PEM CAs for the API server to trust; nothing is registered while it is empty.
	Bundle func() []byte
	// Wanted reports whether to register. While false, what is ours is deleted, and another
	// adapter that has the group is as it should be. nil is always true.
	Wanted func() bool
	Events record.EventRecorder
	Log    *slog.Logger
}

// Registrar keeps the two APIServices of custom.metrics.k8s.io pointing at us, unless
// somebody else serves the group. It writes both or none: clients follow the newest
// version, so taking v1beta2 beside another adapter's v1beta1 would take that
// adapter's users. It is not safe for concurrent use.
type Registrar struct {
	o        RegistrarOptions
	services dynamic.ResourceInterface
	roles    dynamic.ResourceInterface
	reported map[string]report // by the APIService's name
	// registered is true while both APIServices lead to us; other goroutines read it.
	registered atomic.Bool
}

// NewRegistrar makes a Registrar that has done nothing yet.
func NewRegistrar(o RegistrarOptions) *Registrar {
	resource := func(group, name string) dynamic.ResourceInterface {
		return o.Client.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: name})
	}
	return &Registrar{
		o:        o,
		services: resource("apiregistration.k8s.io", "apiservices"),
		roles:    resource("rbac.authorization.k8s.io", "clusterroles"),
		reported: make(map[string]report),
	}
}

// Run syncs until ctx ends; errors are logged and tried again.
func (r *Registrar) Run(ctx context.Context) {
	wait.NonSlidingUntilWithContext(ctx, func(ctx context.Context) {
		if err := r.Sync(ctx, time.Now()); err != nil && !errors.Is(err, context.Canceled) {
			r.o.Log.Warn("APIServices not registered; trying again", "err", err)
		}
	}, registerInterval)
}

// Registered reports whether both APIServices led to us when Sync last compared them. It is safe
// for concurrent use.
func (r *Registrar) Registered() bool { return r.registered.Load() }

// Sync compares once. Where another adapter serves the group it writes nothing new,
// keeps what is ours up to date, and names the other in an event and a log line.
func (r *Registrar) Sync(ctx context.Context, now time.Time) error {
	encoded := base64.StdEncoding.EncodeToString(r.o.Bundle())
	if encoded == "" {
		return errors.New("no CA bundle yet")
	}
	role, err := r.roles.Get(ctx, r.o.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading ClusterRole %s, the owner of our APIServices: %w", r.o.Name, err)
	}
	live, err := r.read(ctx)
	if err != nil {
		return err
	}
	wanted := r.o.Wanted == nil || r.o.Wanted()
	foreign := r.report(live, wanted, now)
	var errs []error
	for i, version := range versions() {
		object := live[i]
		switch {
		case object != nil && r.isForeign(object):
			errs = append(errs, r.update(ctx, object, func(o *unstructured.Unstructured) { disown(o, r.o.Name, encoded) }))
			continue
		case !wanted:
			errs = append(errs, r.remove(ctx, object))
			continue
		case object == nil && foreign:
			continue
		case object == nil:
			object = newAPIService(version)
		}
		errs = append(errs, r.update(ctx, object, func(o *unstructured.Unstructured) {
			own(o, r.o.Name, role.GetUID())
			o.Object["spec"] = r.spec(i, encoded)
		}))
	}
	err = errors.Join(errs...)
	r.registered.Store(wanted && !foreign && err == nil)
	return err
}

// read returns the live APIServices in the order of versions; nil for one that is absent.
func (r *Registrar) read(ctx context.Context) ([]*unstructured.Unstructured, error) {
	live := make([]*unstructured.Unstructured, len(versions()))
	for i, version := range versions() {
		object, err := r.services.Get(ctx, apiServiceName(version), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading APIService %s: %w", apiServiceName(version), err)
		}
		live[i] = object
	}
	return live, nil
}

// update creates or updates an object unless change leaves it as it is. An update
// carries the resource version, so it never overwrites what it has not seen.
func (r *Registrar) update(ctx context.Context, object *unstructured.Unstructured,
	change func(*unstructured.Unstructured)) error {
	wanted := object.DeepCopy()
	change(wanted)
	if equality.Semantic.DeepEqual(object.Object, wanted.Object) {
		return nil
	}
	var err error
	if object.GetResourceVersion() == "" {
		_, err = r.services.Create(ctx, wanted, metav1.CreateOptions{})
	} else {
		_, err = r.services.Update(ctx, wanted, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("writing APIService %s: %w", object.GetName(), err)
	}
	r.o.Log.Info("APIService written", "name", object.GetName())
	return nil
}

// remove deletes an object of ours that is as it was read; nil is none.
func (r *Registrar) remove(ctx context.Context, object *unstructured.Unstructured) error {
	if object == nil {
		return nil
	}
	uid, version := object.GetUID(), object.GetResourceVersion()
	seen := metav1.Preconditions{UID: &uid, ResourceVersion: &version}
	err := r.services.Delete(ctx, object.GetName(), metav1.DeleteOptions{Preconditions: &seen})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting APIService %s: %w", object.GetName(), err)
	}
	r.o.Log.Info("APIService deleted: register-metrics-api is false in config-ipa", "name", object.GetName())
	return nil
}

// spec is what the APIService of a version should say, in the types of decoded JSON.
func (r *Registrar) spec(version int, caBundle string) map[string]any {
	return map[string]any{
		"group":                GroupName,
		"version":              versions()[version],
		"groupPriorityMinimum": int64(groupPriority),
		"versionPriority":      int64(versionPriority(version)),
		"caBundle":             caBundle,
		"service":              map[string]any{"namespace": r.o.Namespace, "name": r.o.Name, "port": int64(servicePort)},
	}
}

// servicePort is the port of our Service that leads to the API.
const servicePort = 443

func apiServiceName(version string) string { return version + "." + GroupName }

func newAPIService(version string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetAPIVersion("apiregistration.k8s.io/v1")
	o.SetKind("APIService")
	o.SetName(apiServiceName(version))
	return o
}
