package upload

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vector is one file of testdata: frame bytes and the expected outcome.
type vector struct {
	name, outcome string
	frame         []byte
}

func vectors(t testing.TB, folder string) []vector {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.hex"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors in testdata/%s: %v", folder, err)
	}
	var all []vector
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v := vector{name: strings.TrimSuffix(filepath.Base(path), ".hex")}
		var digits strings.Builder
		for line := range strings.Lines(string(content)) {
			if outcome, found := strings.CutPrefix(line, "# outcome: "); found {
				v.outcome = strings.TrimSpace(outcome)
			} else if !strings.HasPrefix(line, "#") {
				digits.WriteString(strings.TrimSpace(line))
			}
		}
		if v.frame, err = hex.DecodeString(digits.String()); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, v)
	}
	return all
}

func TestGoodVectorsDecodeToTheSamples(t *testing.T) {
	found := map[string]vector{}
	for _, v := range vectors(t, "good") {
		found[v.outcome] = v
	}
	for _, want := range samples() {
		v, ok := found[want.Kind().String()]
		if !ok {
			t.Errorf("no good vector for %v", want.Kind())
			continue
		}
		got, err := ReadMessage(bytes.NewReader(v.frame), new(Buffer))
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
		} else if !same(want, got) {
			t.Errorf("%s: got %v, want %v", v.name, got, want)
		}
	}
}

func TestBadVectorsAreRefusedByName(t *testing.T) {
	for _, v := range vectors(t, "bad") {
		t.Run(v.name, func(t *testing.T) {
			m, err := ReadMessage(bytes.NewReader(v.frame), new(Buffer))
			var refusal *Error
			switch v.outcome {
			case "truncated":
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("message %v, error %v; want an unexpected end", m, err)
				}
			case string(CodeBadFrame):
				if !errors.As(err, &refusal) || refusal.Code != CodeBadFrame {
					t.Errorf("message %v, error %v; want %s", m, err, CodeBadFrame)
				}
			default:
				t.Errorf("unknown outcome %q", v.outcome)
			}
		})
	}
}
