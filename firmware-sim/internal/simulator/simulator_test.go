package simulator_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/firmware-sim/internal/oracle"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/camera/usbip"
	"github.com/sealdock/sealdock/proto/evidence"
)

func now() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

// rig is a simulator that is being served.
type rig struct {
	*simulator.Simulator
	t      testing.TB
	config simulator.Config
	stop   func()
	served sync.WaitGroup
	ctx    context.Context
}

func start(t testing.TB, config simulator.Config) *rig {
	t.Helper()
	if config.ShiftStart.IsZero() {
		config.ShiftStart = now()
	}
	s, err := simulator.New(t.Context(), config, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Simulator: s, t: t, config: config}
	ctx, cancel := context.WithCancel(context.Background())
	r.ctx = ctx
	r.stop = sync.OnceFunc(func() {
		cancel()
		r.served.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *rig) dial() net.Conn {
	near, far := net.Pipe()
	r.served.Go(func() { r.Bus().ServeConn(r.ctx, far) })
	return near
}

func (r *rig) session(bay string) *hosttest.Host {
	r.t.Helper()
	h := hosttest.Import(r.t, r.dial, bay)
	if err := h.OpenSession(); err != nil {
		r.t.Fatal(err)
	}
	return h
}

// objects reads every recording of a camera as a host sees it: handle by digest.
func objects(t testing.TB, h *hosttest.Host) map[evidence.Digest]uint32 {
	t.Helper()
	handles, err := h.Handles()
	if err != nil {
		t.Fatal(err)
	}
	found := map[evidence.Digest]uint32{}
	for _, handle := range handles {
		info, err := h.Info(handle)
		if err != nil {
			t.Fatal(err)
		}
		if info.Format == camera.FormatAssociation {
			continue
		}
		a, err := h.Do(camera.OpGetObject, handle)
		if err != nil || a.Code != camera.RespOK {
			t.Fatalf("reading %q: %v, %v", info.Filename.String(), a.Code, err)
		}
		found[sha256.Sum256(a.Data)] = handle
	}
	return found
}

func (r *rig) bay(name string) simulator.Bay {
	r.t.Helper()
	for _, b := range r.List() {
		if b.BusID == name {
			return b
		}
	}
	r.t.Fatalf("no bay %s", name)
	return simulator.Bay{}
}

func synthetic(oraclePath string) simulator.Config {
	return simulator.Config{Cameras: 2, Files: 3, FileSize: 5000, Seed: 1, Oracle: oraclePath}
}

func TestWhatTheOracleSaysIsWhatTheHostReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	truth, err := oracle.Read(path)
	if err != nil || len(truth.Cameras) != 2 {
		t.Fatalf("%+v, %v", truth, err)
	}
	seen := map[evidence.Digest]bool{}
	for _, c := range truth.Cameras {
		if len(c.Serial) != 32 || !c.Plugged || len(c.Recordings) != 3 {
			t.Errorf("camera %+v", c)
		}
		found := objects(t, r.session(c.BusID))
		for _, rec := range c.Recordings {
			if _, ok := found[rec.SHA256]; !ok || seen[rec.SHA256] {
				t.Errorf("%s of %s: on the camera %t, seen before %t", rec.Path, c.Serial, ok, seen[rec.SHA256])
			}
			seen[rec.SHA256] = true
		}
	}
}

func TestDeletedRecordingsStayDeletedAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	serial := r.bay("1-1").Serial
	h := r.session("1-1")
	before := objects(t, h)
	var gone evidence.Digest
	for sum, handle := range before {
		if a, err := h.Do(camera.OpDeleteObject, handle); err != nil || a.Code != camera.RespOK {
			t.Fatal(a.Code, err)
		}
		gone = sum
		break
	}
	made, err := r.Record(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Break("1-1", fault.Fault{Kind: fault.Names, Variant: fault.VariantSurrogate}); err != nil {
		t.Fatal(err)
	}
	want := objects(t, h)
	r.stop()
	for range 2 {
		again := start(t, synthetic(path))
		if again.bay("1-1").Serial != serial {
			t.Fatal("another camera")
		}
		after := objects(t, again.session("1-1"))
		if _, back := after[gone]; back {
			t.Error("the deleted recording is back")
		}
		if _, ok := after[made[0].SHA256]; !ok || len(after) != len(want) {
			t.Errorf("%d recordings, want %d; the one recorded in the first run is there: %t", len(after), len(want), ok)
		}
		again.stop()
	}
}

func TestTheSameSeedGivesTheSameCameras(t *testing.T) {
	a, b := start(t, synthetic("")).List(), start(t, synthetic("")).List()
	other := synthetic("")
	other.Seed = 2
	c := start(t, other).List()
	if a[0].Serial != b[0].Serial || !slices.Equal(a[0].Recordings, b[0].Recordings) {
		t.Error("same seed, other camera")
	}
	if a[0].Serial == c[0].Serial || a[0].Recordings[0].SHA256 == c[0].Recordings[0].SHA256 || a[0].Serial == a[1].Serial {
		t.Error("other seed, same camera")
	}
}

func TestFootageIsMadeWithASidecarBesideEachClip(t *testing.T) {
	dir := t.TempDir()
	config := simulator.Config{Cameras: 2, Recordings: 1, ClipSize: 300 << 10, Seed: 1, Cache: filepath.Join(dir, "cache"), Oracle: filepath.Join(dir, "o.json")}
	r := start(t, config)
	made, err := r.Record(t.Context(), "1-2")
	if err != nil || len(made) != 2 {
		t.Fatal(made, err)
	}
	truth, err := oracle.Read(config.Oracle)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, rec := range truth.Cameras[1].Recordings {
		paths = append(paths, rec.Path)
		content, err := os.ReadFile(rec.ContentFile)
		if err != nil || evidence.SHA256(content) != rec.SHA256 || int64(len(content)) != rec.Size {
			t.Errorf("%s: content file %s does not agree: %v", rec.Path, rec.ContentFile, err)
		}
		var claims evidence.Claims
		if rec.Kind == evidence.KindMetadata && (json.Unmarshal(content, &claims) != nil || claims.Officer == "") {
			t.Errorf("%s is no sidecar", rec.Path)
		}
		if rec.Kind == evidence.KindVideo && !bytes.Contains(content[:64], []byte("ftyp")) {
			t.Errorf("%s is no MP4", rec.Path)
		}
	}
	if got := strings.Join(paths, " "); got != "DCIM/100SEALD/BWC00001.MP4 DCIM/100SEALD/BWC00001.JSON DCIM/100SEALD/BWC00002.MP4 DCIM/100SEALD/BWC00002.JSON" {
		t.Errorf("recordings: %s", got)
	}
	if len(objects(t, r.session("1-2"))) != 4 {
		t.Error("the host does not see four recordings")
	}
}

func TestReadyFilesAreDealtOutByteForByte(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.mp4": "clip a", "a.json": "about a", "b.mp4": "clip b", "sub/c.bin": "c"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	paths := func(b simulator.Bay) (list []string) {
		for _, r := range b.Recordings {
			list = append(list, r.Path)
		}
		return list
	}
	spread := start(t, simulator.Config{Cameras: 2, Folder: dir})
	if got := paths(spread.bay("1-1")); !slices.Equal(got, []string{"DCIM/100SEALD/a.json", "DCIM/100SEALD/a.mp4", "DCIM/100SEALD/sub/c.bin"}) {
		t.Errorf("first camera: %v", got)
	}
	if got := paths(spread.bay("1-2")); !slices.Equal(got, []string{"DCIM/100SEALD/b.mp4"}) {
		t.Errorf("second camera: %v", got)
	}
	if _, ok := objects(t, spread.session("1-2"))[evidence.SHA256([]byte("clip b"))]; !ok {
		t.Error("the bytes differ")
	}
	all := start(t, simulator.Config{Cameras: 2, Folder: dir, FolderAll: true})
	if len(all.bay("1-1").Recordings) != 4 || len(all.bay("1-2").Recordings) != 4 {
		t.Error("not every camera has all files")
	}
	if _, err := simulator.New(t.Context(), simulator.Config{Cameras: 1, Folder: t.TempDir()}, now, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an empty folder was taken")
	}
}

