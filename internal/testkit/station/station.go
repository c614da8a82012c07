package station

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Programs are the paths of the built programs.
type Programs struct{ Agent, Ingest, Simulator string }

// In returns the programs in a folder, as make build leaves them.
func In(bin string) (Programs, error) {
	p := Programs{
		Agent: filepath.Join(bin, "sealdock-agent"), Ingest: filepath.Join(bin, "sealdock-ingest"),
		Simulator: filepath.Join(bin, "firmware-sim"),
	}
	for _, path := range []string{p.Agent, p.Ingest, p.Simulator} {
		if _, err := os.Stat(path); err != nil {
			return p, fmt.Errorf("%w: run make build first", err)
		}
	}
	return p, nil
}

// Options are what a station may differ in.
type Options struct {
	Catalog   string // "" for SQLite in the data folder, or postgres://…
	IngestDir string // "" for below the station's folder; must not exist yet
	AgentDir  string // "" for below the station's folder

	// Name is the host name that the set-up link and passkeys are for; "" for the
	// address alone. It must lead to the loopback.
	Name string

	// Link has the server in its server's namespace, dock and simulator in its
	// client's; nil: all on this machine's loopback.
	Link *netlab.Lab
}

// Station is one server, one dock and one simulator in a folder.
type Station struct {
	Dir       string
	Programs  Programs
	Options   Options
	SetupLink string // as init printed it
	Web       string // https://127.0.0.1:PORT, or the address on the link

	Ingest, Agent, Simulator *Process // nil before their start

	quic, https, usbip string
}

// Agency, StationName and DockName are what every station of this kit uses.
const (
	Agency      = "metro-pd"
	StationName = "north"
	DockName    = "north-1"
)

// New makes a server in dir (sealdock-ingest init) and starts nothing.
func New(ctx context.Context, dir string, programs Programs, options Options) (*Station, error) {
	s := &Station{Dir: dir, Programs: programs, Options: options}
	if s.Options.IngestDir == "" {
		s.Options.IngestDir = filepath.Join(dir, "ingest")
	}
	if s.Options.AgentDir == "" {
		s.Options.AgentDir = filepath.Join(dir, "agent")
	}
	for _, address := range []*string{&s.https, &s.usbip, &s.quic} {
		free, chosen, err := FreeAddress()
		if err != nil {
			return nil, err
		}
		defer free() // held until all are chosen, so that they differ
		*address = chosen
	}
	if s.Options.Link != nil { // the ports are as free in a namespace of its own
		for _, address := range []*string{&s.https, &s.quic} {
			_, port, _ := strings.Cut(*address, ":")
			*address = net.JoinHostPort(s.Options.Link.Server.Address, port)
		}
	}
	s.Web = "https://" + s.https

	args := []string{"init", s.Options.IngestDir, "--agency", Agency, "--listen-quic", s.quic, "--listen-https", s.https}
	if options.Name != "" {
		args = append(args, "--host", options.Name)
	}
	args = append(args, "--host", "127.0.0.1", "--host", "localhost")
	if s.Options.Link != nil {
		args = append(args, "--host", s.Options.Link.Server.Address)
	}
	if options.Catalog != "" {
		args = append(args, "--catalog", options.Catalog)
	}
	out, err := s.call(ctx, programs.Ingest, args...)
	if err != nil {
		return nil, err
	}
	s.SetupLink = regexp.MustCompile(`https://\S*/setup\S*`).FindString(out)
	if s.SetupLink == "" {
		return nil, fmt.Errorf("sealdock-ingest init printed no set-up link:\n%s", out)
	}
	return s, nil
}

// FreeAddress chooses a loopback address that is free for TCP and UDP, and holds it
// until free is called. It is below the ports that systems give to connections, one
// of which could take it in the meantime.
func FreeAddress() (free func(), address string, err error) {
	const low, high, tries = 20_000, 32_000, 100
	for range tries {
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(low+rand.IntN(high-low)))
		var l net.Listener
		if l, err = net.Listen("tcp", address); err != nil {
			continue
		}
		var u net.PacketConn
		if u, err = net.ListenPacket("udp", address); err != nil {
			l.Close()
			continue
		}
		return func() { l.Close(); u.Close() }, address, nil
	}
	return nil, "", fmt.Errorf("no free port in %d tries: %w", tries, err)
}

