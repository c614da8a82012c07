package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/testkit/bao"
)

// TestARootKeyIsMovedToTransitByCommand is the part of docs/keys.md about OpenBao, at
// the command line; the same again takes the key's newest version.
func TestARootKeyIsMovedToTransitByCommand(t *testing.T) {
	t.Run("made here", func(t *testing.T) { movedByCommand(t, bao.Fake(t)) })
	t.Run("OpenBao", func(t *testing.T) { movedByCommand(t, bao.OpenBao(t)) })
}

func movedByCommand(t *testing.T, s *bao.Server) {
	folder := filepath.Join(t.TempDir(), "evidence")
	config := filepath.Join(folder, "ingest.toml")
	do := func(want string, args ...string) string {
		t.Helper()
		out, log, err := run(t, args...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("%v: %v, want words like %q\n%s%s", args, err, want, out, log)
		}
		return out
	}
	fails := func(want string, args ...string) {
		t.Helper()
		if _, _, err := run(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want words like %q", args, err, want)
		}
	}
	opened := func(version string) {
		t.Helper()
		do("0 problems", "fsck", "--config", config)
		text, err := os.ReadFile(filepath.Join(folder, "keys", "root.key"))
		if err != nil || !strings.Contains(string(text), "\nvault:"+version+":") {
			t.Errorf("the root key's file: %v\n%.80q", err, text)
		}
	}
	do("", "init", "--agency", "springfield", "--host", "localhost", folder)
	s.MakeKey(t, "sealdock-root")
	token := secretFile(t, s.Token(t, "sealdock-root"))
	to := []string{"keys", "passphrase", "--config", config, "--transit", "sealdock-root"}
	given := append(to, "--new-file", token)
	fails("transit_url", given...)
	set(t, config, "transit_url", s.URL)
	set(t, config, "transit_authority", s.Authority)
	fails("exclude", append(given, "--none")...)
	fails("exclude", append(given, "--pkcs11", "x")...)
	fails("no terminal", to...)
	fails("permission denied", append(to, "--new-file", secretFile(t, "s.nobodys"))...)
	fails("no name of a key", "keys", "passphrase", "--config", config, "--transit", "../x", "--new-file", token)
	do("transit service's key sealdock-root", given...)
	set(t, config, "root_protection", "transit")
	fails("passphrase_file", "fsck", "--config", config)
	set(t, config, "passphrase_file", token)
	opened("v1")
	do("", "keys", "rotate", "--config", config)
	s.Rotate(t, "sealdock-root")
	opened("v1")
	do("transit service's key sealdock-root", to...) // the token is where the server takes it from
	opened("v2")
	fails("root_protection", "keys", "passphrase", "--config", config, "--none")
	do("the new passphrase", "keys", "passphrase", "--config", config, "--new-file", secretFile(t, "correct horse battery staple"))
	set(t, config, "root_protection", "passphrase")
	set(t, config, "passphrase_file", secretFile(t, "correct horse battery staple"))
	do("0 problems", "fsck", "--config", config)
}

// set writes one text into a configuration file.
func set(t *testing.T, path, key, value string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, key+" = ") {
			lines[i] = key + " = " + strconv.Quote(value)
			if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s has no %s", path, key)
}
