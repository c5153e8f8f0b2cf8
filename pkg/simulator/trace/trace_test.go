package trace

import (
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

const (
	azure    = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
	azure24  = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 00:00:01.009930+00:00,2399,6\n"
	burstgpt = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,0,1087,API log\n118,ChatGPT,417,276,693,Conversation log\n"
	vidur    = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,100.0,20\n1.75,200,30\n"
	mooncake = `{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}` + "\n" + `{"timestamp": 3000, "input_length": 7322, "output_length": 490, "hash_ids": [0, 14]}` + "\n"
	bailian  = `{"chat_id": 159, "timestamp": 61.5, "input_length": 131, "output_length": 24, "turn": 1, "hash_ids": [1, 2]}` + "\n\n" + `{"chat_id": 160, "timestamp": 62, "input_length": 10, "output_length": 2, "turn": 1, "hash_ids": [3]}`
	rate     = "t_s,rpm_mid,rpm_lo\n432,600,1\n492,600,1\n"
	columns  = "when, out,in\n2026-01-01T00:00:00Z,2,1\n2026-01-01T00:00:02Z,4,3\n"
)

func collect(requests Requests, most int) (all []Request, err error) {
	for q, err := range requests {
		if err != nil {
			return all, err
		}
		if all = append(all, q); len(all) == most {
			break
		}
	}
	return all, nil
}

func TestRead_formats(t *testing.T) {
	named := Options{Columns: map[string]string{"time": "when", "input": "in", "output": "out"}}
	for _, c := range []struct {
		name, text string
		options    Options
		want       []Request
	}{
		{"azure 2023", azure, Options{}, []Request{{0, 374, 44, 0, false, nil, 0}, {4314579000, 396, 109, 0, false, nil, 0}}},
		{"azure 2024", azure24, Options{}, []Request{{0, 2162, 5, 0, false, nil, 0}, {time.Second, 2399, 6, 0, false, nil, 0}}},
		{"burstgpt", burstgpt, Options{}, []Request{{0, 472, 18, 0, false, nil, 0}, {113 * time.Second, 417, 276, 0, false, nil, 0}}},
		{"vidur", vidur, Options{Format: "auto"}, []Request{{0, 100, 20, 0, false, nil, 0}, {1250 * time.Millisecond, 200, 30, 0, false, nil, 0}}},
		{"mooncake", mooncake, Options{}, []Request{{0, 6758, 500, 0, false, []int64{0, 1}, 512}, {3 * time.Second, 7322, 490, 0, false, []int64{0, 14}, 512}}},
		{"bailian", bailian, Options{}, []Request{{0, 131, 24, 0, false, []int64{1, 2}, 16}, {500 * time.Millisecond, 10, 2, 0, false, []int64{3}, 16}}},
		{"columns", "\xef\xbb\xbf" + columns, named, []Request{{0, 1, 2, 0, false, nil, 0}, {2 * time.Second, 3, 4, 0, false, nil, 0}}},
		{"windows", strings.ReplaceAll(vidur, "\n", "\r\n"), Options{From: time.Second}, []Request{{250 * time.Millisecond, 200, 30, 0, false, nil, 0}}},
		{"semicolons", strings.ReplaceAll(vidur, ",", ";"), Options{From: time.Second}, []Request{{250 * time.Millisecond, 200, 30, 0, false, nil, 0}}},
		{"a comma in quotes", "\"model, name, owner\";arrived_at;num_prefill_tokens;num_decode_tokens\na;1;10;20\n", Options{}, []Request{{0, 10, 20, 0, false, nil, 0}}},
		{"an empty line before", "\n" + strings.ReplaceAll(columns, ",", ";"), named, []Request{{0, 1, 2, 0, false, nil, 0}, {2 * time.Second, 3, 4, 0, false, nil, 0}}},
		{"tabs", strings.ReplaceAll(columns, ",", "\t"), named, []Request{{0, 1, 2, 0, false, nil, 0}, {2 * time.Second, 3, 4, 0, false, nil, 0}}},
		{"semicolons and quotes", strings.ReplaceAll(`"arrived_at","num_prefill_tokens","num_decode_tokens"`+"\n"+`"1","10","20"`+"\n", ",", ";"), Options{}, []Request{{0, 10, 20, 0, false, nil, 0}}},
		{"to", vidur, Options{To: time.Second}, []Request{{0, 100, 20, 0, false, nil, 0}}},
	} {
		got, err := collect(Read(strings.NewReader(c.text), c.name, c.options), 0)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

func TestRead_refuses(t *testing.T) {
	for _, c := range []struct {
		text    string
		options Options
		want    string
	}{
		{"", Options{}, "f: it is empty"},
		{"", Options{Format: "rate"}, "f: it is empty"},
		{"\xef\xbb\xbf", Options{}, "f: it is empty"},
		{"\n\n", Options{}, "f: line 1: neither JSON nor a CSV header"},
		{"a,b\n1,2\n", Options{}, `f: line 1: columns ["a" "b"] belong to no known format; name them with --columns`},
		{azure, Options{Format: "xml"}, `f: format "xml"; it must be auto or one of`},
		{azure, Options{Scale: math.NaN()}, "f: scale NaN"},
		{azure, Options{From: 2, To: 1}, "f: from 2ns, to 1ns"},
		{azure, Options{From: time.Hour}, "f: no requests"},
		{azure, Options{Columns: map[string]string{"tokens": "x"}}, `f: columns: unknown role "tokens"`},
		{azure, Options{Columns: map[string]string{"time": "TIMESTAMP"}}, "f: columns: write --columns"},
		{azure, Options{Columns: map[string]string{"time": "T", "input": "I", "output": "O"}}, `f: line 1: no column "T"; the columns are`},
		{azure + "yesterday,1,1\n", Options{}, `f: line 4, TIMESTAMP: "yesterday"; it must be seconds, or a date`},
		{azure + "2023-11-16 18:15:51,-1,1\n", Options{}, `f: line 4, ContextTokens: "-1"; it must be a whole number of tokens`},
		{azure + "2023-11-16 18:15:51,1,1e3\n", Options{}, `f: line 4, GeneratedTokens: "1e3"`},
		{azure + "2023-11-16 18:15:51,1\n", Options{}, "f: record on line 4: wrong number of fields"},
		{azure + "2023-11-16 18:15:50,1,1\n", Options{}, `f: line 4, TIMESTAMP: "2023-11-16 18:15:50"; it must be no earlier than that of the row above; sort the file by time`},
		{mooncake + "{}\n", Options{}, "f: line 3, timestamp: missing"},
		{mooncake + "{\n", Options{}, "f: line 3, not a JSON object"},
		{`{"timestamp": 1, "input_length": 1}`, Options{}, "f: line 1, output_length: missing"},
		{`{"timestamp": -1, "input_length": 1}`, Options{}, "f: line 1, timestamp: it must be a time in seconds"},
		{"t_s,rpm\n1,2\n", Options{}, "f: a rate curve needs two rows"},
		{"t_s,rpm\n1,2\n1,2\n", Options{}, `f: line 3, t_s: "1"; it must be later`},
		{"t_s,rpm\n1,NaN\n2,2\n", Options{}, `f: line 2, rpm: "NaN"; it must be a number between 0 and 1e+06`},
		{"t_s,rpm,cv\n1,2,99\n", Options{}, `f: line 2, cv: "99"; it must be a number between 0 and 20`},
		{"\x1f\x8b\x08\x00", Options{}, "f: this is gzip; unpack it: zcat FILE | ipa simulate --trace -"},
		{"\x1f\x8b\x08\x00", Options{Format: "azure"}, "f: this is gzip"},
		{"\x28\xb5\x2f\xfd", Options{}, "f: this is zstd"},
		{"PK\x03\x04", Options{}, "f: this is a zip archive, or a spreadsheet"},
		{"PAR1\x15", Options{}, "f: this is Parquet; write it as CSV"},
		{"\xff\xfeT\x00", Options{}, "f: this is UTF-16; save it as UTF-8"},
		{"PA", Options{}, `f: line 1: columns ["PA"] belong to no known format`},
		{azure + "1e300,1,1\n", Options{}, `f: line 4, TIMESTAMP: "1e300"; it must be seconds`},
		{azure + "NaN,1,1\n", Options{}, `f: line 4, TIMESTAMP: "NaN"; it must be seconds`},
		{azure + "2023-11-16 18:15:51,99999999999,1\n", Options{}, `f: line 4, ContextTokens: "99999999999"; it must be a whole number`},
		{azure + "2023-11-16 18:15:51,1.5,1\n", Options{}, `f: line 4, ContextTokens: "1.5"; it must be a whole number`},
		{azure + "2023-11-16 18:15:51,,1\n", Options{}, `f: line 4, ContextTokens: ""; it must be a whole number`},
		{azure + "2023-11-16 18:15", Options{}, "f: record on line 4: wrong number of fields"},   // cut
		{mooncake + `{"timestamp": 30000, "input_le`, Options{}, "f: line 3, not a JSON object"}, // cut
		{"t_s,rpm\n1,-2\n2,2\n", Options{}, `f: line 2, rpm: "-2"; it must be a number between 0`},
		{"t_s,rpm\n1,2\n1e12,2\n", Options{}, `f: line 3, t_s: "1e12"; it must be a number between 0`},
		{strings.ReplaceAll(vidur, "\n", "\r"), Options{}, `f: its lines end with CR alone; convert them: tr '\r' '\n' < FILE`},
		{"0.0,300,50\n1.0,300,50\n", Options{}, `f: line 1: ["0.0" "300" "50"] are no names of columns; write a line with names above`},
		{"a" + strings.Repeat(",b", 30) + "\n", Options{}, `f: line 1: columns ["a" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b" "b"] and 11 more belong`},
		{strings.Repeat("a", 90) + "\n", Options{}, `f: line 1: columns ["` + strings.Repeat("a", 60) + `..."] belong`},
		{"arrived_at,num_prefill_tokens,num_decode_tokens,arrived_at\n", Options{}, `f: line 1: two columns are named "arrived_at"; rename one of them`},
		{"t_s,rpm,rpm\n1,2,3\n2,2,3\n", Options{}, `f: line 1: two columns are named "rpm"`},
		{"[{\"timestamp\": 1}]", Options{}, "f: line 1: a JSON array; write one object a line: jq -c '.[]' FILE"},
		{`{"timestamp": "1", "input_length": 1, "output_length": 1}`, Options{}, "f: line 1, timestamp: it is a string; it must be a number"},
		{`{"timestamp": 1, "input_length": 1.5, "output_length": 1}`, Options{}, "f: line 1, input_length: it is a number 1.5; it must be a whole number"},
		{`{"timestamp": 1, "input_length": 1, "output_length": null}`, Options{}, "f: line 1, output_length: missing"},
		{`{"timestamp": 1, "input_length": 1073741825, "output_length": 1}`, Options{}, "f: line 1, input_length: missing or out of range"},
		{azure + "1700000000000,1,1\n", Options{}, `f: line 4, TIMESTAMP: "1700000000000"; it must be seconds, or a date like 2023-11-16 18:15:46.68; a number as large as this is milliseconds or less`},
		{strings.ReplaceAll(vidur, ",", ";") + "\"1,5\";1;1\n", Options{}, `f: line 4, arrived_at: "1,5"; it must be seconds, or a date like 2023-11-16 18:15:46.68; write a decimal point instead of the comma`},
		{vidur + "-1,1,1\n", Options{}, `f: line 4, arrived_at: "-1"; it must be seconds, or a date like 2023-11-16 18:15:46.68; no time is below 0`},
		{azure + "1969-12-31 23:59:59,1,1\n", Options{}, `f: line 4, TIMESTAMP: "1969-12-31 23:59:59"; it must be seconds`},
		{azure + "2200-01-01 00:00:00,1,1\n", Options{}, `f: line 4, TIMESTAMP: "2200-01-01 00:00:00"; it must be seconds`},
		{azure + "2023-11-16 18:15:51 CET,1,1\n", Options{}, `f: line 4, TIMESTAMP: "2023-11-16 18:15:51 CET"; it must be seconds`},
		{"t_s,x\n1,2\n", Options{Format: "rate"}, "f: line 1: no column rate_rps, rpm or rpm_mid"},
	} {
		_, err := collect(Read(strings.NewReader(c.text), "f", c.options), 0)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q %+v:\n got %v\nwant %s", c.text, c.options, err, c.want)
		}
	}
	if _, err := collect(Open("no such file", Options{}), 0); err == nil {
		t.Error("a file that is not there: no error")
	}
}

// Dates as databases and languages write them are one and the same time.
func TestRead_dates(t *testing.T) {
	for _, second := range []string{
		"2026-03-29 01:00:02.25", "2026-03-29T01:00:02.25", "2026-03-29 01:00:02.250000+00:00", "2026-03-29T01:00:02.25Z",
		"2026-03-29T02:00:02.25+0100", "2026-03-29 00:00:02.25-01", "2026-03-29 01:00:02.25 UTC", " 2026-03-29 01:00:02.25 ",
	} {
		text := "arrived_at,num_prefill_tokens,num_decode_tokens\n2026-03-29T01:00:00Z,1,1\n" + second + ",1,1\n" + second + ",1,1\n"
		all, err := collect(Read(strings.NewReader(text), "f", Options{}), 0)
		if err != nil || len(all) != 3 || all[1].Arrival != 2250*time.Millisecond || all[2].Arrival != all[1].Arrival {
			t.Errorf("%s: %+v, %v; want 2.25 s after the first", second, all, err)
		}
	}
}

// TestRead_rate checks number, lengths and dispersion of what a curve makes.
func TestRead_rate(t *testing.T) {
	const curve = "t_s,rate_rps,mean_input_tokens,mean_output_tokens,cv\n100,0,300,30,CV\n1100,100,300,30,CV\n2100,0,300,30,CV\n"
	for _, c := range []struct {
		cv           string
		want, within float64
	}{{"0", 0, .1}, {"1", 1, .1}, {"0.5", .25, .1}, {"3", 9, 1.5}} {
		all, err := collect(Read(strings.NewReader(strings.ReplaceAll(curve, "CV", c.cv)), "curve", Options{Seed: 1, Scale: 2}), 0)
		if err != nil {
			t.Fatal(err)
		}
		in, out, perBin := 0.0, 0.0, make([]float64, 200)
		for _, q := range all {
			in, out = in+float64(q.Input), out+float64(q.Output)
			perBin[int(q.Arrival.Seconds()/10)]++
		}
		n := float64(len(all))
		if math.Abs(n/200_000-1) > 0.03 || math.Abs(in/n/300-1) > 0.02 || math.Abs(out/n/30-1) > 0.02 {
			t.Errorf("cv %s: %v requests, mean %.1f in, %.1f out; want 200000, 300 and 30", c.cv, n, in/n, out/n)
		}
		// The variance over the mean of the count in a bin is cv squared.
		dispersion := 0.0
		for i, got := range perBin {
			mid := 10 * (float64(i) + .5)
			mean := 2 * .1 * min(mid, 2000-mid) * 10
			dispersion += (got - mean) * (got - mean) / mean / float64(len(perBin))
		}
		if math.Abs(dispersion-c.want) > max(c.within, .25*c.want) {
			t.Errorf("cv %s: dispersion %.2f, want %.2f", c.cv, dispersion, c.want)
		}
	}
}

func TestRead_scale(t *testing.T) {
	text := "arrived_at,num_prefill_tokens,num_decode_tokens\n" + strings.Repeat("5,1,1\n", 1000)
	for _, scale := range []float64{.25, 1, 2.5} {
		all, err := collect(Read(strings.NewReader(text), "f", Options{Scale: scale}), 0)
		if err != nil || math.Abs(float64(len(all))/scale-1000) > 100 {
			t.Errorf("scale %v: %d requests, %v", scale, len(all), err)
		}
		if last := all[len(all)-1].Arrival; last > spread {
			t.Errorf("scale %v: a copy comes after %v", scale, last)
		}
	}
}

func TestOpen_shared(t *testing.T) {
	for _, c := range []struct {
		file     string
		requests int
		span     time.Duration
	}{
		{"azure2023_conv.csv", 19366, 3500 * time.Second},
		{"azure2023_code.csv", 8819, 3435 * time.Second},
		{"mooncake_conversation.jsonl", 12031, 3537 * time.Second},
		{"azure2024_conv_weekly_rpm_digitized.csv", 160_000, time.Hour},
	} {
		file := "../../../../shared/traces/" + c.file
		if _, err := os.Stat(file); err != nil {
			t.Skipf("NOT TESTED: the published traces are not here: %v", err)
		}
		all, err := collect(Open(file, Options{To: time.Hour}), 0)
		if err != nil {
			t.Fatal(err)
		}
		span := all[len(all)-1].Arrival
		if math.Abs(float64(len(all))/float64(c.requests)-1) > .6 || (span-c.span).Abs() > time.Minute {
			t.Errorf("%s: %d requests in %v, want %d in %v", c.file, len(all), span, c.requests, c.span)
		}
	}
}
