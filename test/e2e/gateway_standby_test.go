//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"
)

// The leader of the gateway dies by SIGKILL: a Service that is made then has its
// binding within 20 s and is served, and one that was there is served all along.
//
// Sequential: it kills a replica of the product.
func TestGatewayStandbyTakesOver(t *testing.T) {
	onlyInFull(t)
	needGateway(t)
	namespace := namespaceFor(t)
	there := standIn(t, namespace, "there", annotations{"min-scale": "1"}).behindGateway(nil).start()
	q := question{host: there.host()}
	q.waitServed(t)
	identity, pod := holderOf(t, gatewayLease)
	if identity == "" {
		t.Fatalf("nobody holds the lease %s", gatewayLease)
	}
	defer waitBothReplicas(t)
	killed := time.Now()
	t.Logf("%s of %s", kill(t, pod), pod)

	fresh := standIn(t, namespace, "fresh", annotations{"min-scale": "1"}).behindGateway(nil).create()
	eventually(t, 20*time.Second, "the new Service has its binding", func() (bool, string) {
		if a, err := q.ask(t.Context()); err != nil || a.status != 200 {
			t.Errorf("the Service that was there: %v %v", a, err)
		}
		_, err := fresh.binding()
		return err == nil, fmt.Sprint(err)
	})
	figure(t, fmt.Sprintf("gateway: %.1f s after its leader was killed the standby had bound a new Service", time.Since(killed).Seconds()))
	question{host: fresh.host()}.waitServed(t)
	if now, _ := holderOf(t, gatewayLease); now == identity {
		t.Errorf("the lease is still held by %s", now)
	}
}
