package main

import (
	"testing"
	"time"
)

func TestATimeInARecordingIsRead(t *testing.T) {
	for text, want := range map[string]time.Duration{"00:01:10": 70 * time.Second, "1:10.5": 70500 * time.Millisecond, "7": 7 * time.Second, "90": 90 * time.Second, "02:00:00": 2 * time.Hour} {
		var p playTime
		if err := p.UnmarshalText([]byte(text)); err != nil || time.Duration(p) != want {
			t.Errorf("%q: %v, %v, want %v", text, time.Duration(p), err, want)
		}
	}
	for _, text := range []string{"", ":", "1:", "1:60", "1:99:00", "1.5:00", "-1", "1h", "1:2:3:4", "999999999999", "9999:00:00", "1.2.3"} {
		var p playTime
		if err := p.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %v", text, time.Duration(p))
		}
	}
}
