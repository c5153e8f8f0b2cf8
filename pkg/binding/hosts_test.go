package binding

import (
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

func TestHostMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, host string
		want          bool
	}{
		{"*", "anything.example.com", true},
		{"llm.example.com", "llm.example.com", true},
		{"llm.example.com", "x.llm.example.com", false},
		{"*.example.com", "llm.example.com", true},
		{"*.example.com", "a.b.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", "badexample.com", false},
		{"*.demo.example.com", "llm.demo.example.com", true},
		{"*.demo.example.com", "llm.demo.example.com.evil.io", false},
		{"*.demo.example.com", "llm.otherdemo.example.com", false},
	} {
		if got := hostMatches(c.pattern, c.host); got != c.want {
			t.Errorf("%q and %q: %v", c.pattern, c.host, got)
		}
	}
}

// A tenant may name the hosts that the cluster's administrator allows, by default
// those below its own namespace; others are taken out and refused.
func TestParse_allowedHosts(t *testing.T) {
	const unset = "unset"
	for _, c := range []struct {
		name, allowed  string
		hosts          string
		served, denied []string
	}{
		{"by default below the namespace", unset, "llm.demo.example.com", []string{"llm.demo.example.com"}, nil},
		{"by default no others", unset, "bank.example.com,llm.demo.example.com,llm.other.example.com", []string{"llm.demo.example.com"}, []string{"bank.example.com", "llm.other.example.com"}},
		{"a list", "*.models.example.com, chat.example.com", "chat.example.com,a.models.example.com,b.example.com", []string{"chat.example.com", "a.models.example.com"}, []string{"b.example.com"}},
		{"the namespace within a label", "llm-{namespace}.example.com", "llm-demo.example.com,llm-other.example.com", []string{"llm-demo.example.com"}, []string{"llm-other.example.com"}},
		{"all", "*", "bank.example.com", []string{"bank.example.com"}, nil},
		{"none", "", "llm.demo.example.com", nil, []string{"llm.demo.example.com"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := map[string]string{allowedHostsKey: c.allowed}
			if c.allowed == unset {
				data = nil
			}
			d, err := ParseDefaults(data)
			if err != nil {
				t.Fatal(err)
			}
			d.Domains = []string{"example.com", "svc.cluster.local"}
			in, problems := Parse("demo", "qwen", map[string]string{inference.AIGatewayKey: inference.Enabled, inference.HostnamesKey: c.hosts}, d)
			if in == nil || len(problems) > 0 {
				t.Fatalf("refused: %v", problems)
			}
			if !slices.Equal(in.Hostnames, c.served) || !slices.Equal(in.DeniedHosts, c.denied) {
				t.Errorf("serves %q and denies %q", in.Hostnames, in.DeniedHosts)
			}
			refused := CheckHosts(in)
			if len(refused) != len(c.denied) {
				t.Fatalf("%d hosts are refused: %v", len(refused), refused)
			}
			for i, p := range refused {
				for _, part := range []string{c.denied[i], "namespace demo", inference.HostnamesKey, allowedHostsKey, ConfigName} {
					if !strings.Contains(p.Message, part) {
						t.Errorf("%q does not name %s", p.Message, part)
					}
				}
				if p.Warning || p.Path != path(inference.HostnamesKey) {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

// A pattern with {namespace} gives a namespace the hosts below itself on a served
// domain and no others, whatever the namespace is called and however many domains
// Knative serves; before config-domain was read it gives none.
func TestParse_hostsOfTheNamespace(t *testing.T) {
	two := []string{"example.com", "prod.example.com", "svc.cluster.local"}
	for _, c := range []struct {
		namespace, host string
		domains         []string
		may             bool
		why             string
	}{
		{"demo", "chat.demo.example.com", two, true, ""},
		{"demo", "chat.demo.prod.example.com", two, true, ""},
		{"demo", "a.b.demo.example.com", two, true, ""},
		{"demo", "api.demo.svc.cluster.local", two, true, ""},
		{"demo", "chat.demo.example.org", two, false, ""},
		{"demo", "chat.demo.example.com.evil.io", two, false, ""},
		{"demo", "chat.demo.example.com", nil, false, ""},
		{"example", "chat.example.com", two, false, "is a label of the served domain example.com"},
		{"example", "llm.prod.example.com", two, false, "is a label of the served domain example.com"},
		{"example", "chat.example.example.com", two, false, "is a label of the served domain example.com"},
		{"com", "chat.com.example.com", two, false, "is a label of the served domain example.com"},
		{"prod", "chat.demo.prod.example.com", two, false, "is a label of the served domain prod.example.com"},
		{"svc", "api.payments.svc.cluster.local", two, false, "is a label of the served domain svc.cluster.local"},
		{"cluster", "api.payments.svc.cluster.local", two, false, "is a label of the served domain svc.cluster.local"},
		{"sslip", "llm.prod.10.0.0.1.sslip.io", []string{"10.0.0.1.sslip.io"}, false, "is a label of the served domain 10.0.0.1.sslip.io"},
	} {
		d, err := ParseDefaults(nil)
		if err != nil {
			t.Fatal(err)
		}
		d.Domains = c.domains
		in, _ := Parse(c.namespace, "qwen", with("hostnames", c.host), d)
		if got := len(in.Hostnames) == 1; got != c.may {
			t.Errorf("namespace %s, domains %v: may name %s: %v", c.namespace, c.domains, c.host, got)
		}
		for _, p := range CheckHosts(in) {
			if !strings.Contains(p.Message, c.why) {
				t.Errorf("%q does not say %q", p.Message, c.why)
			}
		}
	}
	d, err := ParseDefaults(map[string]string{"allowed-hostnames": "*.{namespace}.models.io"})
	if err != nil {
		t.Fatal(err)
	}
	if in, _ := Parse("models", "qwen", with("hostnames", "chat.models.models.io"), d); len(in.DeniedHosts) != 1 {
		t.Errorf("a namespace that is a label of the pattern's own domain may name %v", in.Hostnames)
	}
}

func TestHostPatterns_refused(t *testing.T) {
	for _, v := range []string{"*.{namespace}.*", "llm.*", "a.*.com", "*a.example.com", "A.example.com", "a.example.com:80", "{name}.example.com", "*.", "**", "*.*", "a..b", "a,,b", "{namespace"} {
		if got, err := hostPatterns(v); err == nil {
			t.Errorf("%q was accepted as %q", v, got)
		} else if !strings.Contains(err.Error(), v) {
			t.Errorf("%v does not name %q", err, v)
		}
	}
}

// No host passes a pattern that does not hold it label by label.
func FuzzHostMatches(f *testing.F) {
	f.Add("*.{namespace}.{domain}", "llm.demo.example.com")
	f.Add("*.example.com", "a.example.com")
	f.Fuzz(func(t *testing.T, pattern, host string) {
		list, err := hostPatterns(pattern)
		hosts, bad := hostnames(host)
		if err != nil || bad != nil || len(list) != 1 || len(hosts) != 1 || strings.Contains(list[0], "{") || list[0] == "*" {
			return
		}
		p, h := strings.Split(list[0], "."), strings.Split(hosts[0], ".")
		want := slices.ContainsFunc(spans(h), func(s span) bool {
			return s.fits(p)
		})
		if got := hostMatches(list[0], hosts[0]); got != want {
			t.Errorf("%q and %q: %v", list[0], hosts[0], got)
		}
	})
}

// span is a run of labels of a host with what is before and after it.
type span struct {
	before, after int
	labels        []string
}

func spans(h []string) (all []span) {
	for i := range h {
		for j := i + 1; j <= len(h); j++ {
			all = append(all, span{i, len(h) - j, h[i:j]})
		}
	}
	return all
}

func (s span) fits(p []string) bool {
	first := p[0] == "*"
	if first {
		p = p[1:]
	}
	return slices.Equal(p, s.labels) && first == (s.before > 0) && s.after == 0
}
