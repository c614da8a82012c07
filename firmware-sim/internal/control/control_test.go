package control_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/control"
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
)

func newSimulator(t *testing.T) *simulator.Simulator {
	t.Helper()
	s, err := simulator.New(t.Context(), simulator.Config{Cameras: 2, Files: 2, FileSize: 100, Seed: 1}, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve starts a simulator's control interface and returns its socket.
func serve(t *testing.T) string {
	t.Helper()
	s := newSimulator(t)
	socket := filepath.Join(t.TempDir(), "control.sock")
	l, err := control.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, l, control.Handler(s, slog.New(slog.DiscardHandler))) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return socket
}

func TestEverythingCanBeDoneByRemoteControl(t *testing.T) {
	c, ctx := control.NewClient(serve(t)), t.Context()
	bay := func() simulator.Bay {
		list, err := c.List(ctx)
		if err != nil || len(list) != 2 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	if b := bay(); b.BusID != "1-1" || !b.Plugged || len(b.Recordings) != 2 {
		t.Errorf("%+v", b)
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(c.Unplug(ctx, "1-1"))
	if bay().Plugged {
		t.Error("still plugged in")
	}
	do(c.Plug(ctx, "1-1"))
	made, err := c.Record(ctx, "1-1")
	do(err)
	if len(made) != 1 || made[0].Size != 100 {
		t.Errorf("recorded %+v", made)
	}
	f := fault.Fault{Kind: fault.Flip, Path: made[0].Path, At: 99, Bit: 3, Read: 2}
	do(c.Break(ctx, "1-1", f))
	if b := bay(); !b.Plugged || len(b.Recordings) != 3 || len(b.Faults) != 1 || b.Faults[0] != f {
		t.Errorf("%+v", b)
	}
	do(c.Clear(ctx, "1-1"))
	do(c.Urgent(ctx, "1-1", made[0].Path, true))
	if b := bay(); !b.Recordings[2].Urgent || b.Recordings[2].Number != 3 || b.Camera == nil || b.Camera.Agency != "" {
		t.Errorf("%+v", b)
	}
	do(c.Agency(ctx, "1-1", "elsewhere"))
	do(c.Behave(ctx, "1-1", simulator.Behaviour{RefuseConfirm: true}))
	do(c.Unplug(ctx, "1-1"))
	do(c.Restart(ctx, "1-1"))
	if b := bay(); !b.Camera.Locked || b.Camera.Agency != "elsewhere" || b.Camera.Boot != 2 {
		t.Errorf("%+v", b.Camera)
	}
	do(c.Agency(ctx, "1-1", ""))
	do(c.Remove(ctx, "1-1", made[0].Path))
	if b := bay(); len(b.Recordings) != 2 || len(b.Faults) != 0 {
		t.Errorf("%+v", b)
	}
}

func TestRefusalsReachTheUserInWords(t *testing.T) {
	c, ctx := control.NewClient(serve(t)), t.Context()
	for words, err := range map[string]error{"1-1, 1-2": c.Plug(ctx, "../x?y"), "no such recording": c.Remove(ctx, "1-1", "nothing"),
		"say which recording": c.Break(ctx, "1-1", fault.Fault{Kind: fault.Flip})} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want words %q", err, words)
		}
	}
	nobody := control.NewClient(filepath.Join(t.TempDir(), "none"))
	if err := nobody.Plug(ctx, "1-1"); err == nil || !strings.Contains(err.Error(), "is it running") {
		t.Errorf("%v", err)
	}
}

func TestBadRequestsAreAnsweredAsSuch(t *testing.T) {
	h := control.Handler(newSimulator(t), slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/bays", "", 200}, {"GET", "/nothing", "", 404}, {"POST", "/bays", "", 405}, {"POST", "/bays/9-9/plug", "", 404},
		{"POST", "/bays/1-1/agency", `{"name":"No Name"}`, 400}, {"POST", "/bays/1-1/urgent", `{"path":"x","urgent":true}`, 404},
		{"POST", "/bays/1-1/behave", `{"surprise":1}`, 400}, {"POST", "/bays/9-9/restart", "", 404},
		{"POST", "/bays/1-1/faults", "", 400}, {"POST", "/bays/1-1/faults", `{"kind":"stall","surprise":1}`, 400},
		{"POST", "/bays/1-1/faults", `{"kind":"explode"}`, 400}, {"POST", "/bays/1-1/faults", `{"kind":"stall"}`, 200},
		{"POST", "/bays/1-1/faults", `{"kind":"` + strings.Repeat("x", 100_000), 400}, {"POST", "/bays/1-1/remove", `{"path":"x"}`, 404},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.want {
			t.Errorf("%s %s %.40s: status %d %s, want %d", c.method, c.path, c.body, w.Code, bytes.TrimSpace(w.Body.Bytes()), c.want)
		}
	}
}

func TestTheSocketIsItsOwnersAlone(t *testing.T) {
	socket := serve(t)
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := control.Listen(t.Context(), socket); err == nil || !strings.Contains(err.Error(), "another simulator") {
		t.Errorf("second simulator on one socket: %v", err)
	}
	dead := filepath.Join(t.TempDir(), "dead.sock")
	l, err := control.Listen(t.Context(), dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
	l.Close()
	again, err := control.Listen(t.Context(), dead)
	if err != nil {
		t.Fatalf("the socket of a dead simulator: %v", err)
	}
	again.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(t.Context(), file); err == nil {
		t.Error("a file was taken for a socket")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Error("the file was touched")
	}
}
