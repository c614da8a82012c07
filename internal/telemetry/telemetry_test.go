package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestLinesAreJSONInUTCAndNameTheirComponent(t *testing.T) {
	var out bytes.Buffer
	l, err := New(&out, "json", "warn")
	if err != nil {
		t.Fatal(err)
	}
	upload := Component(l, "upload")
	upload.Info("too low for the level")
	zone := time.FixedZone("east", 3*60*60)
	r := slog.NewRecord(time.Date(2026, 1, 2, 3, 4, 5, 0, zone), slog.LevelWarn, "slow", 0)
	r.AddAttrs(slog.Time("since", time.Date(2026, 1, 2, 1, 0, 0, 0, zone)))
	if err := upload.Handler().Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	var line map[string]string
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	want := map[string]string{"time": "2026-01-02T00:04:05Z", "since": "2026-01-01T22:00:00Z", "level": "WARN", "msg": "slow", "component": "upload"}
	for key, value := range want {
		if line[key] != value {
			t.Errorf("%s is %q, want %q", key, line[key], value)
		}
	}
	if len(line) != len(want) {
		t.Errorf("line %v", line)
	}
}

func TestHostileTextStaysOnItsLine(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		l, err := New(&out, format, "DEBUG")
		if err != nil {
			t.Fatal(err)
		}
		l.Debug("camera", "serial", "a\nlevel=ERROR msg=forged\x1b[2J")
		if got := out.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") {
			t.Errorf("%s: %q", format, got)
		}
	}
}

func TestUnknownSettingsAreRefusedByName(t *testing.T) {
	for _, c := range [][2]string{{"xml", "info"}, {"json", "loud"}, {"", ""}} {
		if _, err := New(nil, c[0], c[1]); err == nil {
			t.Errorf("format %q and level %q were taken", c[0], c[1])
		}
	}
}
