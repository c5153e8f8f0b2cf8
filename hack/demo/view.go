package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// view is what is known at one instant. Signals are what the custom metrics API
// says, NaN while it says nothing: unknown is not zero.
type view struct {
	running, waiting, kv, concurrency float64
	wants                             map[string]int // by metric
	ready, desired                    int
	reason, why                       string
}

var metricNames = [...]string{"num_requests_running", "num_requests_waiting", "kv_cache_usage_percent", "concurrency"}

func (c *cluster) look(ctx context.Context, revision string) view {
	v := view{wants: map[string]int{}}
	for i, into := range []*float64{&v.running, &v.waiting, &v.kv, &v.concurrency} {
		*into = c.metric(ctx, metricNames[i])
	}
	c.lookAtAutoscaler(ctx, revision, &v)
	page, err := c.adapterPage(ctx)
	if err != nil {
		return v
	}
	for line := range strings.SplitSeq(page, "\n") {
		if !strings.HasPrefix(line, "ipa_want_replicas{") || !strings.Contains(line, `revision="`+revision+`"`) {
			continue
		}
		_, rest, _ := strings.Cut(line, `metric="`)
		metric, _, _ := strings.Cut(rest, `"`)
		if n, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64); err == nil {
			v.wants[metric] = int(n)
		}
	}
	return v
}

// metric asks the custom metrics API for the Service's value.
func (c *cluster) metric(ctx context.Context, metric string) float64 {
	var list struct {
		Items []struct {
			Value string `json:"value"`
		} `json:"items"`
	}
	if err := c.get(ctx, metricPath(metric), &list); err != nil || len(list.Items) != 1 {
		return math.NaN()
	}
	q, err := resource.ParseQuantity(list.Items[0].Value)
	if err != nil {
		return math.NaN()
	}
	return q.AsApproximateFloat64()
}

func metricPath(metric string) string {
	return "/apis/custom.metrics.k8s.io/v1beta2/namespaces/" + namespace + "/services.serving.knative.dev/" + name + "/" + metric
}

func (c *cluster) lookAtAutoscaler(ctx context.Context, revision string, v *view) {
	var pa struct {
		Status struct {
			DesiredScale *int `json:"desiredScale"`
			ActualScale  *int `json:"actualScale"`
			Conditions   []struct{ Type, Reason, Message string }
		} `json:"status"`
	}
	if c.get(ctx, "/apis/autoscaling.internal.knative.dev/v1alpha1/namespaces/"+namespace+"/podautoscalers/"+revision, &pa) != nil {
		return
	}
	if n := pa.Status.DesiredScale; n != nil {
		v.desired = *n
	}
	if n := pa.Status.ActualScale; n != nil {
		v.ready = *n
	}
	for _, cond := range pa.Status.Conditions {
		if cond.Type == "Scaling" {
			v.reason, v.why = cond.Reason, cond.Message
		}
	}
}

// revision returns the newest revision's name.
func (c *cluster) revision(ctx context.Context) (string, error) {
	var svc struct {
		Status struct {
			LatestReadyRevisionName string `json:"latestReadyRevisionName"`
		} `json:"status"`
	}
	err := c.get(ctx, "/apis/serving.knative.dev/v1/namespaces/"+namespace+"/services/"+name, &svc)
	if err == nil && svc.Status.LatestReadyRevisionName == "" {
		err = fmt.Errorf("the Service has no ready revision")
	}
	return svc.Status.LatestReadyRevisionName, err
}

func number(f float64, decimals int) string {
	if math.IsNaN(f) {
		return "?"
	}
	return strconv.FormatFloat(f, 'f', decimals, 64)
}

func (v view) want(metric string) string {
	n, ok := v.wants[metric]
	if !ok {
		return "?"
	}
	return strconv.Itoa(n)
}

func (v view) row(seconds int) string {
	return fmt.Sprintf("%4ds %8s %8s %6s %6s  %6s %6s %6s  %5s %7d   %s", seconds,
		number(v.running, 0), number(v.waiting, 0), number(v.kv, 0), number(v.concurrency, 1),
		v.want("concurrency"), v.want("kv_cache_usage_percent"), v.want("num_requests_waiting"),
		strconv.Itoa(v.ready), v.desired, v.reason)
}

const tableHead = `                 measured                wants, by signal        replicas
 time  running  waiting    kv%   conc    conc    kv%  queue  ready desired   reason`
