package server

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
)

// changing are the system calls by which a program changes files or makes them durable.
var changing = []string{"openat", "write", "pwrite64", "fsync", "fdatasync", "renameat", "renameat2", "rename", "linkat", "unlinkat", "unlink", "mkdirat", "ftruncate", "fchmodat", "utimensat"}

// sweep kills a command of the server at every call of each of these, and looks what is
// left each time. strace counts the calls of each thread, so that a call is met more than
// once, or another one in its place from run to run.
type sweep struct {
	*running
	program  string
	template string // the data folder before the command
	args     func(data, work string) []string
	check    func(data, work string) // after each kill
	kills    int
	met      map[string]int // kills by system call
}

func (s *sweep) run() {
	s.t.Helper()
	s.met = map[string]int{}
	for _, call := range changing {
		for nth := 1; s.once(call, nth); nth++ {
			s.kills++
			s.met[call]++
			if s.t.Failed() {
				s.t.Fatalf("killed at %s number %d", call, nth)
			}
		}
	}
	if s.kills < 20 {
		s.t.Errorf("%d kills: this shows little", s.kills)
	}
	s.t.Logf("%d kills: %v", s.kills, s.met)
}

// once runs the command to its nth call, and says whether it was killed there.
func (s *sweep) once(call string, nth int) (killed bool) {
	s.t.Helper()
	work, err := os.MkdirTemp(s.t.TempDir(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	defer os.RemoveAll(work)
	data := filepath.Join(work, "data")
	if out, err := exec.Command("cp", "-a", s.template, data).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	s.moved(data)
	strace := append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", "inject=" + call + ":signal=KILL:when=" + strconv.Itoa(nth), s.program}, s.args(data, work)...)
	command := exec.CommandContext(s.ctx, "strace", strace...)
	command.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		killed = false
	case errors.As(err, &exit) && (exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL || exit.ExitCode() == 137):
		killed = true
	default:
		s.t.Fatalf("the command ended with %v: %s", err, out)
	}
	s.check(data, work)
	return killed
}

// moved lets the configuration name the folder that it lies in by now.
func (s *sweep) moved(data string) {
	s.t.Helper()
	path := filepath.Join(data, ConfigName)
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(text), strconv.Quote(s.config.DataDir), strconv.Quote(data), 1)), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *sweep) load(dir string) Config {
	s.t.Helper()
	c, err := LoadConfig(filepath.Join(dir, ConfigName))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// command runs a command of the server to its end.
func (s *sweep) command(args ...string) {
	s.t.Helper()
	if out, err := exec.CommandContext(s.ctx, s.program, args...).CombinedOutput(); err != nil {
		s.t.Errorf("%v: %v: %s", args, err, out)
	}
}

// newSweep is a stopped server that has three recordings, as a template.
func newSweep(t *testing.T) *sweep {
	t.Helper()
	if os.Getenv("SEALDOCK_SWEEP") == "" {
		t.Skip("it takes minutes: make sweep")
	}
	return templateOf(t, 3)
}

// templateOf is a stopped server with so many recordings, and the program.
func templateOf(t *testing.T, recordings int) *sweep {
	t.Helper()
	r := newServer(t)
	r.ctx = t.Context()
	r.start()
	d := r.enrol("front-desk")
	for i := range recordings {
		var rec *receivetest.Recording = d.Record(t, "DCIM/"+strconv.Itoa(i)+".MP4", footage(1000+i))
		r.store(d, rec)
	}
	r.end()
	s := &sweep{running: r, program: filepath.Join(t.TempDir(), "sealdock-ingest"), template: r.config.DataDir}
	if out, err := exec.Command("go", "build", "-o", s.program, "github.com/sealdock/sealdock/ingest").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}

func (s *sweep) three(c Config) {
	s.t.Helper()
	if n := sound(s.t, c); n != 3 {
		s.t.Errorf("%d recordings in %s, want 3", n, c.DataDir)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func TestSweepBackup(t *testing.T) {
	s := newSweep(t)
	s.args = func(data, work string) []string {
		return []string{"backup", "--config", filepath.Join(data, ConfigName), filepath.Join(work, "disk")}
	}
	s.check = func(data, work string) {
		s.three(s.load(data))
		for range 2 { // what there is, and what the next backup makes of it
			newest, err := newestBackup(filepath.Join(work, "disk"))
			if err != nil {
				t.Fatal(err)
			}
			if newest != "" {
				c, err := BackupConfig(newest)
				if err != nil {
					t.Fatal(err)
				}
				s.three(c)
			}
			if _, err := MakeBackup(s.ctx, s.load(data), filepath.Join(work, "disk"), true, func() time.Time { return time.Now().Add(time.Hour) }); err != nil {
				if newest == "" || !errors.Is(err, fs.ErrExist) {
					t.Error(err)
				}
			}
		}
	}
	s.run()
}

func TestSweepRestore(t *testing.T) {
	s := newSweep(t)
	b, err := MakeBackup(s.ctx, s.config, filepath.Join(t.TempDir(), "disk"), true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.args = func(_, work string) []string {
		return []string{"restore", b.Folder, "--to", filepath.Join(work, "new"), "--reason", "sweep"}
	}
	s.check = func(_, work string) {
		place := filepath.Join(work, "new")
		if !exists(filepath.Join(place, ConfigName)) { // it says so, and nobody takes it for a server
			if err := os.RemoveAll(place); err != nil {
				t.Fatal(err)
			}
			s.command(s.args("", work)...)
		}
		s.three(s.load(place))
		c, err := BackupConfig(b.Folder)
		if err != nil {
			t.Fatal(err)
		}
		s.three(c)
	}
	s.run()
}

func TestSweepRestartLog(t *testing.T) {
	s := newSweep(t)
	s.args = func(data, _ string) []string {
		return []string{"restart-log", "--config", filepath.Join(data, ConfigName), "--reason", "sweep"}
	}
	s.check = func(data, _ string) {
		s.three(s.load(data))
		s.config = s.load(data)
		s.config.ListenQUIC, s.config.ListenHTTPS = "127.0.0.1:0", "127.0.0.1:0"
		s.start() // it signs under whichever name is in force
		s.end()
		s.three(s.load(data))
		s.config.DataDir = s.template
	}
	s.run()
}

func TestSweepRotation(t *testing.T) {
	s := newSweep(t)
	s.args = func(data, _ string) []string {
		return []string{"keys", "rotate", "--config", filepath.Join(data, ConfigName)}
	}
	s.check = func(data, _ string) {
		s.three(s.load(data))
		s.command(s.args(data, "")...)
		s.three(s.load(data))
	}
	s.run()
}
