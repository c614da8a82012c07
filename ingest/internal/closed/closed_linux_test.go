package closed

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Enter()
	os.Exit(m.Run())
}

var roomy = Limits{Time: 20 * time.Second, Memory: 1 << 30, Output: 1 << 20}

// sh runs a shell script in the closed process and returns what it wrote.
func sh(t *testing.T, limits Limits, script string) (string, *Result, error) {
	t.Helper()
	return program(t, limits, "/bin/sh", "-c", script)
}

func program(t *testing.T, limits Limits, name string, args ...string) (string, *Result, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(name + " is not installed")
	}
	out, err := File()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	result, err := Run(t.Context(), Command{Program: path, Args: args, Output: out, Limits: limits})
	text, failed := io.ReadAll(io.NewSectionReader(out, 0, 1<<30))
	if failed != nil {
		t.Fatal(failed)
	}
	return string(text), result, err
}

func TestAProgramSeesNothingOfTheMachine(t *testing.T) {
	t.Setenv("SEALDOCK_TEST", "secret")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("footage"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, result, err := sh(t, roomy, "set; pwd; echo x > /proc/self/fd/4; ulimit -c")
	if err != nil {
		t.Fatal(err, result)
	}
	if strings.Contains(out, "secret") {
		t.Errorf("it has an environment: %s", out)
	}
	for _, want := range []string{"limits", "no_new_privs", "seccomp"} {
		if !slices.Contains(result.Closed, want) {
			t.Errorf("%q is not in force: %q", want, result.Closed)
		}
	}
	t.Logf("in force: %q", result.Closed)
	if slices.Contains(result.Closed, "landlock") {
		if out, _, err := sh(t, roomy, "read -r line < "+secret+" && echo \"$line\""); err == nil || strings.Contains(out, "footage") {
			t.Errorf("it read a file: %q", out)
		}
		made := filepath.Join(filepath.Dir(secret), "made")
		if _, _, err := sh(t, roomy, "echo plain > "+made); err == nil {
			t.Error("it wrote a file")
		}
		if _, err := os.Stat(made); err == nil {
			t.Error("a file is there")
		}
	}
	if out, _, err := sh(t, roomy, "/bin/ls /; echo done"); !strings.HasSuffix(out, "done\n") && err == nil || strings.Contains(out, "etc") {
		t.Errorf("it ran another process: %q, %v", out, err)
	}
}

func TestAProgramReachesNoNetwork(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	out, result, err := program(t, roomy, "/usr/bin/python3", "-I", "-c", `
import socket
for kind in (socket.AF_INET, socket.AF_UNIX, socket.AF_NETLINK):
    try:
        socket.socket(kind); print("a socket")
    except OSError as e: print(e.errno)
`+"import os\ntry:\n    os.memfd_create('x'); print('memory')\nexcept OSError as e: print(e.errno)\ntry:\n    os.fork(); print('a fork')\nexcept OSError as e: print(e.errno)\nimport threading\nt = threading.Thread(target=lambda: print('thread')); t.start(); t.join()\n# "+port)
	if err != nil || out != "1\n1\n1\n1\n1\nthread\n" {
		t.Errorf("%q, %+v, %v", out, result, err)
	}
}

func TestLimitsBite(t *testing.T) {
	short := roomy
	short.Time = time.Second
	begun := time.Now()
	if _, _, err := sh(t, short, "while :; do :; done"); !errors.Is(err, ErrLimit) {
		t.Errorf("an endless loop: %v", err)
	}
	if _, _, err := program(t, short, "/bin/sleep", "60"); !errors.Is(err, ErrLimit) {
		t.Errorf("endless waiting: %v", err)
	}
	if time.Since(begun) > 15*time.Second {
		t.Errorf("it took %v", time.Since(begun))
	}
	out, result, err := sh(t, short, "while :; do echo 0123456789012345678901234567890123456789; done")
	if err == nil || uint64(len(out)) > roomy.Output {
		t.Errorf("%d bytes, %+v, %v", len(out), result, err)
	}
	if _, result, err := program(t, Limits{20 * time.Second, 200 << 20, 1 << 20}, "/usr/bin/python3", "-I", "-c", "x = bytearray(400 << 20)"); !errors.Is(err, ErrFailed) || !strings.Contains(result.Errors, "Memory") {
		t.Errorf("too much memory: %+v, %v", result, err)
	}
}

func TestAnInputCannotBeChanged(t *testing.T) {
	in, err := File()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.WriteString("original"); err != nil {
		t.Fatal(err)
	}
	if err := Seal(in); err != nil {
		t.Fatal(err)
	}
	out, err := File()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := Run(t.Context(), Command{Program: "/bin/sh", Args: []string{"-c", "read -r x < " + Input + "; echo \"$x\" > " + Output + "; echo bad > " + Input}, Input: in, Output: out, Limits: roomy}); !errors.Is(err, ErrFailed) {
		t.Errorf("writing to the input: %v", err)
	}
	for f, want := range map[*os.File]string{in: "original", out: "original\n"} {
		if have, _ := io.ReadAll(io.NewSectionReader(f, 0, 100)); string(have) != want {
			t.Errorf("%q, want %q", have, want)
		}
	}
}

func TestAnEndedContextEndsTheProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out, err := File()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := Run(ctx, Command{Program: "/bin/sh", Args: []string{"-c", "exec /bin/sleep 60"}, Output: out, Limits: roomy}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Run(t.Context(), Command{Program: "/no/such/program", Output: out, Limits: roomy}); err == nil {
		t.Error("a program that is not there ran")
	}
}
