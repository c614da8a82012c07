package station

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is one running program. Its output goes to a log file.
type Process struct {
	Name string
	Log  string // path of the log file
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // of Wait; valid after done
}

// Usage is what a process has used so far.
type Usage struct {
	CPU     float64 // user and system seconds
	PeakRSS int64   // bytes
}

// in says where a command starts: nil is here, else a namespace of a link.
type in func(*exec.Cmd) error

func (where in) start(cmd *exec.Cmd) error {
	if where == nil {
		return cmd.Start()
	}
	return where(cmd)
}

func start(where in, name, log, program string, args ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	fmt.Fprintf(out, "=== %s %s\n", program, strings.Join(args, " "))
	p := &Process{Name: name, Log: log, cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	bind(p.cmd)
	if err := where.start(p.cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// ID is the process's number.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Kill ends the process as a power cut would: SIGKILL, no warning.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// Stop asks the process to end and waits for it.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%s ended with %w; its last words:\n%s", p.Name, p.err, p.Tail(20))
		}
		return nil
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s did not end when asked to: %w; its last words:\n%s", p.Name, ctx.Err(), p.Tail(20))
	}
}

// Tail returns the last lines of the process's log.
func (p *Process) Tail(lines int) string {
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return string(bytes.Join(all, []byte("\n")))
}

// Usage reads the kernel's accounting of the running process.
func (p *Process) Usage() (Usage, error) {
	dir := "/proc/" + strconv.Itoa(p.cmd.Process.Pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Usage{}, err
	}
	// proc(5): fields after the command's closing parenthesis; utime and
	// stime are the 14th and 15th of all, in ticks of 1/100 s.
	rest := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(rest) < 13 {
		return Usage{}, fmt.Errorf("reading %s/stat: %d fields", dir, len(rest))
	}
	utime, err1 := strconv.ParseFloat(rest[11], 64)
	stime, err2 := strconv.ParseFloat(rest[12], 64)
	status, err3 := os.ReadFile(dir + "/status")
	if err := errors.Join(err1, err2, err3); err != nil {
		return Usage{}, err
	}
	u := Usage{CPU: (utime + stime) / 100}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
			if err != nil {
				return Usage{}, err
			}
			u.PeakRSS = n << 10
		}
	}
	return u, nil
}

// Wait calls cond until it reports true, waiting between calls. On time-out
// the error carries what cond said last.
func Wait(ctx context.Context, cond func() (ok bool, state string)) error {
	state := ""
	for {
		ok, now := cond()
		if ok {
			return nil
		}
		state = now
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting (%w): %s", ctx.Err(), state)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
