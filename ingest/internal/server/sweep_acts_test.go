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

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// TestSweepActs kills a server at each call by which it changes files while somebody
// does one administrative act after the other. After the next start each act is whole,
// with its event, or was never there and has none; what was answered is whole.
func TestSweepActs(t *testing.T) {
	s := newActSweep(t, newSweep(t))
	began := time.Now()
	for _, call := range changing {
		for nth := 1; s.once(call, nth); nth++ {
			if s.kills%25 == 0 {
				fmt.Printf("sweep acts: %d kills in %s; at %s\n", s.kills, time.Since(began).Round(time.Second), call)
			}
		}
	}
	s.total(t, 20)
}

// TestActsAreWholeOrNotThereAfterAKill is a small part of that sweep: a few kills in the
// calls by which the catalog and the custody log are written.
func TestActsAreWholeOrNotThereAfterAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts many servers")
	}
	s := newActSweep(t, templateOf(t, 0))
	for _, at := range []struct {
		call string
		nth  int
	}{{"pwrite64", 1}, {"pwrite64", 10}, {"pwrite64", 40}, {"fsync", 1}, {"fsync", 6}} {
		s.once(at.call, at.nth)
	}
	s.total(t, 3)
}

// actSweep is a stopped server with what one round of acts starts from.
type actSweep struct {
	*sweep
	acts   []adminAct
	since  int64
	who    *desk
	signed time.Time

	whole, absent, cut int // acts by what became of them; cut: of those, without an answer
}

func newActSweep(t *testing.T, s *sweep) *actSweep {
	t.Helper()
	s.config.DataDir = s.template
	s.start()
	s.enrol("acts")
	s.end()
	a := &actSweep{sweep: s}
	a.acts, a.since = s.administered(1)
	s.met = map[string]int{}
	return a
}

func (s *actSweep) total(t *testing.T, least int) {
	t.Helper()
	if s.kills < least || s.whole == 0 || s.absent == 0 {
		t.Errorf("%d kills, %d acts whole, %d absent: this shows little", s.kills, s.whole, s.absent)
	}
	t.Logf("%d kills in %d kinds of acts: %v; %d times an act was whole afterwards, %d times it was not there, %d of these were under way", s.kills, len(s.acts), s.met, s.whole, s.absent, s.cut)
}

// once has the acts done at a server of their own that is killed at its nth call after
// it was ready, and says whether it was.
func (s *actSweep) once(call string, nth int) (killed bool) {
	s.t.Helper()
	s.config.DataDir = s.template
	if time.Since(s.signed) > auth.FreshFor/2 { // acts want a fresh factor
		s.who, s.signed = s.desk(alba), time.Now()
		s.who.client.Timeout = 30 * time.Second
	}
	work, err := os.MkdirTemp(s.t.TempDir(), "")
	s.must(err)
	defer os.RemoveAll(work)
	data := filepath.Join(work, "data")
	if out, err := exec.Command("cp", "-a", s.template, data).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	s.moved(data)
	answered, killed := s.act(data, call, nth)
	s.config = s.load(data)
	s.config.ListenQUIC, s.config.ListenHTTPS = "127.0.0.1:0", "127.0.0.1:0"
	s.log.Reset()
	s.start()
	state := s.adminState(s.since)
	s.end()
	for i := range s.acts {
		a := &s.acts[i]
		held, told := a.holds(state), state.told(a)
		if held != (told == 1) || told > 1 || i < answered && !held || i > answered && held {
			s.t.Errorf("killed at %s number %d, with %d acts answered: %s (the act of number %d): effect %t, %d events", call, nth, answered, a.name, i+1, held, told)
		}
		if held {
			s.whole++
		} else {
			s.absent++
		}
	}
	if killed && answered < len(s.acts) {
		s.cut++
	}
	sound(s.t, s.config)
	s.config.DataDir = s.template
	if killed {
		s.kills++
		s.met[call]++
	}
	if s.t.Failed() {
		s.t.Fatalf("killed at %s number %d", call, nth)
	}
	return killed
}

// act runs the server as a program, has strace kill it at its nth call, and returns how
// many acts were answered.
func (s *actSweep) act(data, call string, nth int) (answered int, killed bool) {
	s.t.Helper()
	server := exec.Command(s.program, "run", "--config", filepath.Join(data, ConfigName))
	server.Env = append(server.Environ(), "GOMAXPROCS=1")
	said, err := server.StderrPipe()
	s.must(err)
	s.must(server.Start())
	lines := bufio.NewReader(said)
	s.ready.HTTPS = s.webAt(lines)
	go io.Copy(io.Discard, lines) // ends with the program
	strace := exec.Command("strace", "-f", "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+call+":signal=KILL:when="+strconv.Itoa(nth), "-p", strconv.Itoa(server.Process.Pid))
	attached, err := strace.StderrPipe()
	s.must(err)
	s.must(strace.Start())
	if line, err := bufio.NewReader(attached).ReadString('\n'); err != nil || !strings.Contains(line, "attached") {
		server.Process.Kill()
		s.t.Fatalf("strace: %q, %v", line, err)
	}
	for i := range s.acts {
		code, title, err := s.who.do(&s.acts[i])
		if err != nil {
			break
		}
		if code >= 300 {
			s.t.Errorf("%s: %d %s", s.acts[i].name, code, title)
		}
		answered++
	}
	s.who.client.CloseIdleConnections()
	server.Process.Signal(syscall.SIGTERM) // too late where it was killed
	err = server.Wait()
	strace.Wait()
	var exit *exec.ExitError
	killed = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if !killed && answered < len(s.acts) {
		s.t.Fatalf("at %s number %d the server was not killed, and %d acts were answered: %v", call, nth, answered, err)
	}
	return answered, killed
}

// webAt reads the log of a server up to the address at which it waits for browsers.
func (s *actSweep) webAt(log *bufio.Reader) net.Addr {
	s.t.Helper()
	var all strings.Builder
	for {
		line, err := log.ReadString('\n')
		all.WriteString(line)
		if _, rest, ok := strings.Cut(line, " web="); ok {
			address, _, _ := strings.Cut(rest, " ")
			tcp, err := net.ResolveTCPAddr("tcp", address)
			s.must(err)
			return tcp
		}
		if err != nil {
			s.t.Fatalf("the server did not start: %s", all.String())
		}
	}
}
