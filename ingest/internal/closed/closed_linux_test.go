package closed

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

var usual = Limits{CPU: 10 * time.Second, Wall: 20 * time.Second, Memory: 1 << 32, Output: 1 << 20}

// shell runs a script with one file in memory as descriptor 3, and returns what is in
// that afterwards.
func shell(t *testing.T, script string, limits Limits) (string, error) {
	t.Helper()
	out, err := Memory("out", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	err = Run(t.Context(), "/bin/sh", []string{"-c", script}, []*os.File{out}, limits)
	text := make([]byte, 1<<16)
	n, _ := out.ReadAt(text, 0)
	return string(text[:n]), err
}

func TestAProgramGetsItsFilesAndNothingElse(t *testing.T) {
	t.Setenv("SECRET", "of the server")
	t.Logf("walls: %v", Walls())
	private := filepath.Join(t.TempDir(), "private")
	if err := os.WriteFile(private, []byte("evidence"), 0o644); err != nil {
		t.Fatal(err)
	}
	stranger, err := os.Open(private)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	text, err := shell(t, `echo begun >/proc/self/fd/3; exec 3>>/proc/self/fd/3; env >&3; pwd >&3; echo end >&3`, usual)
	if err != nil || !strings.Contains(text, "begun") || !strings.Contains(text, "end") || strings.Contains(text, "SECRET") {
		t.Errorf("%q, %v", text, err)
	}
	if present().land {
		if text, err := shell(t, `cat `+private+` >&3 2>&3 || echo refused >&3; echo x >/tmp/sealdock-closed 2>/dev/null || echo refused >&3`, usual); err != nil || strings.Contains(text, "evidence") || strings.Count(text, "refused") != 2 {
			t.Errorf("files: %q, %v", text, err)
		}
	}
	if present().spaces {
		if text, err := shell(t, `cat /proc/net/dev >&3`, usual); err == nil && strings.Contains(text, "eth") {
			t.Errorf("a network: %q", text)
		}
	}
}

func TestALimitEndsAProgram(t *testing.T) {
	quick := usual
	quick.CPU = time.Second
	if _, err := shell(t, `while :; do :; done`, quick); !errors.Is(err, ErrLimit) {
		t.Errorf("processor time: %v", err)
	}
	quick = usual
	quick.Wall = 200 * time.Millisecond
	if _, err := shell(t, `sleep 60`, quick); !errors.Is(err, ErrLimit) {
		t.Errorf("time: %v", err)
	}
	small := usual
	small.Output = 1000
	if _, err := shell(t, `exec dd if=/dev/zero bs=4096 count=10 >&3`, small); err == nil {
		t.Error("it wrote more than it may")
	}
	small = usual
	small.Memory = 16 << 20
	if _, err := shell(t, `exec `+tail(t)+` -c 100000000 /dev/zero`, small); err == nil {
		t.Error("it took more memory than it may")
	}
	if _, err := shell(t, `echo what went wrong >&2; exit 3`, usual); err == nil || !strings.Contains(err.Error(), "what went wrong") {
		t.Errorf("its last words: %v", err)
	}
}

func tail(t *testing.T) string {
	path, err := exec.LookPath("tail")
	if err != nil {
		t.Skip(err)
	}
	return path
}