func TestHostileNamesAreRealRecordings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	if err := r.Break("1-1", fault.Fault{Kind: fault.Names, Variant: fault.VariantAll}); err != nil {
		t.Fatal(err)
	}
	truth, err := oracle.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	found := objects(t, r.session("1-1"))
	longest := 0
	for _, rec := range truth.Cameras[0].Recordings {
		if _, ok := found[rec.SHA256]; !ok {
			t.Errorf("%q is not on the camera", rec.Path)
		}
		if strings.ContainsAny(rec.Path, "\x00\x1b\n") || slices.Contains(strings.Split(rec.Path, "/"), "..") {
			t.Errorf("the oracle's path %q is not safe to show", rec.Path)
		}
		longest = max(longest, len(rec.Path))
	}
	if longest < 4096 || len(found) < 15 {
		t.Errorf("longest path %d bytes, %d recordings", longest, len(found))
	}
}

func TestPullsByHandAndByFaultAreInTheOracle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	h := r.session("1-1")
	if b := r.bay("1-1"); !b.Plugged || !b.Imported {
		t.Errorf("%+v", b)
	}
	if err := r.Unplug("1-1"); err != nil {
		t.Fatal(err)
	}
	<-h.Gone()
	if err := r.Plug("1-1"); err != nil {
		t.Fatal(err)
	}
	h = r.session("1-1")
	if err := r.Break("1-1", fault.Fault{Kind: fault.Unplug, At: 100}); err != nil {
		t.Fatal(err)
	}
	if faults := r.bay("1-1").Faults; len(faults) != 1 {
		t.Errorf("faults %v", faults)
	}
	for _, handle := range []uint32{3, 4} {
		if _, err := h.Do(camera.OpGetObject, handle); err != nil {
			break
		}
	}
	<-h.Gone()
	if _, status := hosttest.TryImport(t, r.dial(), "1-1"); status != usbip.OpNoDevice {
		t.Errorf("import after the fault: %v", status)
	}
	truth, err := oracle.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	for _, e := range truth.Cameras[0].Log {
		acts = append(acts, strings.TrimSpace(e.Act+" "+strings.SplitN(e.Detail, "{", 2)[0]))
	}
	if got := strings.Join(acts, ", "); got != "plugged by hand, unplugged by hand, plugged by hand, fault, unplugged by a fault" {
		t.Errorf("log: %s", got)
	}
	if truth.Cameras[0].Plugged {
		t.Error("the oracle says plugged")
	}
	if err := r.Clear("1-1"); err != nil {
		t.Fatal(err)
	}
}

