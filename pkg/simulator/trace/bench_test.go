package trace

import (
	"strings"
	"testing"
)

// The command: go test ./pkg/simulator/trace -run=^$ -bench=. -benchmem -count=10
// One operation is one request.
func BenchmarkRead(b *testing.B) {
	for _, c := range []struct{ name, text, row string }{
		{"azure", "TIMESTAMP,ContextTokens,GeneratedTokens\n", "2023-11-16 18:15:46.6805900,374,44\n"},
		{"mooncake", "", `{"timestamp": 0, "input_length": 6758, "output_length": 500}` + "\n"},
		{"rate", "t_s,rate_rps\n0,45\n1000000,45\n", ""},
	} {
		b.Run("format="+c.name, func(b *testing.B) {
			text := c.text + strings.Repeat(c.row, 10_000)
			b.ReportAllocs()
			for n := 0; n < b.N; {
				for _, err := range Read(strings.NewReader(text), "bench", Options{}) {
					if err != nil {
						b.Fatal(err)
					}
					if n++; n >= b.N {
						break
					}
				}
			}
		})
	}
}
