package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/offload"
	"github.com/sealdock/sealdock/agent/internal/upload"
)

func TestPlainStatusSaysEachThingOnceAndChangesWhenItChanges(t *testing.T) {
	var out strings.Builder
	l := &lines{out: &out}
	s := &daemon.Status{Dock: "front-desk", Station: "north", Agency: "riverton", Server: upload.State{Message: "Connected."}, Bays: []offload.Status{
		{Port: "1-1", State: "copying", Message: "Copying A.MP4.", CameraSerial: "CAM-1", RecordingsTotal: 3, BytesTotal: 3_500_000, BytesDone: 999, Alerts: []string{"B.MP4 was not copied", "C.MP4 is odd"}},
		{Port: "1-2", State: "empty", Message: "No camera."},
	}}
	for range 3 {
		if err := l.show(s); err != nil {
			t.Fatal(err)
		}
	}
	s.Bays[1].State, s.Bays[1].Message = "reading", "A camera was plugged in."
	if err := l.show(s); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for want, times := range map[string]int{
		"Dock front-desk, station north, agency riverton": 1, "Connected.": 1, "999 B of 3.5 MB": 1, "B.MP4 was not copied": 1, "C.MP4 is odd": 1, "No camera.": 1, "plugged in": 1,
	} {
		if n := strings.Count(text, want); n != times {
			t.Errorf("%q is said %d times, want %d, in:\n%s", want, n, times, text)
		}
	}
}

func TestSizesAreInTheUnitsPeopleUse(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_048_576: "1.0 MB", 2_147_483_648: "2.1 GB", 1 << 63: "9.2 EB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) is %s, want %s", n, got, want)
		}
	}
}

func TestConfigurationIsFoundInTheDataFolderAndSlipsAreNamed(t *testing.T) {
	data := t.TempDir()
	if config, err := (place{Data: data}).load(); err != nil || config.Data != data {
		t.Fatalf("without a file: %v", err)
	}
	path := filepath.Join(data, "agent.toml")
	if err := os.WriteFile(path, []byte("[spool]\nquota_bytes = 5000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if config, err := (place{Data: data}).load(); err != nil || config.Spool.QuotaBytes != 5000 {
		t.Fatalf("with a file: %+v, %v", config.Spool, err)
	}
	if err := os.WriteFile(path, []byte("[spool]\nquota = 5000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (place{Data: data}).load(); err == nil || !strings.Contains(err.Error(), "quota") {
		t.Fatalf("an unknown key: %v", err)
	}
	if _, err := (place{File: filepath.Join(data, "nowhere.toml")}).load(); err == nil {
		t.Fatal("a named file that is missing was passed over")
	}
}

func TestARelativeDataFolderCountsFromTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.toml")
	if err := os.WriteFile(path, []byte("data = \"dock\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if config, err := (place{File: path}).load(); err != nil || config.Data != filepath.Join(dir, "dock") {
		t.Errorf("%q, %v", config.Data, err)
	}
}