func TestWrongRequestsAreRefusedInWords(t *testing.T) {
	r := start(t, synthetic(""))
	_, recordErr := r.Record(t.Context(), "9-9")
	for what, err := range map[string]error{"plug": r.Plug("9-9"), "unplug": r.Unplug("9-9"), "record": recordErr, "clear": r.Clear("9-9"),
		"remove": r.Remove("9-9", "x"), "fault": r.Break("9-9", fault.Fault{Kind: fault.Unplug})} {
		if !errors.Is(err, simulator.ErrNoBay) || !strings.Contains(err.Error(), "1-1, 1-2") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := r.Break("1-1", fault.Fault{Kind: fault.Unplug, Path: "nothing"}); !errors.Is(err, simulator.ErrNoRecording) {
		t.Errorf("fault on no recording: %v", err)
	}
	if err := r.Remove("1-1", "nothing"); !errors.Is(err, simulator.ErrNoRecording) {
		t.Errorf("removing nothing: %v", err)
	}
	if err := r.Break("1-1", fault.Fault{Kind: "x"}); !errors.Is(err, fault.ErrScript) {
		t.Errorf("%v", err)
	}
	first := r.bay("1-1").Recordings[0].Path
	if err := r.Remove("1-1", first); err != nil || len(r.bay("1-1").Recordings) != 2 {
		t.Errorf("removing %s: %v", first, err)
	}
	for _, c := range []simulator.Config{{}, {Cameras: 201}, {Cameras: 1}, {Cameras: 1, Recordings: -1}, {Cameras: 1, Files: 2_000_000},
		{Cameras: 1, Files: 1, FileSize: -1}, {Cameras: 1, Files: 1, Folder: "x"}, {Cameras: 1, Files: 1, ClockDrift: 3}} {
		if _, err := simulator.New(t.Context(), c, now, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
