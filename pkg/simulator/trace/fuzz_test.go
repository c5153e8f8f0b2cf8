package trace

import (
	"strings"
	"testing"
)

// FuzzRead: whatever a file holds, requests come in order, or an error says why.
func FuzzRead(f *testing.F) {
	for _, text := range []string{azure, azure24, burstgpt, vidur, mooncake, bailian, rate, columns, "", "{", "t_s,rate_rps,cv\n0,0,0\n1,1e6,20\n1e5,0,.1\n"} {
		f.Add(text, "", 1.0)
		f.Add(text, "csv", 0.3)
		f.Add(text, "rate", 7.5)
	}
	f.Fuzz(func(t *testing.T, text, format string, scale float64) {
		last, n := Request{}, 0
		for q, err := range Read(strings.NewReader(text), "fuzz", Options{Format: format, Scale: scale}) {
			if err != nil {
				if !strings.HasPrefix(err.Error(), "fuzz: ") {
					t.Fatalf("error without the file's name: %v", err)
				}
				return
			}
			if q.Arrival < last.Arrival || q.Input < 0 || q.Output < 0 {
				t.Fatalf("%+v after %+v", q, last)
			}
			if last, n = q, n+1; n == 1000 {
				return
			}
		}
	})
}
