package daemon

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/agent/internal/enrol/enroltest"
	"github.com/sealdock/sealdock/agent/internal/offload"
	"github.com/sealdock/sealdock/agent/internal/spool"
	uploader "github.com/sealdock/sealdock/agent/internal/upload"
	"github.com/sealdock/sealdock/internal/conf"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/upload"
)

// enrolled gives a configuration whose data folder belongs to a dock. Its
// server answers no uploads.
func enrolled(t *testing.T) Config {
	t.Helper()
	config := Default()
	config.Data = t.TempDir()
	s := enroltest.New(t, "riverton")
	if _, err := enrol.Enrol(t.Context(), enrol.Request{Server: s.URL, Token: s.Token, Data: config.Data, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	config.Server.Address, config.Page.Address = "127.0.0.1:1", ""
	config.Cameras.USB, config.Cameras.Storage, config.Cameras.USBIP = false, false, []string{filepath.Join(config.Data, "no-such-server")}
	return config
}

// start runs the agent; stop ends it and returns its error.
func start(t *testing.T, config Config) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, config, "test", time.Now, slog.New(slog.DiscardHandler)) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { stop() })
	return stop
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !ok() {
		tick := time.NewTimer(20 * time.Millisecond)
		select {
		case <-deadline:
			t.Fatalf("never came true: %s", what)
		case <-tick.C:
		}
	}
}

func TestTheAgentTellsHowItDoesAndStopsInOrder(t *testing.T) {
	config := enrolled(t)
	if _, err := FetchStatus(t.Context(), config.Data); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("status before the start: %v", err)
	}
	stop := start(t, config)
	var status *Status
	until(t, "the status says that the server is not reached", func() bool {
		var err error
		status, err = FetchStatus(t.Context(), config.Data)
		return err == nil && strings.Contains(status.Server.Message, "not reached")
	})
	if status.Agency != "riverton" || status.Dock != "front-desk" || status.Version != "test" || status.Bays == nil || status.Server.Connected {
		t.Errorf("status %+v", status)
	}
	if err := stop(); err != nil {
		t.Fatalf("the stop: %v", err)
	}
	if _, err := FetchStatus(t.Context(), config.Data); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("status after the stop: %v", err)
	}
	stop = start(t, config)
	until(t, "it runs again", func() bool { _, err := FetchStatus(t.Context(), config.Data); return err == nil })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestASocketLeftByACrashIsNoObstacle(t *testing.T) {
	config := enrolled(t)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketPath(config.Data)})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	if _, err := FetchStatus(t.Context(), config.Data); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("a dead socket: %v", err)
	}
	start(t, config)
	until(t, "it answers", func() bool { _, err := FetchStatus(t.Context(), config.Data); return err == nil })
}

