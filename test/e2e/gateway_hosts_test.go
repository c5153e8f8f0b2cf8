//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// mapped gives a host to a Knative Service, as an administrator and its user do.
const mapped = `apiVersion: networking.internal.knative.dev/v1alpha1
kind: ClusterDomainClaim
metadata: {name: %[1]s}
spec: {namespace: %[2]s}
---
apiVersion: serving.knative.dev/v1beta1
kind: DomainMapping
metadata: {name: %[1]s, namespace: %[2]s}
spec: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: %[3]s}}
`

// A host of the Service's own DomainMapping goes through the gateway too, and
// another Service cannot have it; a host that the cluster does not allow is
// refused at once, and taken away when it is allowed no more.
func TestGatewayHosts(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	needGateway(t)
	namespace := namespaceFor(t)
	host := "chat." + namespace + ".example.com"
	s := standIn(t, namespace, "mapped", annotations{"min-scale": "1"}).start()
	if _, err := testbed.Kubectl(t.Context(), fmt.Sprintf(mapped, host, namespace, s.name), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	claims := schema.GroupVersionResource{Group: "networking.internal.knative.dev", Version: "v1alpha1", Resource: "clusterdomainclaims"}
	t.Cleanup(func() {
		_ = cluster.dynamic.Resource(claims).Delete(context.Background(), host, metav1.DeleteOptions{})
	})
	eventually(t, settle, "the DomainMapping is Ready", func() (bool, string) {
		out, err := testbed.Kubectl(t.Context(), "", "-n", namespace, "get", "domainmapping", host, "-o", "jsonpath={.status.conditions}")
		return strings.Contains(out, `"status":"True","type":"Ready"`), fmt.Sprint(out, err)
	})
	annotate(t, s, "knative-inference.dev/hostnames="+host)
	annotate(t, s, aiGateway+"=inference")
	question{host: host}.waitServed(t)
	s.waitCondition("RouteAccepted", "True")

	thief := standIn(t, namespace, "thief", annotations{"min-scale": "1"}).
		behindGateway(map[string]string{"knative-inference.dev/hostnames": host}).start()
	thief.waitCondition("RouteAccepted", "False", "HostConflict", host, namespace+"/mapped")

	said, err := say(t.Context(), "", "-n", namespace, "annotate", "--overwrite", "ksvc", s.name, "knative-inference.dev/hostnames=www.bank.example.com")
	if err == nil || !strings.Contains(said, "metadata.annotations[knative-inference.dev/hostnames]") || !strings.Contains(said, "allowed-hostnames") {
		t.Errorf("a host of somebody else's was not refused: %v %s", err, said)
	}
}

// An administrator takes a pattern of hosts away: the host goes, the Service stays.
//
// Sequential: it changes the cluster's configuration.
func TestGatewayHostTakenAway(t *testing.T) {
	onlyInFull(t)
	needGateway(t)
	cluster.configureGateway(t, map[string]string{"allowed-hostnames": "*.models.example.com"})
	t.Cleanup(func() { cluster.configureGateway(t, map[string]string{"allowed-hostnames": "*.{namespace}.{domain}"}) })
	const host = "shared.models.example.com"
	s := standIn(t, namespaceFor(t), "tenant", annotations{"min-scale": "1"}).
		behindGateway(map[string]string{"knative-inference.dev/hostnames": host}).createWhenAllowed()
	s.waitReady(settle)
	question{host: host}.waitServed(t)
	cluster.configureGateway(t, map[string]string{"allowed-hostnames": ""})
	s.waitCondition("RouteAccepted", "False", "HostNotAllowed", host, "allowed-hostnames")
	question{host: s.host()}.waitServed(t)
	eventually(t, settle, host+" is not served any more", func() (bool, string) {
		a, err := question{host: host}.ask(t.Context())
		return err == nil && a.status == 404, fmt.Sprint(a, err)
	})
}
