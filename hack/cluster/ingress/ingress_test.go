package ingress

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/client/clientset/versioned/fake"
)

const class = "ours"

func ofNameAndClass(name, class string) *v1alpha1.Ingress {
	return &v1alpha1.Ingress{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "default", Generation: 3,
		Annotations: map[string]string{networking.IngressClassAnnotationKey: class},
	}}
}

func TestFollow_marksTheClassReadyOnce(t *testing.T) {
	client := fake.NewSimpleClientset(ofNameAndClass("a", class), ofNameAndClass("b", "theirs"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := Follow(ctx, client, class, func(mine []*v1alpha1.Ingress) time.Duration {
		for _, ing := range mine {
			if ing.Name != "a" {
				t.Errorf("got %s, which is of another class", ing.Name)
			}
			if IsReady(ing) {
				cancel()
				continue
			}
			if err := MarkReady(ctx, client, ing, "gateway.example"); err != nil {
				t.Error(err)
			}
		}
		return time.Minute
	})
	if ctx.Err() != context.Canceled {
		t.Fatalf("never ready: %v", err)
	}
	got, err := client.NetworkingV1alpha1().Ingresses("default").Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil || got.Status.ObservedGeneration != 3 || got.Status.PublicLoadBalancer.Ingress[0].DomainInternal != "gateway.example" {
		t.Errorf("got %+v, %v", got.Status, err)
	}
}
