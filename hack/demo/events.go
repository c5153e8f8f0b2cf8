package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// printEvents prints the PodAutoscaler's events of scaling, oldest first, with
// each sentence of the reason on a line of its own.
func (c *cluster) printEvents(ctx context.Context, revision string) error {
	list, err := c.kube.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.kind=PodAutoscaler,reason=Scaled,involvedObject.name=" + revision,
	})
	if err != nil {
		return err
	}
	slices.SortFunc(list.Items, func(a, b corev1.Event) int { return when(a).Compare(when(b)) })
	for _, e := range list.Items {
		what, why, _ := strings.Cut(e.Message, ". ")
		fmt.Printf("%s  %s\n", when(e).Local().Format("15:04:05"), what)
		for part := range strings.SplitAfterSeq(why, ". ") {
			fmt.Println("          " + strings.TrimSpace(part))
		}
	}
	return nil
}

func when(e corev1.Event) time.Time {
	if !e.EventTime.IsZero() {
		return e.EventTime.Time
	}
	return e.LastTimestamp.Time
}
