package service

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// manager notes what it is told, and when.
type manager struct {
	mu   sync.Mutex // guards all below
	told []string
	beat time.Time // of the newest WATCHDOG=1
}

func (m *manager) send(state string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, state)
	if strings.Contains(state, "WATCHDOG=1") {
		m.beat = time.Now()
	}
	return nil
}

func (m *manager) silence() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.beat)
}

func (m *manager) last() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told[len(m.told)-1]
}

const watchdog = 2 * time.Minute

// beating runs a heartbeat over a probe until the test ends.
func beating(t *testing.T, probe func(context.Context) (Pulse, error)) *manager {
	m := &manager{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	h := Heartbeat{Probe: probe, Send: m.send, Watchdog: watchdog, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil || !strings.HasPrefix(m.last(), "STOPPING=1") {
			t.Errorf("at the end: %v, %q", err, m.last())
		}
	})
	return m
}

func TestAnAgentThatGetsOnBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := beating(t, func(context.Context) (Pulse, error) {
			return Pulse{Turned: time.Now(), Line: "all\nwell"}, nil
		})
		synctest.Wait()
		if first := m.last(); first != "READY=1\nWATCHDOG=1\nSTATUS=all well" {
			t.Errorf("first told %q", first)
		}
		for range 100 {
			<-time.After(7 * time.Second)
			if m.silence() > watchdog/4 {
				t.Fatalf("silent for %v", m.silence())
			}
		}
	})
}

func TestAnAgentThatHangsGoesSilent(t *testing.T) {
	for name, probe := range map[string]func(ctx context.Context, since time.Time, stuck chan struct{}) (Pulse, error){
		"a lock is never released": func(_ context.Context, _ time.Time, stuck chan struct{}) (Pulse, error) { <-stuck; return Pulse{}, nil },
		"the journal fails": func(context.Context, time.Time, chan struct{}) (Pulse, error) {
			return Pulse{}, errors.New("disk gone")
		},
		"a loop stands still": func(_ context.Context, since time.Time, _ chan struct{}) (Pulse, error) {
			return Pulse{Turned: since}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, stuck := time.Now(), make(chan struct{})
				asked := 0
				m := beating(t, func(ctx context.Context) (Pulse, error) {
					if time.Since(began) < 5*time.Minute {
						return Pulse{Turned: time.Now()}, nil
					}
					asked++
					return probe(ctx, began.Add(5*time.Minute), stuck)
				})
				t.Cleanup(func() { close(stuck) })
				<-time.After(4 * time.Minute)
				if m.silence() > watchdog/4 {
					t.Fatalf("silent before anything hung")
				}
				<-time.After(1*time.Minute + watchdog + watchdog/2)
				synctest.Wait()
				if m.silence() < watchdog/2 || !strings.HasPrefix(m.last(), "STATUS=Does not get on: ") {
					t.Errorf("silent for %v, last told %q", m.silence(), m.last())
				}
				if name == "a lock is never released" && asked != 1 {
					t.Errorf("%d questions hang beside each other", asked)
				}
			})
		})
	}
}

func TestAnAgentThatNeverStartsIsNeverReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := beating(t, func(context.Context) (Pulse, error) { return Pulse{}, errors.New("still opening") })
		<-time.After(time.Minute)
		m.mu.Lock()
		defer m.mu.Unlock()
		if all := strings.Join(m.told, "\n"); strings.Contains(all, "READY") || strings.Contains(all, "WATCHDOG=1") {
			t.Errorf("told %s", all)
		}
	})
}