func TestFilesLeftUnfinishedByACrashAreGoneAfterAStart(t *testing.T) {
	config := enrolled(t)
	left := filepath.Join(config.Data, "identity", durable.TempPrefix+"LEFT")
	before := time.Now().Add(-2 * durable.UnfinishedAge)
	if err := errors.Join(os.WriteFile(left, []byte("half"), 0o600), os.Chtimes(left, before, before)); err != nil {
		t.Fatal(err)
	}
	stop := start(t, config)
	until(t, "it runs", func() bool { _, err := FetchStatus(t.Context(), config.Data); return err == nil })
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished file is still there: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestASecondAgentIsRefusedInPlainWords(t *testing.T) {
	config := enrolled(t)
	start(t, config)
	until(t, "the first runs", func() bool { _, err := FetchStatus(t.Context(), config.Data); return err == nil })
	err := Run(t.Context(), config, "test", time.Now, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "another agent runs on this data folder") {
		t.Fatalf("a second agent: %v", err)
	}
}

func TestAnUnenrolledDockSaysWhatToDo(t *testing.T) {
	config := Default()
	config.Data = filepath.Join(t.TempDir(), "nothing-here")
	err := Run(t.Context(), config, "test", time.Now, slog.New(slog.DiscardHandler))
	if !errors.Is(err, enrol.ErrNotEnrolled) || !strings.Contains(err.Error(), "sealdock-agent enrol") {
		t.Fatalf("without enrolment: %v", err)
	}
	if _, err := os.Stat(config.Data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data folder was made all the same: %v", err)
	}
}

func TestTheDefaultConfigurationIsSoundAndShowsAsItLoads(t *testing.T) {
	config := Default()
	if err := config.Check(); err != nil {
		t.Fatal(err)
	}
	config.Cameras.USBIP = []string{"unix:/run/cameras", "10.0.0.1:3240"}
	config.Copying.ReadTimeout = 45 * time.Second
	var text strings.Builder
	if err := conf.Show(&text, &config); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "agent.toml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded := Default()
	if err := conf.Load(path, &loaded); err != nil {
		t.Fatal(err)
	}
	if loaded.Copying != config.Copying || len(loaded.Cameras.USBIP) != 2 {
		t.Errorf("loaded %+v", loaded)
	}
	for name, spoil := range map[string]func(*Config){
		"data":                 func(c *Config) { c.Data = "" },
		"cameras.usb":          func(c *Config) { c.Cameras.USB, c.Cameras.Storage = false, false },
		"cameras.poll":         func(c *Config) { c.Cameras.Poll = 0 },
		"copying.bays":         func(c *Config) { c.Copying.Bays = 0 },
		"copying.read_timeout": func(c *Config) { c.Copying.ReadTimeout = 0 },
		"copying.relist":       func(c *Config) { c.Copying.Relist = -1 },
		"server.in_flight":     func(c *Config) { c.Server.InFlight = 1000 },
		"server.longest_pause": func(c *Config) { c.Server.Longest = 0 },
		"server.address":       func(c *Config) { c.Server.Address = "no port" },
		"metrics.address":      func(c *Config) { c.Metrics.Address = "9100" },
	} {
		c := Default()
		spoil(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a bad %s: %v", name, err)
		}
	}
}

// fakeDoor shows the bays that a test says. Its cameras are empty.
type fakeDoor struct {
	lost func(port string, opening int) bool // which openings find the camera gone at its listing

	mu      sync.Mutex // guards all below
	ports   []string
	fail    error
	looks   int
	opened  map[string]int
	serving map[string]int
	ended   map[string]chan struct{} // of the newest opening of each port
}

func (b *fakeDoor) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *fakeDoor) Devices(context.Context) ([]camera.Location, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks++
	var out []camera.Location
	for _, p := range b.ports {
		out = append(out, camera.Location{Source: "fake", Port: p})
	}
	return out, b.fail
}

func (b *fakeDoor) Open(_ context.Context, at camera.Location) (camera.Link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened[at.Port]++
	b.serving[at.Port]++
	b.ended[at.Port] = make(chan struct{})
	return emptyLink{b, at.Port, b.lost(at.Port, b.opened[at.Port]), b.ended[at.Port]}, nil
}

// emptyLink is a camera without recordings.
type emptyLink struct {
	bus   *fakeDoor
	port  string
	lost  bool // the listing finds the camera gone
	ended chan struct{}
}

