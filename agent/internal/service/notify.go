package service

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Pulse is what is known of the agent's loops.
type Pulse struct {
	Turned time.Time // when the loop that is furthest behind began its newest round
	Line   string    // how the agent does, for people
}

// Heartbeat tells systemd that the agent is ready, how it does, and that it lives.
type Heartbeat struct {
	Probe    func(context.Context) (Pulse, error) // asks every loop; may hang where one hangs
	Send     func(state string) error             // to the manager
	Watchdog time.Duration                        // after which silence is death; 0 for none
	Now      func() time.Time
	Log      *slog.Logger
}

const (
	readyEvery  = 200 * time.Millisecond // how often a starting agent is probed
	beatLongest = 10 * time.Second       // so that the line for people is not stale
)

// UnderSystemd gives the heartbeat that the environment asks for; ok is false when
// no manager waits for one.
func UnderSystemd(probe func(context.Context) (Pulse, error), log *slog.Logger) (h Heartbeat, ok bool, err error) {
	told, err := daemon.SdNotify(false, "STATUS=Starting.")
	if err != nil {
		return h, false, fmt.Errorf("reaching systemd on NOTIFY_SOCKET: %w", err)
	}
	if !told {
		return h, false, nil
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return h, false, fmt.Errorf("reading the watchdog's time from systemd: %w", err)
	}
	send := func(state string) error {
		_, err := daemon.SdNotify(false, state)
		return err
	}
	return Heartbeat{Probe: probe, Send: send, Watchdog: watchdog, Now: time.Now, Log: log}, true, nil
}

// every is the pause between two beats.
func (h Heartbeat) every() time.Duration {
	if h.Watchdog <= 0 {
		return beatLongest
	}
	return min(h.Watchdog/4, beatLongest)
}

// Run beats until ctx ends. A probe that fails, hangs, or shows a loop that has not
// gone round for half the watchdog's time makes no beat: systemd then ends the
// agent and starts it again, which loses nothing.
func (h Heartbeat) Run(ctx context.Context) error {
	ready, missed := false, false
	p := &probe{h: h}
	for {
		line, err := p.alive(ctx)
		state := "STATUS=" + line
		switch {
		case ctx.Err() != nil:
			return h.Send("STOPPING=1\nSTATUS=Stopping.")
		case err != nil && !missed:
			missed = true
			h.Log.Error("the agent does not get on; without change systemd starts it again", "error", err, "watchdog", h.Watchdog)
			state = "STATUS=Does not get on: " + oneLine(err.Error())
		case err != nil:
			state = "STATUS=Does not get on: " + oneLine(err.Error())
		case !ready:
			ready, missed = true, false
			state = "READY=1\nWATCHDOG=1\n" + state
		default:
			missed = false
			state = "WATCHDOG=1\n" + state
		}
		if err := h.Send(state); err != nil {
			h.Log.Warn("systemd is not reached", "error", err)
		}
		pause := h.every()
		if !ready {
			pause = min(pause, readyEvery)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// probe asks one question at a time: one that hangs is not asked again beside it.
type probe struct {
	h       Heartbeat
	pending chan answer // of the question under way; nil when there is none
}

type answer struct {
	pulse Pulse
	err   error
}

// alive probes the loops, and waits no longer than one beat.
func (p *probe) alive(ctx context.Context) (string, error) {
	within, cancel := context.WithTimeout(ctx, p.h.every())
	defer cancel()
	if p.pending == nil {
		answers := make(chan answer, 1)
		p.pending = answers
		go func() {
			pulse, err := p.h.Probe(within)
			answers <- answer{pulse, err}
		}()
	}
	select {
	case <-within.Done():
		return "", fmt.Errorf("its parts do not answer within %v", p.h.every())
	case a := <-p.pending:
		p.pending = nil
		behind := p.h.Now().Sub(a.pulse.Turned)
		if a.err == nil && p.h.Watchdog > 0 && behind > p.h.Watchdog/2 {
			a.err = fmt.Errorf("the search for cameras has stood still for %v", behind.Round(time.Second))
		}
		return oneLine(a.pulse.Line), a.err
	}
}

// oneLine makes a text fit for a line of systemd's protocol.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
