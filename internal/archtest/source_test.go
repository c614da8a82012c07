package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hardLimit = 500 // lines a file may have before it holds more than one idea

// sources yields every Go file of the module, with its package's path.
func sources(t *testing.T, each func(p pkg, file string, text []byte)) {
	t.Helper()
	for _, p := range packages(t) {
		files := append(append(append(append([]string(nil), p.GoFiles...), p.CgoFiles...), p.TestGoFiles...), p.XTestGoFiles...)
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			each(p, filepath.Join(p.path(), name), text)
		}
	}
}

func generated(text []byte) bool {
	head, _, _ := bytes.Cut(text, []byte("\npackage "))
	return bytes.Contains(head, []byte("// Code generated "))
}

func TestAFileHoldsOneIdea(t *testing.T) {
	sources(t, func(p pkg, file string, text []byte) {
		if n := bytes.Count(text, []byte("\n")); n > hardLimit && !generated(text) {
			t.Errorf("%s has %d lines: split it (%d at most)", file, n, hardLimit)
		}
	})
}

func TestNoSleepsInTests(t *testing.T) {
	sources(t, func(p pkg, file string, text []byte) {
		if strings.HasSuffix(file, "_test.go") && p.path() != "internal/archtest" && bytes.Contains(text, []byte("time.Sleep(")) {
			t.Errorf("%s sleeps: wait for what the test wants to see, or use testing/synctest", file)
		}
	})
}

func TestNothingRunsBeforeMain(t *testing.T) {
	sources(t, func(p pkg, file string, text []byte) {
		if generated(text) || strings.HasSuffix(file, "_test.go") {
			return
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			return
		}
		for _, d := range parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function: construct and pass instead", file)
			}
		}
	})
}

func TestMainsStaySmall(t *testing.T) {
	sources(t, func(p pkg, file string, text []byte) {
		if filepath.Base(file) == "main.go" {
			if n := bytes.Count(text, []byte("\n")); n > 120 {
				t.Errorf("%s has %d lines: wiring is a function that can be tested (120 at most)", file, n)
			}
		}
	})
}

func TestOnlyDurableSyncs(t *testing.T) {
	sources(t, func(p pkg, file string, text []byte) {
		if p.path() == "internal/durable" || strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, call := range []string{"unix.Fsync(", "unix.Fdatasync(", "syscall.Fsync(", "syscall.Fdatasync("} {
			if bytes.Contains(text, []byte(call)) {
				t.Errorf("%s calls %s): files are made durable in internal/durable only", file, call)
			}
		}
	})
}

func TestTheTopHoldsOnlyWhatIsAgreed(t *testing.T) {
	allowed := map[string]bool{"agent": true, "ingest": true, "firmware-sim": true, "proto": true, "internal": true, "scripts": true, "docs": true,
		"go.mod": true, "go.sum": true, "Makefile": true, "README.md": true, "LICENSE": true, "SECURITY.md": true, "bin": true}
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !allowed[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s at the top of the repository: not one of the agreed entries", e.Name())
		}
	}
}
