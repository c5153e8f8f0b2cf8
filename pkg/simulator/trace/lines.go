package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// line is a request as Mooncake and Qwen-Bailian write it.
type line struct {
	Timestamp *float64        `json:"timestamp"`
	Input     *int            `json:"input_length"`
	Output    *int            `json:"output_length"`
	Hashes    []int64         `json:"hash_ids"`
	Turn      json.RawMessage `json:"turn"`
	Chat      json.RawMessage `json:"chat_id"`
}

// The blocks that the hashes stand for, in tokens.
const (
	mooncakeBlock = 512
	bailianBlock  = 16
)

// readLines reads JSON lines.
func readLines(in *bufio.Reader) Requests {
	return func(yield func(Request, error) bool) {
		var last time.Duration
		for n := 1; ; n++ {
			raw, readErr := in.ReadBytes('\n')
			if len(bytes.TrimSpace(raw)) > 0 {
				q, err := parseLine(raw)
				if err == nil && q.Arrival < last {
					err = errors.New("timestamp: it must be " + inOrder)
				}
				if last = q.Arrival; err != nil {
					err = fmt.Errorf("line %d, %w", n, err)
				}
				if !yield(q, err) || err != nil {
					return
				}
			}
			if errors.Is(readErr, io.EOF) {
				return
			}
			if readErr != nil {
				yield(Request{}, readErr)
				return
			}
		}
	}
}

func parseLine(raw []byte) (Request, error) {
	var l line
	err := json.Unmarshal(raw, &l)
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) && wrong.Field != "" {
		return Request{}, fmt.Errorf("%s: it is a %s; it must be a %s", wrong.Field, wrong.Value, KindInWords(wrong.Type))
	}
	if err != nil {
		return Request{}, fmt.Errorf("not a JSON object of a request: %w", err)
	}
	if l.Timestamp == nil {
		return Request{}, errors.New("timestamp: missing; it must be milliseconds, or seconds where there is a chat_id or a turn")
	}
	inSeconds := l.Turn != nil || l.Chat != nil
	at, block := *l.Timestamp/1000, mooncakeBlock
	if inSeconds {
		at, block = *l.Timestamp, bailianBlock
	}
	q := Request{Blocks: l.Hashes, BlockTokens: block}
	if q.Arrival, err = seconds(at); err != nil {
		return q, fmt.Errorf("timestamp: %w", err)
	}
	for _, f := range []struct {
		name string
		from *int
		to   *int
	}{{"input_length", l.Input, &q.Input}, {"output_length", l.Output, &q.Output}} {
		if f.from == nil || *f.from < 0 || *f.from > maxTokens {
			return q, fmt.Errorf("%s: missing or out of range; it must be a whole number of tokens, 0 or more", f.name)
		}
		*f.to = *f.from
	}
	return q, nil
}