func (s *Station) oraclePath() string   { return filepath.Join(s.Dir, "oracle.json") }
func (s *Station) controlPath() string  { return s.ControlSocket() }
func (s *Station) ingestConfig() string { return filepath.Join(s.Options.IngestDir, "ingest.toml") }

// ControlSocket is where firmware-sim ctl reaches the simulator.
func (s *Station) ControlSocket() string { return filepath.Join(s.Dir, "sim.sock") }

// AgentDir is the agent's data folder.
func (s *Station) AgentDir() string { return s.Options.AgentDir }

// LogPath is where the process with that name writes its output.
func (s *Station) LogPath(name string) string { return filepath.Join(s.Dir, name+".log") }

// atServer and atDock are where their programs start.
func (s *Station) atServer() in {
	if s.Options.Link == nil {
		return nil
	}
	return s.Options.Link.Server.Start
}

func (s *Station) atDock() in {
	if s.Options.Link == nil {
		return nil
	}
	return s.Options.Link.Client.Start
}

// call runs a command to its end and returns its standard output.
func (s *Station) call(ctx context.Context, program string, args ...string) (string, error) {
	return s.callIn(ctx, nil, program, args...)
}

func (s *Station) callIn(ctx context.Context, where in, program string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := where.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// StartIngest starts the server and waits until its dashboard answers.
func (s *Station) StartIngest(ctx context.Context) (err error) {
	s.Ingest, err = start(s.atServer(), "ingest", s.LogPath("ingest"), s.Programs.Ingest, "run", "--config", s.ingestConfig())
	if err != nil {
		return err
	}
	return s.await(ctx, s.Ingest, func() bool { return s.accepts(s.https) })
}

// StartSimulator starts the simulator with its USB/IP address, control socket
// and oracle set, and waits until its cameras are made and offered. Unless args
// speak of the extension, the cameras have none: of those that have one, nothing
// is erased before somebody has approved their keys.
func (s *Station) StartSimulator(ctx context.Context, args ...string) (err error) {
	before, _ := os.Stat(s.LogPath("simulator"))
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasSuffix(arg, "extension") || strings.HasPrefix(arg, "--plain") }) {
		args = append([]string{"--no-extension"}, args...)
	}
	args = append([]string{"run", "--listen", s.usbip, "--control", s.controlPath(), "--oracle", s.oraclePath()}, args...)
	s.Simulator, err = start(s.atDock(), "simulator", s.LogPath("simulator"), s.Programs.Simulator, args...)
	if err != nil {
		return err
	}
	var skip int64
	if before != nil {
		skip = before.Size()
	}
	return s.await(ctx, s.Simulator, func() bool {
		text, err := os.ReadFile(s.Simulator.Log)
		return err == nil && int64(len(text)) > skip && bytes.Contains(text[skip:], []byte("\nready "))
	})
}

// Enrol makes a token at the server and enrols the dock with it. The server
// must be running.
func (s *Station) Enrol(ctx context.Context) error {
	token, err := s.call(ctx, s.Programs.Ingest, "dock-token", "--config", s.ingestConfig(), "--station", StationName, "--dock", DockName)
	if err != nil {
		return err
	}
	_, err = s.callIn(ctx, s.atDock(), s.Programs.Agent, "enrol", "--server", s.Web, "--token", strings.TrimSpace(token), "--data", s.AgentDir(), "--usbip", s.usbip)
	return err
}

// StartAgent starts the dock's agent and waits until it tells its status.
func (s *Station) StartAgent(ctx context.Context) (err error) {
	s.Agent, err = start(s.atDock(), "agent", s.LogPath("agent"), s.Programs.Agent, "run", "--data", s.AgentDir())
	if err != nil {
		return err
	}
	return s.await(ctx, s.Agent, func() bool {
		_, err := s.Status(ctx)
		return err == nil
	})
}

