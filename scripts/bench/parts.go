package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// part is one thing that has to be done with every byte on its way from the
// camera to the receipt, in the cheapest of the ways named.
type part struct {
	name  string
	times int      // how often, in both programs together
	ways  []string // names in works
}

// parts are the passes that the design asks for (docs/architecture.md, the life
// of a recording). What they leave out is overhead: the journal, the catalog,
// the log, checksums within the spool, copies between stages, scheduling.
var parts = []part{
	{"read from the camera (USB/IP over TCP)", 2, []string{"receive"}}, // read, read again
	{"SHA-256 of the whole", 2, []string{"sha256"}},                    // at the dock; from the medium
	{"SHA-256 of the leaves", 3, []string{"leaves"}},                   // read, read again, arrival
	{"seal", 1, []string{"seal"}},
	{"open", 2, []string{"open"}},                                     // arrival; from the medium
	{"write, durable", 2, []string{"write buffered", "write direct"}}, // spool, vault
	{"read what was just written", 1, []string{"read cached", "read direct"}},
	{"read from the medium", 1, []string{"read medium", "read direct"}},
	{"transport (the wire, two connections)", 1, nil}, // measured with the transports
}

// work does one part with that many bytes. It prepares first, uncounted, and
// then calls begin.
type work func(dir string, bytes int64, begin func()) error

var works = map[string]work{
	"receive": receivePart, "sha256": sha256Part, "leaves": leavesPart, "seal": sealPart, "open": openPart,
	"write buffered": writeBuffered, "write direct": writeDirect,
	"read cached":   func(dir string, n int64, begin func()) error { return readPart(dir, n, begin, 0, false) },
	"read medium":   func(dir string, n int64, begin func()) error { return readPart(dir, n, begin, 0, true) },
	"read direct":   func(dir string, n int64, begin func()) error { return readPart(dir, n, begin, unix.O_DIRECT, true) },
	"camera source": func(_ string, n int64, _ func()) error { return cameraSource(n) },
}

// parts measures every way of every part, each in a process of its own.
func (b *bench) parts(ctx context.Context, bytes int64) error {
	done := map[string]bool{}
	for _, p := range parts {
		for _, way := range p.ways {
			if done[way] {
				continue
			}
			done[way] = true
			var r Rate
			if err := child(ctx, &r, "part", way, b.work, fmt.Sprint(bytes)); err != nil {
				return fmt.Errorf("measuring %s: %w", way, err)
			}
			row := b.result.row(way)
			row.add("MB/s", r.MBPerS)
			row.add("both s/GB", r.CPUPerGB)
		}
	}
	return nil
}

// sumOfParts adds up what the parts cost a GB in each round, and notes it.
func (b *bench) sumOfParts() (sum []float64) {
	sum = make([]float64, b.Rounds)
	for _, p := range parts {
		ways := p.ways
		if ways == nil {
			ways = []string{wireTwo}
		}
		row := b.result.row("part: " + p.name)
		for round := range sum {
			cheapest := 0.0
			for i, way := range ways {
				if cost := b.result.row(way).Figures["both s/GB"][round]; i == 0 || cost < cheapest {
					cheapest = cost
				}
			}
			row.add("times", float64(p.times))
			row.add("s/GB each", cheapest)
			row.add("s/GB", cheapest*float64(p.times))
			sum[round] += cheapest * float64(p.times)
		}
	}
	b.result.row("the sum of the parts").Figures = map[string][]float64{"s/GB": sum}
	return sum
}

// child runs this program again and reads the JSON that it prints.
func child(ctx context.Context, into any, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}

// Rate is what a child reached.
type Rate struct {
	Bytes    int64   `json:"bytes"`
	Seconds  float64 `json:"seconds"`
	MBPerS   float64 `json:"mb_per_s"`     // 10^6 bytes a second
	CPUPerGB float64 `json:"cpu_s_per_gb"` // processor seconds for 10^9 bytes
}

func rate(bytes int64, wall time.Duration, cpu float64) Rate {
	return Rate{Bytes: bytes, Seconds: wall.Seconds(), MBPerS: float64(bytes) / 1e6 / wall.Seconds(), CPUPerGB: cpu / (float64(bytes) / 1e9)}
}

type partCommand struct {
	Name  string `arg:""`
	Dir   string `arg:""`
	Bytes int64  `arg:""`
}

// Run is the child's side of parts.
func (c *partCommand) Run() error {
	w, ok := works[c.Name]
	if !ok {
		return fmt.Errorf("no part %q", c.Name)
	}
	var began time.Time
	var before float64
	if err := w(c.Dir, c.Bytes, func() { began, before = time.Now(), ownCPU() }); err != nil {
		return err
	}
	if began.IsZero() {
		return nil // it has printed what it had to say
	}
	return json.NewEncoder(os.Stdout).Encode(rate(c.Bytes, time.Since(began), ownCPU()-before))
}

// ownCPU is this process's user and system time in seconds.
func ownCPU() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// passes calls do with one leaf's worth of bytes, again and again, from memory
// that is larger than the nearest cache, as bytes on their way are.
func passes(bytes int64, begin func(), do func(p []byte, index uint64) error) error {
	const pieces = 8
	memory := make([]byte, pieces*evidence.LeafSize)
	for i := range memory {
		memory[i] = byte(i * 7)
	}
	if err := do(memory[:evidence.LeafSize], 0); err != nil { // warm up
		return err
	}
	begin()
	for index := range uint64(bytes / evidence.LeafSize) {
		at := index % pieces * evidence.LeafSize
		if err := do(memory[at:at+evidence.LeafSize], index); err != nil {
			return err
		}
	}
	return nil
}

