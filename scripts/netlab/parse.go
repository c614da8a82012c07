package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
)

// parseRate reads bits a second, with kbit, mbit or gbit for more of them.
func parseRate(s string) (float64, error) {
	number, unit := strings.ToLower(strings.TrimSpace(s)), 1.0
	for suffix, u := range map[string]float64{"kbit": 1e3, "mbit": 1e6, "gbit": 1e9} {
		if rest, ok := strings.CutSuffix(number, suffix); ok {
			number, unit = strings.TrimSpace(rest), u
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0) || v > 1e12 {
		return 0, fmt.Errorf("%q is no rate: want it as 50mbit", s)
	}
	return v * unit, nil
}

// parseShare reads a share below one, in percent or not.
func parseShare(s string) (float64, error) {
	number, unit := strings.TrimSpace(s), 1.0
	if rest, ok := strings.CutSuffix(number, "%"); ok {
		number, unit = rest, 0.01
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0 && v*unit < 1) {
		return 0, fmt.Errorf("%q is no share: want it as 1%%, and below all", s)
	}
	return v * unit, nil
}

// parseSpans reads times as START+LENGTH,...
func parseSpans(s string) (spans []netlab.Span, err error) {
	for part := range strings.SplitSeq(s, ",") {
		start, length, ok := strings.Cut(strings.TrimSpace(part), "+")
		from, err1 := time.ParseDuration(start)
		lasts, err2 := time.ParseDuration(length)
		if !ok || err1 != nil || err2 != nil || from < 0 || lasts <= 0 {
			return nil, fmt.Errorf("%q is no time: want START+LENGTH, as 5s+3s", part)
		}
		spans = append(spans, netlab.Span{From: from, To: from + lasts})
	}
	return spans, nil
}

// parseTimes reads moments.
func parseTimes(s string) (times []time.Duration, err error) {
	for part := range strings.SplitSeq(s, ",") {
		at, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil || at < 0 {
			return nil, fmt.Errorf("%q is no time: want it as 5s", part)
		}
		times = append(times, at)
	}
	return times, nil
}