func (l emptyLink) Watch(ctx context.Context) error {
	select {
	case <-l.ended:
		return camera.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l emptyLink) Identity(context.Context) (camera.Identity, error) {
	return camera.Identity{Serial: "CAM-" + l.port, Battery: 50}, nil
}

func (l emptyLink) List(context.Context) ([]camera.Object, []camera.Warning, error) {
	if l.lost {
		return nil, nil, camera.ErrGone
	}
	return nil, nil, nil
}

func (l emptyLink) ReadAt(context.Context, camera.Object, int64, []byte) (int, error) {
	return 0, io.EOF
}

func (l emptyLink) Delete(context.Context, camera.Object) error { return nil }

func (l emptyLink) Close() error {
	l.bus.set(func() { l.bus.serving[l.port]-- })
	return nil
}

// newWorld gives bays over a fake bus; lost says which openings find the camera
// gone.
func newWorld(t *testing.T, lost func(port string, opening int) bool) (*bays, *fakeDoor) {
	t.Helper()
	return newHearingWorld(t, lost, nil)
}

func newHearingWorld(t *testing.T, lost func(port string, opening int) bool, heard ear) (*bays, *fakeDoor) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := spool.Open(t.Context(), spool.Options{Dir: t.TempDir(), Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	private, err := seal.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		t.Fatal(err)
	}
	desk := offload.New(offload.Options{Spool: s, Agency: "riverton", Station: "north", Dock: "front-desk", AgencyKey: private.Public(), Signer: key, Now: time.Now, Log: log})
	b := newBays(desk, 10*time.Millisecond, time.Now, log)
	bus := &fakeDoor{lost: lost, opened: map[string]int{}, serving: map[string]int{}, ended: map[string]chan struct{}{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = b.watch(ctx, bus, heard) }()
	t.Cleanup(func() { cancel(); <-done; s.Close() })
	return b, bus
}

func stateOf(b *bays, port string) offload.Status {
	for _, s := range b.status() {
		if s.Port == port {
			return s
		}
	}
	return offload.Status{}
}

func TestBaysFollowWhatTheBusShows(t *testing.T) {
	b, bus := newWorld(t, func(string, int) bool { return false })
	bus.set(func() { bus.ports = []string{"1-1", "1-2"} })
	until(t, "both done", func() bool {
		return stateOf(b, "1-1").State == upload.BayDone && stateOf(b, "1-2").State == upload.BayDone
	})
	bus.set(func() { bus.fail = errors.New("the bus is out of order"); bus.ports = nil })
	bus.set(func() { bus.fail = nil; bus.ports = []string{"1-2"} })
	until(t, "the first empty", func() bool { return stateOf(b, "1-1").State == upload.BayEmpty })
	if stateOf(b, "1-2").CameraSerial != "CAM-1-2" {
		t.Error("the other bay was disturbed")
	}
	bus.set(func() {
		if bus.serving["1-1"] != 0 {
			t.Error("the link of a camera that left is still open")
		}
		bus.ports = []string{"1-1", "1-2"}
	})
	until(t, "the first is back", func() bool { return stateOf(b, "1-1").State == upload.BayDone })
}

func TestACameraThatComesAndGoesHoldsUpItsOwnBayAlone(t *testing.T) {
	b, bus := newWorld(t, func(port string, opening int) bool { return port == "1-1" && opening < 3 })
	bus.set(func() { bus.ports = []string{"1-1", "1-2"} })
	until(t, "the steady one is done", func() bool { return stateOf(b, "1-2").State == upload.BayDone })
	until(t, "the other is done in the end", func() bool { return stateOf(b, "1-1").State == upload.BayDone })
	bus.set(func() {
		if bus.opened["1-1"] != 3 || bus.opened["1-2"] != 1 {
			t.Errorf("openings: %v", bus.opened)
		}
	})
}

// Between two scans a camera may leave and another come: the bus shows the same.
func TestACameraReplacedBetweenTwoScansIsMetWithinASecond(t *testing.T) {
	b, bus := newWorld(t, func(string, int) bool { return false })
	bus.set(func() { bus.ports = []string{"1-1"} })
	for opening := 2; opening < 5; opening++ {
		until(t, "done", func() bool { return stateOf(b, "1-1").State == upload.BayDone })
		began := time.Now()
		bus.set(func() { close(bus.ended["1-1"]) })
		until(t, "it is opened anew", func() bool { bus.mu.Lock(); defer bus.mu.Unlock(); return bus.opened["1-1"] == opening })
		if took := time.Since(began); took > time.Second {
			t.Errorf("opening %d took %v", opening, took)
		}
	}
}

func TestEveryReportFitsTheProtocol(t *testing.T) {
	b, bus := newWorld(t, func(string, int) bool { return false })
	var ports []string
	for i := range 3 {
		ports = append(ports, string(rune(0x61+i))+strings.Repeat("1-\u202e\x1b", 100))
	}
	bus.set(func() { bus.ports = ports })
	until(t, "all there", func() bool {
		all := b.status()
		return len(all) == 3 && all[0].State == upload.BayDone && all[2].State == upload.BayDone
	})
	s, err := spool.Open(t.Context(), spool.Options{Dir: t.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := &agent{bays: b, spool: s, now: time.Now, identity: &enrol.Enrolment{}, uploader: idle(s)}
	report := a.report()
	if err := report.Validate(); err != nil || len(report.Bays) != 3 {
		t.Fatalf("report of %d bays: %v", len(report.Bays), err)
	}
}

// idle is an uploader that does not run.
func idle(s *spool.Spool) *uploader.Uploader {
	return uploader.New(uploader.Options{Spool: s, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
}

var _ camera.Link = emptyLink{}
