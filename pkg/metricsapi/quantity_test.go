package metricsapi

import (
	"math"
	"testing"
	"time"
)

func TestQuantity(t *testing.T) {
	for _, tt := range []struct {
		value float64
		want  string
		milli int64
	}{
		{0, "0", 0},
		{1, "1", 1000},
		{70.21349, "70213m", 70213},
		{0.0004, "0", 0},
		{0.0005, "1m", 1},
		{2.9999, "3", 3000},
		{512.25, "512250m", 512250},
		{1e12, "1T", 1e15},
		{9_000_000_000_000.5, "9000000000000500m", 9_000_000_000_000_500},
		{9_007_199_254_741.0, "9007199254741", 9_007_199_254_741_000},
		{9_223_372_036_854_774, "9223372036854774", 9_223_372_036_854_774_000},
		{9_223_372_036_854_775, "9223372036854775", 9_223_372_036_854_775_000},
		{1e16, "9223372036854775", 9_223_372_036_854_775_000},
		{math.MaxFloat64, "9223372036854775", 9_223_372_036_854_775_000},
		{math.SmallestNonzeroFloat64, "0", 0},
	} {
		q := quantity(tt.value)
		if got := q.String(); got != tt.want {
			t.Errorf("quantity(%v) = %s, want %s", tt.value, got, tt.want)
		}
		if got := q.MilliValue(); got != tt.milli {
			t.Errorf("quantity(%v) in milli = %d, want %d", tt.value, got, tt.milli)
		}
	}
}

func TestIsKnown(t *testing.T) {
	for value, want := range map[float64]bool{
		0: true, 1: true, math.MaxFloat64: true, math.Copysign(0, -1): true,
		-0.001: false, math.Inf(1): false, math.Inf(-1): false,
	} {
		if got := isKnown(value); got != want {
			t.Errorf("isKnown(%v) = %v, want %v", value, got, want)
		}
	}
	if isKnown(math.NaN()) {
		t.Error("isKnown(NaN) = true, want false")
	}
}

func TestWindowSeconds(t *testing.T) {
	for _, tt := range []struct {
		window time.Duration
		want   int64 // 0: no window
	}{
		{0, 0}, {-time.Second, 0}, {time.Millisecond, 1}, {time.Second, 1},
		{6400 * time.Millisecond, 6}, {6500 * time.Millisecond, 7}, {time.Minute, 60}, {time.Hour, 3600},
	} {
		got := windowSeconds(tt.window)
		if (got == nil) != (tt.want == 0) || got != nil && *got != tt.want {
			t.Errorf("windowSeconds(%v) = %v, want %d", tt.window, got, tt.want)
		}
	}
}
