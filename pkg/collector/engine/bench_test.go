package engine

import (
	"bytes"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// BenchmarkParse reads whole pages by this parser and by Prometheus' own:
//
//	go test ./pkg/collector/engine -run '^$' -bench Parse -count 10 -benchmem | tee new.txt
//	benchstat -col /parser new.txt
func BenchmarkParse(b *testing.B) {
	for name, page := range pages(b) {
		b.Run("page="+name+"/parser=expfmt", func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				p := expfmt.NewTextParser(model.UTF8Validation)
				if _, err := p.TextToMetricFamilies(bytes.NewReader(page)); err != nil {
					b.Fatal(err)
				}
			}
		})
		for parser, layout := range map[string]*Layout{"ipa": nil, "ipa-with-layout": {}} {
			b.Run("page="+name+"/parser="+parser, func(b *testing.B) {
				p, err := NewTables().NewParser("", 64<<10)
				if err != nil {
					b.Fatal(err)
				}
				var s Stat
				b.SetBytes(int64(len(page)))
				b.ReportAllocs()
				for b.Loop() {
					if err := p.ParseLike(layout, never, page, &s); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
