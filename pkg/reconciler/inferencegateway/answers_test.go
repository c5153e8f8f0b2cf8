package inferencegateway

import (
	"testing"
	"time"

	"knative.dev/pkg/ptr"
)

// A pool and its picker stay for as long as pods of theirs may still answer.
func TestAnswersLast(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", asked)
		for name, seconds := range map[string]*int64{"qwen-00001": ptr.Int64(600), "qwen-00002": ptr.Int64(45), "qwen-00003": nil, "qwen-00004": ptr.Int64(900)} {
			c.revision("qwen", name)
			rev, err := c.r.revisions.Revisions("default").Get(name)
			if err != nil {
				t.Fatal(err)
			}
			rev = rev.DeepCopy()
			rev.Spec.TimeoutSeconds = seconds
			put(c, c.revs, rev)
			if name != "qwen-00004" {
				c.pod("qwen", name, name+"-pod", nil)
			}
		}
		c.seePods()
		for name, want := range map[string]time.Duration{
			"qwen-00001": 10 * time.Minute, "qwen-00001-epp": 10 * time.Minute, "qwen-00001-epp-reads": 10 * time.Minute,
			"qwen-00002": 45 * time.Second,
			"qwen-00003": usualTimeout,
			"qwen-00004": drainTime,        // no pod is left
			"qwen":       10 * time.Minute, // the pool of all revisions
			"qwen-epp":   10 * time.Minute,
		} {
			if got := c.r.answersLast(ownerOf(svc), name); got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	})
}