func sha256Part(_ string, bytes int64, begin func()) error {
	h := sha256.New()
	return passes(bytes, begin, func(p []byte, _ uint64) error { h.Write(p); return nil })
}

func leavesPart(_ string, bytes int64, begin func()) error {
	return passes(bytes, begin, func(p []byte, _ uint64) error { evidence.LeafHash(p); return nil })
}

func sealPart(_ string, bytes int64, begin func()) error {
	key, err := seal.NewKey()
	if err != nil {
		return err
	}
	sealed := make([]byte, 0, evidence.LeafSize+seal.Overhead)
	var s *seal.Sealer
	return passes(bytes, begin, func(p []byte, index uint64) (err error) {
		if index == 0 {
			if s, err = seal.NewSealer(key, []byte("part")); err != nil {
				return err
			}
		}
		sealed, err = s.Seal(sealed[:0], p, index, false)
		return err
	})
}

func openPart(_ string, bytes int64, begin func()) error {
	const pieces = 8
	key, err := seal.NewKey()
	if err != nil {
		return err
	}
	s, err := seal.NewSealer(key, []byte("part"))
	if err != nil {
		return err
	}
	var sealed [pieces][]byte
	for i := range sealed {
		if sealed[i], err = s.Seal(nil, make([]byte, evidence.LeafSize), uint64(i), false); err != nil {
			return err
		}
	}
	o, err := seal.NewOpener(key, []byte("part"), s.Header())
	if err != nil {
		return err
	}
	plain := make([]byte, 0, evidence.LeafSize)
	begin()
	for index := range uint64(bytes / evidence.LeafSize) {
		if _, err := o.Open(plain, sealed[index%pieces], index%pieces, false); err != nil {
			return err
		}
	}
	return nil
}

// request is the size of a USB/IP request and of the head of its answer.
const request = 48

// receivePart reads over TCP as from a USB/IP bus, one request for one leaf. The
// sending end is a process of its own and not counted.
func receivePart(_ string, bytes int64, begin func()) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "part", "camera source", ".", fmt.Sprint(bytes))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	var address string
	if _, err := fmt.Fscanln(out, &address); err != nil {
		return fmt.Errorf("reading the source's address: %w", err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	ask, answer := make([]byte, request), make([]byte, request+evidence.LeafSize)
	begin()
	for range bytes / evidence.LeafSize {
		if _, err := conn.Write(ask); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, answer); err != nil {
			return err
		}
	}
	return nil
}

func cameraSource(bytes int64) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println(l.Addr())
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	ask, answer := make([]byte, request), make([]byte, request+evidence.LeafSize)
	for range bytes / evidence.LeafSize {
		if _, err := io.ReadFull(conn, ask); err != nil {
			return err
		}
		if _, err := conn.Write(answer); err != nil {
			return err
		}
	}
	return nil
}

// writeBuffered writes as durable files are: through the page cache, flushed
// every 128 MiB.
func writeBuffered(dir string, bytes int64, begin func()) error {
	path := filepath.Join(dir, "part.buffered")
	defer os.Remove(path)
	piece := random(evidence.LeafSize)
	begin()
	f, err := durable.CreateFile(path, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for at := int64(0); at < bytes; at += int64(len(piece)) {
		if _, err := f.WriteAt(piece, at); err != nil {
			return err
		}
		if at%(128<<20) == 0 {
			if err := f.Sync(); err != nil {
				return err
			}
		}
	}
	return f.Sync()
}

// writeDirect writes past the page cache into room claimed before, and flushes
// once.
func writeDirect(dir string, bytes int64, begin func()) error {
	path := filepath.Join(dir, "part.direct")
	defer os.Remove(path)
	piece := aligned(4 * evidence.LeafSize)
	copy(piece, random(len(piece)))
	begin()
	return directFile(path, piece, bytes)
}

func directFile(path string, piece []byte, bytes int64) error {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("opening %s past the page cache: %w", path, err)
	}
	defer unix.Close(fd)
	if err := unix.Fallocate(fd, 0, 0, bytes); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	f, err := durable.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for at := int64(0); at < bytes; at += int64(len(piece)) {
		if n, err := unix.Pwrite(fd, piece, at); err != nil || n < len(piece) {
			return fmt.Errorf("writing at %d: %d bytes, %w", at, n, err)
		}
	}
	return f.Sync()
}

// readPart reads a file of that many bytes; cold, after its pages were dropped.
func readPart(dir string, bytes int64, begin func(), flags int, cold bool) error {
	path := filepath.Join(dir, "part.read")
	defer os.Remove(path)
	if cold {
		piece := aligned(4 * evidence.LeafSize)
		if err := directFile(path, piece, bytes); err != nil {
			return err
		}
	} else if err := os.WriteFile(path, make([]byte, bytes), 0o600); err != nil {
		return err
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	piece := aligned(evidence.LeafSize)
	begin()
	for at := int64(0); at < bytes; at += int64(len(piece)) {
		if n, err := unix.Pread(fd, piece, at); err != nil || n < len(piece) {
			return fmt.Errorf("reading at %d: %d bytes, %w", at, n, err)
		}
	}
	return nil
}

// aligned gives memory that direct I/O takes.
func aligned(size int) []byte {
	const align = 4096
	memory := make([]byte, size+align)
	skip := (align - int(uintptr(unsafe.Pointer(&memory[0]))%align)) % align
	return memory[skip : skip+size : skip+size]
}

// random gives bytes that no disk compresses.
func random(size int) []byte {
	p := make([]byte, size)
	x := uint64(0x9e3779b97f4a7c15)
	for i := range p {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		p[i] = byte(x)
	}
	return p
}
