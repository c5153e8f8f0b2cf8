package inferencegateway

import (
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A message that the CRD would refuse is cut: the status is written all the same.
func TestDated_messageFitsTheCRD(t *testing.T) {
	inCluster(t, func(c *cluster) {
		b := bound{svc: c.service("qwen", asked)}
		long := []metav1.Condition{{Type: "Ready", Message: "x" + strings.Repeat("é", maxMessage)}}
		got := c.r.dated(b, nil, long)[0].Message
		if len(got) < maxMessage-utf8.UTFMax || len(got) > maxMessage || !utf8.ValidString(got) {
			t.Errorf("%d bytes, valid %t", len(got), utf8.ValidString(got))
		}
	})
}
