package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/proto/upload"
)

// TestSweepIntake kills a server at each call by which it takes in, stores, signs and
// sequences a recording that a dock sends. A receipt that the dock got stands, and the
// dock's next try ends with one.
func TestSweepIntake(t *testing.T) {
	s := newSweep(t)
	s.config.DataDir = s.template
	s.start()
	d := s.enrol("intake")
	s.end()
	in := &intakeSweep{sweep: s, dock: d}
	s.met = map[string]int{}
	began := time.Now()
	for _, call := range changing {
		for nth := 1; in.once(call, nth); nth++ {
			s.kills++
			s.met[call]++
			if t.Failed() {
				t.Fatalf("killed at %s number %d", call, nth)
			}
			if s.kills%25 == 0 {
				fmt.Printf("sweep intake: %d kills, %d of them behind a receipt, in %s; at %s\n", s.kills, in.receipts, time.Since(began).Round(time.Second), call)
			}
		}
	}
	if s.kills < 20 {
		t.Errorf("%d kills: this shows little", s.kills)
	}
	t.Logf("%d kills, %d of them behind a receipt: %v", s.kills, in.receipts, s.met)
}

type intakeSweep struct {
	*sweep
	dock     *enrolled
	receipts int // that a dock had when the server was killed
	runs     int
}

// once has a dock send a recording to a server of its own that is killed at its nth
// call after it was ready, and says whether it was.
func (s *intakeSweep) once(call string, nth int) (killed bool) {
	s.t.Helper()
	work, err := os.MkdirTemp(s.t.TempDir(), "")
	s.must(err)
	defer os.RemoveAll(work)
	data := filepath.Join(work, "data")
	if out, err := exec.Command("cp", "-a", s.template, data).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	s.moved(data)
	s.runs++
	rec := s.dock.Record(s.t, "DCIM/SWEEP"+strconv.Itoa(s.runs)+".MP4", footage(1<<20+s.runs))
	receipt, killed := s.upload(data, call, nth, rec)
	if killed && receipt != nil {
		s.receipts++
	}
	s.config = s.load(data)
	s.config.ListenQUIC, s.config.ListenHTTPS = "127.0.0.1:0", "127.0.0.1:0"
	s.log.Reset()
	s.start()
	c := s.mustConnect(s.dock)
	again, err := c.Upload(s.ctx, rec)
	if err != nil {
		s.t.Fatalf("killed at %s number %d: the next try: %v\n%s", call, nth, err, s.log.String())
	}
	second := checkReceipt(s.t, s.dock, rec, again)
	if receipt != nil {
		if first := checkReceipt(s.t, s.dock, rec, receipt); first.Evidence != second.Evidence || first.Proof.Index != second.Proof.Index {
			s.t.Errorf("killed at %s number %d: the dock's receipt was of entry %d, the next is of %d", call, nth, first.Proof.Index, second.Proof.Index)
		}
	}
	c.Close()
	s.end()
	if n := sound(s.t, s.config); n != 4 {
		s.t.Errorf("killed at %s number %d: %d recordings, want 4", call, nth, n)
	}
	s.config.DataDir = s.template
	return killed
}

// upload runs the server as a program, has strace kill it at its nth call, and returns
// the receipt that the dock got, if it did.
func (s *intakeSweep) upload(data, call string, nth int, rec *receivetest.Recording) (receipt *upload.Receipt, killed bool) {
	s.t.Helper()
	server := exec.Command(s.program, "run", "--config", filepath.Join(data, ConfigName))
	server.Env = append(server.Environ(), "GOMAXPROCS=1")
	said, err := server.StderrPipe()
	s.must(err)
	s.must(server.Start())
	lines := bufio.NewReader(said)
	s.ready.QUIC = s.readyAt(lines)
	go io.Copy(io.Discard, lines) // ends with the program
	strace := exec.Command("strace", "-f", "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+call+":signal=KILL:when="+strconv.Itoa(nth), "-p", strconv.Itoa(server.Process.Pid))
	attached, err := strace.StderrPipe()
	s.must(err)
	s.must(strace.Start())
	if line, err := bufio.NewReader(attached).ReadString('\n'); err != nil || !strings.Contains(line, "attached") {
		s.t.Fatalf("strace: %q, %v", line, err)
	}
	got := make(chan *upload.Receipt, 1)
	go func() { got <- s.send(rec) }()
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	select {
	case receipt = <-got:
		server.Process.Signal(syscall.SIGTERM) // too late where it was killed behind the receipt
	case err := <-ended:
		ended <- err
		select { // it may be on its way
		case receipt = <-got:
		case <-time.After(100 * time.Millisecond):
		}
	}
	err = <-ended
	strace.Wait()
	var exit *exec.ExitError
	killed = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if !killed && receipt == nil {
		s.t.Fatalf("at %s number %d the server was not killed, and the dock got no receipt: %v", call, nth, err)
	}
	return receipt, killed
}

// send has the dock send a recording, and returns its receipt or nil. It may take as
// long as a dock waits for a server that says nothing more.
func (s *intakeSweep) send(rec *receivetest.Recording) *upload.Receipt {
	c, err := s.connect(s.dock)
	if err != nil {
		return nil
	}
	defer c.Close()
	receipt, err := c.Upload(s.ctx, rec)
	if err != nil {
		return nil
	}
	return receipt
}

// readyAt reads the log of a server up to the address at which it waits for docks.
func (s *intakeSweep) readyAt(log *bufio.Reader) net.Addr {
	s.t.Helper()
	var all strings.Builder
	for {
		line, err := log.ReadString('\n')
		all.WriteString(line)
		if _, rest, ok := strings.Cut(line, " docks="); ok {
			address, _, _ := strings.Cut(rest, " ")
			udp, err := net.ResolveUDPAddr("udp", address)
			s.must(err)
			return udp
		}
		if err != nil {
			s.t.Fatalf("the server did not start: %s", all.String())
		}
	}
}
