package offload_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/offload"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/agent/internal/usbip"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

var (
	simulator = flag.String("simulator", "", "built firmware-sim for BenchmarkDock; without it, it is built")
	dockLoads = flag.String("dock-loads", "1x4x64MiB,8x2x16MiB,1x500x64KiB,1x1000x64KiB,1x2000x64KiB", "what BenchmarkDock docks: CAMERASxFILESxSIZE, …")
)

// BenchmarkDock measures the agent's half before the upload: cameras of a simulator
// in a process of its own, over USB/IP into the spool, and, once every recording has a
// receipt, their erasure. CPU is this process's alone.
func BenchmarkDock(b *testing.B) {
	program := *simulator
	if program == "" {
		program = filepath.Join(b.TempDir(), "firmware-sim")
		if out, err := exec.Command("go", "build", "-o", program, "github.com/sealdock/sealdock/firmware-sim").CombinedOutput(); err != nil {
			b.Fatalf("building the simulator: %v\n%s", err, out)
		}
	}
	for _, load := range strings.Split(*dockLoads, ",") {
		var cameras, files int
		var size string
		if n, err := fmt.Sscanf(strings.ReplaceAll(load, "x", " "), "%d %d %s", &cameras, &files, &size); n != 3 {
			b.Fatalf("load %q: %v", load, err)
		}
		b.Run(load, func(b *testing.B) {
			var copied, cleared used
			bytes := uint64(0)
			for b.Loop() {
				s := newStation(b, program, cameras, files, size)
				c, e := s.run(cameras * files)
				copied, cleared = copied.plus(c), cleared.plus(e)
				bytes += s.bytes
				s.stop()
			}
			all := float64(cameras * files * b.N)
			b.ReportMetric(copied.cpu.Seconds()/(float64(bytes)/1e9), "copy-cpu-s/GB")
			b.ReportMetric(1e3*copied.cpu.Seconds()/all, "copy-cpu-ms/file")
			b.ReportMetric(all/copied.wall.Seconds(), "copy-files/s")
			b.ReportMetric(1e3*cleared.cpu.Seconds()/all, "erase-cpu-ms/file")
			b.ReportMetric(all/cleared.wall.Seconds(), "erase-files/s")
			b.ReportMetric(peakMiB(b), "peak-MiB")
		})
	}
}

// used is time that passed and that this process worked.
type used struct{ cpu, wall time.Duration }

func (u used) plus(v used) used { return used{u.cpu + v.cpu, u.wall + v.wall} }

// measure runs work and says what it used.
func measure(b *testing.B, work func()) used {
	before, began := cpu(b), time.Now()
	work()
	return used{cpu(b) - before, time.Since(began)}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func peakMiB(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Maxrss) / 1024
}

// station is a simulator and the agent's first half.
type station struct {
	b       *testing.B
	sim     *exec.Cmd
	spool   *spool.Spool
	door    camera.Door
	desk    *offload.Desk
	cancel  context.CancelFunc
	serving sync.WaitGroup
	bytes   uint64
}

func newStation(b *testing.B, program string, cameras, files int, size string) *station {
	dir := b.TempDir()
	address := filepath.Join(dir, "usbip.sock")
	s := &station{b: b, sim: exec.Command(program, "run", "--listen", "unix:"+address, "--control", filepath.Join(dir, "ctl.sock"),
		"--no-extension", "--cameras", strconv.Itoa(cameras), "--files", strconv.Itoa(files), "--file-size", size)}
	out, err := s.sim.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := s.sim.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "ready ") {
	}
	go func() {
		for lines.Scan() { // so that it never waits for a reader
		}
	}()
	log := slog.New(slog.NewTextHandler(openNull(b), &slog.HandlerOptions{Level: slog.LevelInfo}))
	bus, err := usbip.New([]string{"unix:" + address}, log)
	if err != nil {
		b.Fatal(err)
	}
	s.door = camera.Over(bus, camera.Options{Log: log})
	if s.spool, err = spool.Open(b.Context(), spool.Options{Dir: filepath.Join(dir, "agent"), Now: time.Now, Log: log}); err != nil {
		b.Fatal(err)
	}
	private, err := seal.GeneratePrivateKey()
	if err != nil {
		b.Fatal(err)
	}
	key, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		b.Fatal(err)
	}
	s.desk = offload.New(offload.Options{Spool: s.spool, Agency: "riverton", Station: "north", Dock: "front-desk", AgencyKey: private.Public(), Signer: key, Version: "bench", Now: time.Now, Log: log})
	return s
}

// openNull is a log that costs what writing it costs.
func openNull(b *testing.B) *os.File {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f
}

// run docks all cameras and measures until all is copied, gives receipts, and
// measures until all is erased.
func (s *station) run(recordings int) (copied, cleared used) {
	ctx, cancel := context.WithCancel(s.b.Context())
	s.cancel = cancel
	bays, err := s.door.Devices(ctx)
	if err != nil {
		s.b.Fatal(err)
	}
	copied = measure(s.b, func() {
		for _, at := range bays {
			link, err := s.door.Open(ctx, at)
			if err != nil {
				s.b.Fatal(err)
			}
			s.serving.Go(func() {
				defer link.Close()
				if err := s.desk.Docking(at.Port, link).Serve(ctx); ctx.Err() == nil {
					s.b.Error(err)
				}
			})
		}
		s.await(recordings, spool.StateSpooled)
	})
	waiting, err := s.spool.Waiting(ctx, recordings)
	if err != nil {
		s.b.Fatal(err)
	}
	cleared = measure(s.b, func() {
		var answering sync.WaitGroup
		for _, rec := range waiting {
			s.bytes += rec.Length
			answering.Go(func() {
				if err := s.spool.Received(ctx, rec.Evidence, rec.Attempt, spool.Receipt{Envelope: make([]byte, 1500), Digest: evidence.Digest{1}, Item: rec.Evidence}); err != nil {
					s.b.Error(err)
				}
			})
		}
		answering.Wait()
		s.await(recordings, spool.StateErased)
	})
	return copied, cleared
}

// await looks seldom, so that looking costs next to nothing.
func (s *station) await(recordings int, state spool.State) {
	for look := time.NewTicker(100 * time.Millisecond); ; <-look.C {
		counts, err := s.spool.Counts(s.b.Context())
		if err != nil {
			s.b.Fatal(err)
		}
		if counts[state] == uint64(recordings) {
			look.Stop()
			return
		}
	}
}

func (s *station) stop() {
	s.cancel()
	s.serving.Wait()
	if err := s.spool.Close(); err != nil {
		s.b.Error(err)
	}
	if err := s.sim.Process.Signal(syscall.SIGTERM); err != nil {
		s.b.Error(err)
	}
	s.sim.Wait()
}
