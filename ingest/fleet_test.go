package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// agency makes a data folder and returns its configuration.
func agency(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "evidence")
	if _, _, err := run(t, "init", "--agency", "springfield", "--host", "localhost", folder); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "ingest.toml")
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnOperatorsWayWithFirmware(t *testing.T) {
	config := agency(t)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	image := []byte("a firmware image")
	payload, err := evidence.Encode(&evidence.Firmware{
		Version: 1, Model: "X3", Release: "2.4.1", Counter: 7, Length: uint64(len(image)), SHA256: evidence.SHA256(image), ReleasedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	bundle := t.TempDir()
	statement := evidence.Sign(evidence.TypeFirmware, payload, "maker", private).Marshal()
	for name, content := range map[string][]byte{"firmware.json": statement, "firmware.bin": image} {
		if err := os.WriteFile(filepath.Join(bundle, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := write(t, "acme.hex", []byte(hex.EncodeToString(public)))
	refused := func(words string, args ...string) {
		t.Helper()
		if _, _, err := run(t, append(args, "--config", config)...); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v: got %v, want words like %q", args, err, words)
		}
	}
	done := func(words string, args ...string) {
		t.Helper()
		if out, log, err := run(t, append(args, "--config", config)...); err != nil || !strings.Contains(out+log, words) {
			t.Errorf("%v: %v, want words like %q:\n%s%s", args, err, words, out, log)
		}
	}
	done("trust-maker", "firmware", "list")
	refused("trust-maker", "firmware", "publish", bundle)
	refused("neither one PEM block", "firmware", "trust-maker", "acme", filepath.Join(bundle, "firmware.bin"))
	done(evidence.KeyID(public).String(), "firmware", "trust-maker", "acme", key)
	refused("trusted already", "firmware", "trust-maker", "acme", key)
	refused("--window", "firmware", "publish", "--window", "2-5", bundle)
	refused("firmware.bin", "firmware", "publish", key)
	done("between 02:00-05:00 UTC", "firmware", "publish", "--window", "02:00-05:00", bundle)
	done("at any time", "firmware", "publish", filepath.Join(bundle, "firmware.bin"), filepath.Join(bundle, "firmware.json"))
	done("offered", "firmware", "list")
	refused("counter 8", "firmware", "withdraw", "X3", "8")
	done("keep it", "firmware", "withdraw", "X3", "7")
	done("withdrawn", "firmware", "list")
}

func TestAnOperatorsWayWithSettings(t *testing.T) {
	config := agency(t)
	good := write(t, "x3.toml", []byte("resolution = \"1080p\"\npre_record = 30\nmuted = false\nbitrate = 8.5\n"))
	nested := write(t, "nested.toml", []byte("[video]\nresolution = \"1080p\"\n"))
	for _, c := range []struct {
		args  []string
		words string // of the error; "" for none
		says  string
	}{
		{[]string{"list"}, "", "keep their own"},
		{[]string{"publish", "resolution=1080p"}, "--every-model", ""},
		{[]string{"publish", "--model", "X3", "--every-model", "resolution=1080p"}, "--every-model", ""},
		{[]string{"publish", "--model", "X3", good, "resolution=1080p"}, "not name=value", ""},
		{[]string{"publish", "--model", "X3", "a=1", "a=2"}, "twice", ""},
		{[]string{"publish", "--model", "X3", nested}, "a text, a number", ""},
		{[]string{"publish", "--model", "X3", filepath.Join(t.TempDir(), "none.toml")}, "no such file", ""},
		{[]string{"publish", "--model", "X3", "Resolution=1080p"}, "only a-z", ""},
		{[]string{"publish", "--model", "X3", good}, "", "4 settings are given to cameras of model X3"},
		{[]string{"publish", "--every-model", "resolution=720p"}, "", "every model that has none"},
		{[]string{"list"}, "", "pre_record"},
		{[]string{"list"}, "", "(every other)"},
		{[]string{"list"}, "", "8.5"},
		{[]string{"keep-days", "4000"}, "0 to 3650", ""},
		{[]string{"keep-days", "30"}, "", "for 30 days"},
		{[]string{"list"}, "", "for 30 days"},
		{[]string{"keep-days", "0"}, "", "as soon as"},
	} {
		out, log, err := run(t, append(append([]string{"settings"}, c.args...), "--config", config)...)
		if c.words == "" && (err != nil || !strings.Contains(out+log, c.says)) {
			t.Errorf("%v: %v, want words like %q:\n%s%s", c.args, err, c.says, out, log)
		}
		if c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%v: got %v, want words like %q", c.args, err, c.words)
		}
	}
}

func TestADockThatIsNotThereCannotBeDisabled(t *testing.T) {
	config := agency(t)
	for _, command := range []string{"disable-dock", "enable-dock"} {
		if _, _, err := run(t, command, "--config", config, "front-desk"); err == nil || !strings.Contains(err.Error(), "there is no dock front-desk") {
			t.Errorf("%s: %v", command, err)
		}
	}
}
