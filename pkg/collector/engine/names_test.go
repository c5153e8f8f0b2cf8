package engine

import (
	"strings"
	"testing"
)

// The error of an unknown page names its first metrics, so that a user sees which program
// answered; whatever the page has, the text is short and harmless.
func TestParse_namesTheFirstMetricsOfAnUnknownPage(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, tt := range []struct{ name, engine, page, want string }{
		{"another program", "", "# HELP my_server_requests All.\n# TYPE my_server_requests counter\nmy_server_requests{a=\"b\"} 3\nmy_server_queue 4\n",
			"no metric of an inference engine is on the page; its first metrics are my_server_requests, my_server_queue"},
		{"the runtime comes last", "", "python_gc_objects_collected_total{generation=\"0\"} 1\nprocess_start_time_seconds 1\nmosec_service_info 1\n",
			"its first metrics are mosec_service_info, python_gc_objects_collected_total, process_start_time_seconds"},
		{"no more than three", "", "a 1\nb 1\nc 1\nd 1\n", "its first metrics are a, b, c"},
		{"long names", "", long + " 1\n", "its first metrics are " + long[:37] + "..."},
		{"an engine is named", "sglang", "vllm:num_requests_running 3\n", "no metric of an inference engine named sglang is on the page; its first metrics are vllm:num_requests_running"},
		{"HTML", "", "<html><body>It works 1\n</body></html>\n", "no metric is on it"},
		{"prose", "", "Not found\nnothing here\n", "no metric is on it"},
		{"nothing", "", "", "no metric is on it"},
		{"hostile", "", "\x1b[31mred 1\na\x00b 1\nq\"uote{ 1\n", "no metric is on it"},
	} {
		_, err := parse(t, tt.engine, []byte(tt.page))
		if err == nil || !strings.HasSuffix(err.Error(), tt.want) || len(err.Error()) > 200 {
			t.Errorf("%s: %v (of at most 200 bytes); want it to end with %q", tt.name, err, tt.want)
		}
	}
}
