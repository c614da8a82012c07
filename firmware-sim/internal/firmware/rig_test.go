package firmware_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// keeper is a Journal that remembers, or refuses.
type keeper struct {
	mu         sync.Mutex
	deleted    []string
	statements [][]byte
	memory     *firmware.Memory
	notes      []string
	refuse     bool
}

func (k *keeper) Deleted(_ string, r *firmware.Recording, _ time.Time, statement []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refuse {
		return errors.New("disk full")
	}
	k.deleted = append(k.deleted, r.Path)
	k.statements = append(k.statements, statement)
	return nil
}

func (k *keeper) Keep(_ string, m firmware.Memory) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refuse {
		return errors.New("disk full")
	}
	k.memory = &m
	return nil
}

func (k *keeper) Note(_, act, detail string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.notes = append(k.notes, act+": "+detail)
}

func (k *keeper) refusing(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refuse = on
}

func (k *keeper) kept() *firmware.Memory {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.memory
}

// rig is one camera on a bus.
type rig struct {
	camera *firmware.Camera
	server *bus.Server
	keeper *keeper
	dial   func() net.Conn
	passed atomic.Int64  // since noon
	back   chan struct{} // the camera is on the bus again after a restart
}

func (r *rig) now() time.Time { return noon.Add(time.Duration(r.passed.Load())) }

func (r *rig) pass(d time.Duration) { r.passed.Add(int64(d)) }

func standard() firmware.Settings {
	return firmware.Settings{Serial: "00112233445566778899aabbccddeeff", Manufacturer: "Sealdock", Model: "Test Camera",
		Firmware: "1.0", Counter: 10, FriendlyName: "Camera 1", Battery: 77, ClockError: 90 * time.Second,
		Extension: true, KeySeed: [32]byte{1}, Maker: maker().Public().(ed25519.PublicKey)}
}

func newRig(t testing.TB) *rig { return rigOf(t, standard(), nil) }

// rigOf is a camera with what it kept in an earlier life.
func rigOf(t testing.TB, settings firmware.Settings, memory *firmware.Memory) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	r := &rig{keeper: &keeper{}, server: bus.NewServer(log), back: make(chan struct{}, 1)}
	r.camera = firmware.New(settings, r.keeper, r.now, log)
	r.camera.OnRestart(func() {
		if err := errors.Join(r.server.Unplug("1-1"), r.server.Plug("1-1")); err != nil {
			t.Error(err)
		}
		r.back <- struct{}{}
	})
	if err := errors.Join(r.camera.Start(memory), r.server.Add("1-1", r.camera.Identity(), r.camera), r.server.Plug("1-1")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		served.Wait()
	})
	r.dial = func() net.Conn {
		near, far := net.Pipe()
		served.Go(func() { r.server.ServeConn(ctx, far) })
		return near
	}
	return r
}

// add puts synthetic recordings of those sizes into DCIM/100SEALD.
func (r *rig) add(t testing.TB, sizes ...int64) []*firmware.Recording {
	t.Helper()
	var list []*firmware.Recording
	for i, size := range sizes {
		name := "SYN0000" + string(rune('0'+i%10)) + ".BIN"
		rec := &firmware.Recording{
			Folders: []camera.Text{camera.NewText("DCIM"), camera.NewText("100SEALD")}, Name: camera.NewText(name),
			Path: "DCIM/100SEALD/" + name, Kind: evidence.KindVideo, Size: size, Captured: noon,
			Content: firmware.Synthetic{Seed: uint64(i) + 1, Size: size}, Started: noon, Ended: noon.Add(time.Minute),
		}
		if size < 16<<20 {
			rec.SHA256 = digest(t, rec)
		}
		if err := r.camera.Add(rec); err != nil {
			t.Fatal(err)
		}
		list = append(list, rec)
	}
	return list
}

func (r *rig) host(t testing.TB) *hosttest.Host { return hosttest.Import(t, r.dial, "1-1") }

// restarted waits for a camera that restarts, and opens a session.
func (r *rig) restarted(t testing.TB, h *hosttest.Host) *hosttest.Host {
	t.Helper()
	<-h.Gone()
	<-r.back
	return r.session(t)
}

// session imports the camera and opens a session.
func (r *rig) session(t testing.TB) *hosttest.Host {
	t.Helper()
	h := r.host(t)
	if err := h.OpenSession(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (r *rig) fault(t testing.TB, f fault.Fault) {
	t.Helper()
	if err := r.camera.Faults().Add(f); err != nil {
		t.Fatal(err)
	}
}

// do runs a transaction that has to succeed.
func do(t testing.TB, h *hosttest.Host, op camera.Operation, parameters ...uint32) hosttest.Answer {
	t.Helper()
	a, err := h.Do(op, parameters...)
	if err != nil {
		t.Fatalf("%v: %v", op, err)
	}
	if a.Code != camera.RespOK {
		t.Fatalf("%v: %v", op, a.Code)
	}
	return a
}

// refused runs a transaction that has to be answered with a certain code.
func refused(t testing.TB, h *hosttest.Host, code camera.Response, op camera.Operation, parameters ...uint32) {
	t.Helper()
	if a, err := h.Do(op, parameters...); err != nil || a.Code != code {
		t.Errorf("%v%v: %v, %v; want %v", op, parameters, a.Code, err, code)
	}
}

// find returns the handle of the object with that file name.
func find(t testing.TB, h *hosttest.Host, name string) uint32 {
	t.Helper()
	handles, err := h.Handles()
	if err != nil {
		t.Fatal(err)
	}
	for _, handle := range handles {
		if info, err := h.Info(handle); err == nil && info.Filename.String() == name {
			return handle
		}
	}
	t.Fatalf("no object is called %s", name)
	return 0
}

func digest(t testing.TB, r *firmware.Recording) [32]byte {
	t.Helper()
	reader, err := r.Content.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(reader, 0, r.Size)); err != nil {
		t.Fatal(err)
	}
	return [32]byte(sum.Sum(nil))
}

func part(t testing.TB, r *firmware.Recording, offset int64, n int) []byte {
	t.Helper()
	reader, err := r.Content.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	p := make([]byte, n)
	if _, err := reader.ReadAt(p, offset); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return p
}
