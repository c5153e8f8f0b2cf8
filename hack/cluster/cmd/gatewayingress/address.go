package main

import (
	"context"
	"fmt"
	"log"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// gatewayServices carry this label of Gateway API; no other Service is touched.
const gatewayServices = "gateway.networking.k8s.io/gateway-name"

// giveAddresses plays the cloud: a Gateway is Programmed only when its Service has an address.
// kube-proxy makes the address work on the node and in pods.
func giveAddresses(client kubernetes.Interface) {
	for ; ; time.Sleep(2 * time.Second) {
		if err := giveMissing(context.Background(), client); err != nil {
			log.Printf("addresses: %v", err)
		}
	}
}

func giveMissing(ctx context.Context, client kubernetes.Interface) error {
	services, err := client.CoreV1().Services("").List(ctx, metav1.ListOptions{LabelSelector: gatewayServices})
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, s := range services.Items {
		for _, a := range s.Status.LoadBalancer.Ingress {
			used[a.IP] = true
		}
	}
	for _, s := range services.Items {
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer || len(s.Status.LoadBalancer.Ingress) > 0 {
			continue
		}
		ip := free(used)
		used[ip] = true
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
		if _, err := client.CoreV1().Services(s.Namespace).UpdateStatus(ctx, &s, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// free gives the first address of 10.97.0.0/24, which nothing else in the test cluster uses.
func free(used map[string]bool) string {
	for i := 1; i < 255; i++ {
		if ip := fmt.Sprintf("10.97.0.%d", i); !used[ip] {
			return ip
		}
	}
	return "10.97.0.255"
}