// Status returns what sealdock-agent status prints for machines.
func (s *Station) Status(ctx context.Context) (string, error) {
	return s.call(ctx, s.Programs.Agent, "status", "--data", s.AgentDir(), "--json")
}

// Drained reports whether every recording has left its camera.
func (s *Station) Drained() (bool, string) {
	o, err := s.Oracle()
	if err != nil {
		return false, err.Error()
	}
	n, bytes := o.Left()
	return n == 0, fmt.Sprintf("%d recordings (%d bytes) are still on their cameras", n, bytes)
}

// Control runs firmware-sim ctl.
func (s *Station) Control(ctx context.Context, args ...string) (string, error) {
	args = append([]string{"ctl", args[0], "--control", s.controlPath()}, args[1:]...)
	return s.call(ctx, s.Programs.Simulator, args...)
}

// Operate runs a command of sealdock-ingest, as the server's operator would.
func (s *Station) Operate(ctx context.Context, args ...string) (string, error) {
	return s.call(ctx, s.Programs.Ingest, append(args, "--config", s.ingestConfig())...)
}

// Sim runs a command of firmware-sim that needs no simulator.
func (s *Station) Sim(ctx context.Context, args ...string) (string, error) {
	return s.call(ctx, s.Programs.Simulator, args...)
}

// await waits until ready or until the process has ended.
func (s *Station) await(ctx context.Context, p *Process, ready func() bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.Ended():
			cancel(errors.New("it ended"))
		case <-ctx.Done():
		}
	}()
	if err := Wait(ctx, func() (bool, string) { return ready(), "not ready" }); err != nil {
		return fmt.Errorf("waiting for %s: %w (%w); its last words:\n%s", p.Name, err, context.Cause(ctx), p.Tail(20))
	}
	return nil
}

// accepts reports whether the server takes connections.
func (s *Station) accepts(address string) bool {
	var c net.Conn
	var err error
	dial := func() { c, err = net.DialTimeout("tcp", address, time.Second) }
	if s.Options.Link != nil {
		s.Options.Link.Server.Do(dial)
	} else {
		dial()
	}
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// Item is one line of sealdock-ingest items --json.
type Item struct {
	ID            evidence.EvidenceID `json:"id"`
	Attempt       uint32              `json:"attempt"`
	Camera        string              `json:"camera"`
	Path          string              `json:"path"`
	Kind          evidence.Kind       `json:"kind"`
	Length        int64               `json:"length"`
	SHA256        evidence.Digest     `json:"sha256"`
	MerkleRoot    evidence.Digest     `json:"merkle_root"`
	State         string              `json:"state"`
	Reason        string              `json:"reason"`
	StoredAt      time.Time           `json:"stored_at"`
	ErasedAt      time.Time           `json:"erased_at"`
	ReleaseResult string              `json:"release_result"`
	Manifest      *evidence.Envelope  `json:"manifest"`
	Receipt       *evidence.Envelope  `json:"receipt"`
}

// Items asks the server's catalog for all its items.
func (s *Station) Items(ctx context.Context) ([]Item, error) {
	out, err := s.call(ctx, s.Programs.Ingest, "items", "--config", s.ingestConfig(), "--json")
	if err != nil {
		return nil, err
	}
	var items []Item
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var i Item
		if err := json.Unmarshal(lines.Bytes(), &i); err != nil {
			return nil, fmt.Errorf("reading the server's item list: %w", err)
		}
		items = append(items, i)
	}
	return items, lines.Err()
}

// Fsck runs sealdock-ingest fsck and returns what it printed.
func (s *Station) Fsck(ctx context.Context) (string, error) {
	return s.call(ctx, s.Programs.Ingest, "fsck", "--config", s.ingestConfig())
}

// Stop ends everything that runs, the agent first.
func (s *Station) Stop(ctx context.Context) error {
	var errs []error
	for _, p := range []*Process{s.Agent, s.Ingest, s.Simulator} {
		if p != nil && p.Running() {
			errs = append(errs, p.Stop(ctx))
		}
	}
	return errors.Join(errs...)
}
