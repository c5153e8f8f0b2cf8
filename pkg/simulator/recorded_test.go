package simulator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A recorded run or its meta file that is not as documented is refused with the field and the fix.
func TestReadRecordings_strangeFiles(t *testing.T) {
	const good = `{"input_toks":300,"output_toks":21,"arrival_time":1000,"queued_ts":50,"first_token_ts":50.1,"last_token_ts":50.5}` + "\n"
	for _, c := range []struct{ name, run, meta, want string }{
		{"as documented", good + "\n" + good, `{"engine_kwargs":{"max_num_seqs":8}}`, ""},
		{"a byte order mark", "\xef\xbb\xbf" + good, "\xef\xbb\xbf{}", ""},
		{"CRLF", strings.ReplaceAll(good, "\n", "\r\n"), "{}\r\n", ""},
		{"empty", "", "", "run.jsonl: no requests"},
		{"a string", good + strings.Replace(good, "300", `"300"`, 1), "", "run.jsonl:2: input_toks is a string; it must be a whole number"},
		{"half a token", strings.Replace(good, "21", "21.5", 1), "", "run.jsonl:1: output_toks is a number 21.5; it must be a whole number"},
		{"NaN", strings.Replace(good, "50.1", "NaN", 1), "", "run.jsonl:1: invalid character 'N'"},
		{"no time", strings.Replace(good, "50.1", "null", 1), "", "run.jsonl:1: first_token_ts is missing or out of range"},
		{"the last token before the first", strings.Replace(good, "50.5", "50", 1), "", "run.jsonl:1: first_token_ts must not be before queued_ts"},
		{"answers of one token", strings.Repeat(strings.NewReplacer("21", "1", "50.5", "50.105").Replace(good), 600), "", ""},
		{"an engine of 3 s a token", strings.Replace(good, "50.5", "110.1", 1), "", ""},
		{"milliseconds", strings.NewReplacer("1000", "1000000", "50.1", "50100", "50.5", "50500", ":50,", ":50000,").Replace(good), "",
			"run.jsonl: a token takes 20s on average; the times of a run are seconds"},
		{"a meta file that is cut", good, "{", "run.meta.json: unexpected end of JSON input"},
		{"a limit in quotes", good, `{"engine_kwargs":{"max_num_seqs":"8"}}`, "max_num_seqs is a string; it must be a whole number"},
		{"a limit below 0", good, `{"engine_kwargs":{"max_num_seqs":-8}}`, "run.meta.json: engine_kwargs.max_num_seqs is -8; it must be above 0, or not be there"},
		{"a cache below 0", good, `{"kv_cache":{"num_gpu_blocks":-1}}`, "run.meta.json: kv_cache.num_gpu_blocks is -1; it must be above 0"},
		{"ranks", good, `{"engine_kwargs":{"data_parallel_size":5000}}`, "run.meta.json: data_parallel_size is 5000"},
	} {
		file := filepath.Join(t.TempDir(), "run.jsonl")
		must(t, os.WriteFile(file, []byte(c.run), 0o600))
		if c.meta != "" {
			must(t, os.WriteFile(strings.TrimSuffix(file, ".jsonl")+".meta.json", []byte(c.meta), 0o600))
		}
		_, err := ReadRecordings(file)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
