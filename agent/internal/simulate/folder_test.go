package simulate

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/agent/internal/enrol/enroltest"
)

func keyFrom(seed []byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed) }

func open(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDocksAreEnrolledOnceAndComeBack(t *testing.T) {
	s, dir := enroltest.New(t, "riverton"), t.TempDir()
	tokens := []Token{{"front-desk", s.Token}}
	f := open(t, dir)
	told := 0
	if err := f.Enrol(t.Context(), s.URL, tokens, 1, func(have int) { told = have }); err != nil || told != 1 {
		t.Fatalf("told %d, %v", told, err)
	}
	path := filepath.Join(dir, "docks.jsonl")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again := open(t, dir)
	if len(again.Docks) != 1 || again.Server.Address != "localhost:4433" || again.Server.Trust.LogOrigin != "evidence.test" {
		t.Fatalf("came back as %+v of %+v", again.Docks, again.Server)
	}
	a, b := f.Docks[0], again.Docks[0]
	if a.Dock != b.Dock || a.Station != b.Station || !a.Key.Equal(b.Key) || !a.Statement.Equal(b.Statement) || !s.Statement.Equal(b.Statement.Public()) {
		t.Error("other keys came back")
	}
	s.Refuse = "this token was used already"
	if err := again.Enrol(t.Context(), s.URL, tokens, 1, func(int) {}); err != nil {
		t.Errorf("a dock that is there was enrolled again: %v", err)
	}
	if err := again.Enrol(t.Context(), s.URL, tokens, 2, func(int) {}); err == nil || !strings.Contains(err.Error(), "1 docks fewer") {
		t.Errorf("too few tokens: %v", err)
	}
}

func TestHalfALineOfAKilledRunIsDropped(t *testing.T) {
	s, dir := enroltest.New(t, "riverton"), t.TempDir()
	f := open(t, dir)
	if err := f.Enrol(t.Context(), s.URL, []Token{{"front-desk", s.Token}}, 1, func(int) {}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "docks.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, `{"dock":"load-0`...), 0o600); err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir); len(again.Docks) != 1 {
		t.Errorf("%d docks", len(again.Docks))
	}
	if left, err := os.ReadFile(path); err != nil || string(left) != string(text) {
		t.Errorf("the file was not mended: %v", err)
	}
	if err := os.WriteFile(path, append(text, "{}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(dir); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a dock without keys: %v", err)
	}
}

func TestAFolderHasOneServer(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	for i, want := range []string{"", "another server"} {
		s := enroltest.New(t, "riverton")
		err := f.enrol(t.Context(), s.URL, Token{"front-desk", s.Token})
		if i == 0 && err != nil || i == 1 && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("server %d: %v", i+1, err)
		}
	}
	if again := open(t, dir); len(again.Docks) != 1 {
		t.Errorf("%d docks", len(again.Docks))
	}
}

func TestFilesOfTokensAreReadStrictly(t *testing.T) {
	s := enroltest.New(t, "riverton")
	path := filepath.Join(t.TempDir(), "tokens")
	cases := map[string]string{
		"load-00001 " + s.Token + "\n\nload-00002 " + s.Token + "\n": "",
		s.Token + "\n":          "not a dock and its token",
		"load-00001 hello\n":    "dock load-00001",
		"a b " + s.Token + "\n": "not a dock and its token",
	}
	for text, want := range cases {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		tokens, err := ReadTokens(path)
		if want == "" && (err != nil || len(tokens) != 2 || tokens[1].Dock != "load-00002") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, %v", text, tokens, err)
		}
	}
	if _, err := ReadTokens(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "sealdock-ingest dock-tokens") {
		t.Errorf("no file: %v", err)
	}
}
