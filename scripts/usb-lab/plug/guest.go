package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// line is a line that the guest printed, and when it came.
type line struct {
	text string
	at   time.Time
}

// guest is the running guest.
type guest struct {
	command *exec.Cmd
	lines   chan line // those not yet awaited; closed at the end of output

	mu   sync.Mutex // guards seen
	seen []line
}

func startGuest(arguments []string) (*guest, error) {
	if len(arguments) == 0 {
		return nil, errors.New("no command for the guest")
	}
	g := &guest{command: exec.Command(arguments[0], arguments[1:]...), lines: make(chan line, 100_000)}
	g.command.Stderr = os.Stderr
	g.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that QEMU can be ended with it
	out, err := g.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the guest: %w", err)
	}
	go func() {
		defer close(g.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			l := line{s.Text(), time.Now()}
			if strings.HasPrefix(l.text, "hot-plug") {
				fmt.Println(l.text)
			}
			g.mu.Lock()
			g.seen = append(g.seen, l)
			g.mu.Unlock()
			g.lines <- l
		}
	}()
	return g, nil
}

// await waits for the next line with a text, and gives the time when it came.
func (g *guest) await(text string, patience time.Duration) (time.Time, error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case l, open := <-g.lines:
			if !open {
				return time.Time{}, fmt.Errorf("the guest ended while %q was awaited", text)
			}
			if strings.Contains(l.text, text) {
				return l.at, nil
			}
		case <-limit.C:
			return time.Time{}, fmt.Errorf("%q did not come in %v", text, patience)
		}
	}
}

// said reports whether a line had all the texts.
func (g *guest) said(texts ...string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.seen, func(l line) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(l.text, text) })
	})
}

// end waits until the guest has ended by itself.
func (g *guest) end() error {
	for range g.lines {
	}
	if err := g.command.Wait(); err != nil {
		return fmt.Errorf("the guest's own checks: %w", err)
	}
	return nil
}

// kill ends the guest when something went wrong.
func (g *guest) kill() {
	_ = syscall.Kill(-g.command.Process.Pid, syscall.SIGTERM)
	for range g.lines {
	}
	_ = g.command.Wait()
}

// tell prints the last that the guest said.
func (g *guest) tell() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.seen[max(0, len(g.seen)-60):] {
		fmt.Fprintf(os.Stderr, "guest: %s %s\n", l.at.Format("15:04:05.000"), l.text)
	}
}
