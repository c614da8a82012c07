package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// run runs a command line and returns what it wrote and how it ended.
func run(t *testing.T, args ...string) (out, log string, err error) {
	t.Helper()
	var c commands
	var stdout, stderr bytes.Buffer
	parser, err := kong.New(&c, kong.Name("sealdock-ingest"), kong.Exit(func(int) { t.Fatal("it ended the process") }), kong.Writers(&stdout, &stderr))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return "", "", err
	}
	parsed.BindTo(t.Context(), (*context.Context)(nil))
	parsed.Bind(streams{out: &stdout, log: &stderr})
	err = parsed.Run()
	return stdout.String(), stderr.String(), err
}

func TestANewcomersFirstSteps(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "evidence")
	out, _, err := run(t, "init", "--agency", "springfield", "--host", "evidence.example.org", "--listen-https", ":443", folder)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "ingest.toml")
	for _, want := range []string{"sealdock-ingest run --config " + config, "https://evidence.example.org/setup?token=sds1.", "dock-token --config " + config, filepath.Join(folder, "keys")} {
		if !strings.Contains(out, want) {
			t.Errorf("init does not say %q:\n%s", want, out)
		}
	}
	out, log, err := run(t, "dock-token", "--config", config, "--station", "main", "--dock", "front-desk")
	if err != nil {
		t.Fatal(err)
	}
	if token := strings.TrimSuffix(out, "\n"); !strings.HasPrefix(token, "sdt1.") || strings.ContainsAny(token, " \n") {
		t.Errorf("standard output is not the token alone: %q", out)
	}
	if !strings.Contains(log, "front-desk") {
		t.Errorf("it is not said what the token is for: %q", log)
	}
	file := filepath.Join(t.TempDir(), "tokens")
	if out, log, err = run(t, "dock-tokens", "--config", config, "--station", "load", "--count", "1001", "--from", "7", "--out", file); err != nil || out != "" || !strings.Contains(log, "load-00007 to load-01007") {
		t.Errorf("tokens for many docks: %v\n%s%s", err, out, log)
	}
	text, err := os.ReadFile(file)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if info, err2 := os.Stat(file); err != nil || err2 != nil || info.Mode().Perm() != 0o600 || len(lines) != 1001 || !strings.HasPrefix(lines[1000], "load-01007 sdt1.") || lines[0][10:] == lines[1][10:] {
		t.Errorf("the file of tokens: %v, %v, %d lines, the last %q", err, err2, len(lines), lines[len(lines)-1])
	}
	out, _, err = run(t, "fsck", "--config", config)
	if err != nil || !strings.Contains(out, "0 items stored") || !strings.Contains(out, "0 problems") {
		t.Errorf("fsck: %v\n%s", err, out)
	}
	out, _, err = run(t, "config", "show", "--config", config)
	if err != nil || !strings.Contains(out, "agency = \"springfield\"") {
		t.Errorf("config show: %v\n%s", err, out)
	}
	if _, _, err := run(t, "init", "--agency", "springfield", folder); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("init on the same folder: %v", err)
	}
}

func TestMistakesAreExplained(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "evidence")
	if _, _, err := run(t, "init", "--agency", "springfield", "--host", "localhost", folder); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "ingest.toml")
	cases := []struct {
		args  []string
		words string
	}{
		{[]string{"run", "--config", filepath.Join(folder, "none.toml")}, "sealdock-ingest init"},
		{[]string{"init", "--agency", "Spring Field", filepath.Join(t.TempDir(), "x")}, "only a-z"},
		{[]string{"init", "--agency", "springfield", "--host", "https://x", filepath.Join(t.TempDir(), "x")}, "without port"},
		{[]string{"init", "--agency", "springfield", "--host", "a b", filepath.Join(t.TempDir(), "x")}, "flag --host"},
		{[]string{"init", "--agency", "springfield", "--catalog", "mysql://root@x", filepath.Join(t.TempDir(), "x")}, "flag --catalog"},
		{[]string{"dock-token", "--config", config, "--station", "main", "--dock", "Front Desk"}, "only a-z"},
		{[]string{"dock-token", "--config", config, "--station", "main", "--dock", "x", "--valid", "9000h"}, "30 days"},
	}
	for _, c := range cases {
		if _, _, err := run(t, c.args...); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%v: got %v, want words like %q", c.args, err, c.words)
		}
	}
	file := filepath.Join(t.TempDir(), "tokens")
	for _, c := range []struct {
		args  []string
		words string
	}{
		{[]string{"--count", "0", "--out", file}, "numbers from 1"},
		{[]string{"--count", "2", "--from", "99999", "--out", file}, "numbers from 1"},
		{[]string{"--count", "2", "--prefix", "Load ", "--out", file}, "only a-z"},
		{[]string{"--count", "2", "--valid", "9000h", "--out", file}, "30 days"},
		{[]string{"--count", "2", "--out", config}, "name a new file"},
	} {
		_, _, err := run(t, append([]string{"dock-tokens", "--config", config, "--station", "load"}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("dock-tokens %v: got %v, want words like %q", c.args, err, c.words)
		}
	}
	if err := os.WriteFile(config, []byte("agncy = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run(t, "config", "show", "--config", config); err == nil || !strings.Contains(err.Error(), "agncy") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestAWrongDataFolderIsAnErrorAndNotAnEmptyStore(t *testing.T) {
	dir := t.TempDir()
	config, nowhere := filepath.Join(dir, "ingest.toml"), filepath.Join(dir, "nowhere")
	text := "data_dir = \"nowhere\"\nagency = \"springfield\"\npublic_names = [\"localhost\"]\nlog_origin = \"x\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"items"}, {"fsck"}, {"run"}, {"dock-token", "--station", "a", "--dock", "b"}, {"dock-tokens", "--station", "a", "--count", "1", "--out", filepath.Join(dir, "tokens")}} {
		if _, _, err := run(t, append(args, "--config", config)...); err == nil || !strings.Contains(err.Error(), "not the data folder") {
			t.Errorf("%v: %v", args, err)
		}
		if _, err := os.Stat(nowhere); err == nil {
			t.Fatalf("%v made the folder", args)
		}
	}
}
