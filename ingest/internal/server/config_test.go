package server

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestInitTouchesNothingThatIsThere(t *testing.T) {
	r := newServer(t)
	before, err := os.ReadFile(r.made.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Init(r.ctx, r.config, r.logger(), time.Now); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Fatalf("got %v", err)
	}
	after, err := os.ReadFile(r.made.ConfigPath)
	if err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the configuration changed: %v", err)
	}
}

func TestWhatIsWrongWithAFolderIsSaidBeforeAnythingStarts(t *testing.T) {
	cases := map[string]struct {
		spoil func(r *running)
		words string
	}{
		"nothing there":          {func(r *running) { r.config.DataDir = t.TempDir() }, "run sealdock-ingest init"},
		"root key gone":          {func(r *running) { os.Remove(filepath.Join(r.config.keyDir(), "root.key")) }, "backup"},
		"pepper gone":            {func(r *running) { os.Remove(r.config.pepperFile()) }, "backup"},
		"receipt key gone":       {func(r *running) { os.Remove(r.config.receiptKey()) }, "receipt.key"},
		"another agency":         {func(r *running) { r.config.Agency = "shelbyville" }, "shelbyville"},
		"another log name":       {func(r *running) { r.config.LogOrigin = "elsewhere/log" }, "log"},
		"catalog gone":           {func(r *running) { os.Remove(filepath.Join(r.config.DataDir, "catalog.db")) }, ""},
		"no public name":         {func(r *running) { r.config.PublicNames = nil }, "public_names"},
		"an address of no one's": {func(r *running) { r.config.ListenHTTPS = "192.0.2.1:1" }, "listen_https"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newServer(t)
			if name == "catalog gone" { // a new, empty catalog beside a log with entries
				r.start()
				r.end()
			}
			c.spoil(r)
			ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
			defer cancel()
			err := Run(ctx, r.config, "test", r.logger(), time.Now, func(Ready) { cancel() })
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Fatalf("got %v, want words like %q", err, c.words)
			}
		})
	}
}

func TestConfigurationErrorsNameTheKey(t *testing.T) {
	cases := map[string]string{
		"agencie = \"x\"\n":         "agencie",
		"agency = \"No Good\"\n":    "agency",
		"listen_quic = \"4433\"\n":  "listen_quic",
		"time_zone = \"Mars/X\"\n":  "time_zone",
		"drain_time = \"soon\"\n":   "drain_time",
		"memory_mib = 1\n":          "memory_mib",
		"reserve_mib = -1\n":        "reserve_mib",
		"public_names = [\"a:1\"]":  "public_names",
		"log_origin = \"a b\"\n":    "log_origin",
		"listen_https = \"nope\"\n": "listen_https",

		"[certificate]\nfile = \"a\"\n":                                     "certificate.key",
		"[certificate]\nfile = \"a\"\nkey = \"b\"\nacme = \"https://a/\"\n": "certificate.acme",
		"[certificate]\nacme = \"http://ca.example.org/dir\"\n":             "certificate.acme",
		"[certificate]\nacme = \"https://a/\"\nacme_key_id = \"x\"\n":       "certificate.acme_key_file",
		"[certificate]\nlisten_http = \"80\"\n":                             "certificate.listen_http",
	}
	sound := map[string]string{"agency": `agency = "springfield"`, "public_names": `public_names = ["localhost"]`, "log_origin": `log_origin = "localhost/log"`}
	for text, key := range cases {
		file := text
		for name, line := range sound {
			if name != key {
				file = line + "\n" + file
			}
		}
		path := filepath.Join(t.TempDir(), "ingest.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadConfig(path); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%q: got %v, want an error that names %s", text, err, key)
		}
	}
}

func TestTheFileThatInitWritesIsRead(t *testing.T) {
	r := newServer(t)
	got, err := LoadConfig(r.made.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(r.config) {
		t.Errorf("read  %+v\nwrote %+v", got, r.config)
	}
	if _, err := os.Stat(got.DataDir); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(r.made.SetupLink, "https://localhost:0/setup?token=") {
		t.Errorf("the set-up link is %s", r.made.SetupLink)
	}
	secret := r.config
	secret.Catalog = "postgres://u:geheim@db/x"
	text, err := secret.file()
	if err != nil || !strings.Contains(string(text), "geheim") {
		t.Errorf("the file that the server itself reads lacks the catalog's password: %v", err)
	}
}
