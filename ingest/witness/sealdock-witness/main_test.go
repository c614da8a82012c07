package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/witness"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/internal/tlog/tlogtest"
)

const asProgram = "SEALDOCK_TEST_AS_PROGRAM"

// TestMain makes the test's own program the command, where a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	return c
}

func output(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
	return string(out)
}

// run starts the program and returns its address.
func run(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	c := command(t, "run", dir, "--listen", "127.0.0.1:0")
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	said, err := lines.ReadString('\n')
	found := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(said)
	if err != nil || found == nil {
		t.Fatalf("the witness said %q, %v", said, err)
	}
	go io.Copy(io.Discard, lines)
	return c, "http://" + found[1] + "/add-checkpoint"
}

// The program is killed 12 times while it is asked to cosign a log that grows: at each
// start it has at least what it answered, and at most what it was asked.
func TestAKilledProgramKeepsWhatItAnswered(t *testing.T) {
	const origin = "evidence.example.org/springfield"
	dir := t.TempDir()
	if key := output(t, "init", dir, "--name", "court.example.org/witness"); !strings.HasPrefix(key, "court.example.org/witness+") {
		t.Fatalf("init printed %q", key)
	}
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	signer, err := tlog.NewSigner(origin, private)
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := tlog.VerifierKey(origin, private.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	output(t, "add-log", dir, vkey)
	if out, err := command(t, "run", dir, "--listen", "0.0.0.0:0").CombinedOutput(); err == nil || !strings.Contains(string(out), "can be reached from other machines") {
		t.Errorf("without a certificate: %v, %s", err, out)
	}
	tiles := new(tlogtest.Memory)
	var answered, size int64
	request := func(ctx context.Context, old int64) []byte {
		if size == old {
			if size, _, err = tlog.Append(ctx, tiles, size, [][]byte{fmt.Append(nil, "entry ", size)}); err != nil {
				t.Fatal(err)
			}
		}
		root, err := tlog.Root(ctx, tiles, size)
		if err != nil {
			t.Fatal(err)
		}
		r := witness.Request{Old: old}
		if r.Checkpoint, err = tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: size, Root: root}, signer); err != nil {
			t.Fatal(err)
		}
		if old > 0 {
			if r.Proof, err = tlog.ProveConsistency(ctx, tiles, size, old); err != nil {
				t.Fatal(err)
			}
		}
		return r.Text()
	}
	for kill := range 12 {
		program, url := run(t, dir)
		for n := 0; ; n++ {
			body := request(t.Context(), answered)
			if n == kill {
				go program.Process.Kill() // somewhere in the next request
			}
			response, err := http.Post(url, "text/plain", bytes.NewReader(body))
			if err != nil {
				break
			}
			answer, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil {
				break
			}
			switch response.StatusCode {
			case http.StatusOK:
				answered = size
			case http.StatusConflict: // it had saved and not answered before it was killed
				var has int64
				if _, err := fmt.Sscan(string(answer), &has); err != nil || has < answered || has > size {
					t.Fatalf("after kill %d it has %q; %d was answered, %d asked", kill, answer, answered, size)
				}
				answered = has
			default:
				t.Fatalf("%s: %s", response.Status, answer)
			}
		}
		program.Process.Kill()
		program.Wait()
		var has int64
		shown := output(t, "show", dir)
		if _, err := fmt.Sscanf(shown[strings.Index(shown, origin):], origin+": %d entries", &has); err != nil || has < answered || has > size {
			t.Fatalf("after kill %d: %d was answered, %d asked; it shows %s (%v)", kill, answered, size, shown, err)
		}
	}
	if answered < 12 {
		t.Errorf("only %d heads were answered: this shows little", answered)
	}
}
