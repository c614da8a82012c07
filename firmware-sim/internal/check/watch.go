package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// bayStatus is what the dock says of one bay.
type bayStatus struct {
	Port    string   `json:"port"`
	State   string   `json:"state"`
	Message string   `json:"message"`
	Alerts  []string `json:"alerts"`
}

// String is all that people read of it.
func (b bayStatus) String() string {
	return fmt.Sprintf("%q", strings.Join(append([]string{b.State, b.Message}, b.Alerts...), " | "))
}

// saying is a sentence of the dock about a bay.
type saying struct {
	at       time.Time
	port     string
	sentence string
}

// watch listens to what the agent says: its status, and its log.
type watch struct {
	station *station.Station

	mu   sync.Mutex
	now  map[string]bayStatus // guarded by mu
	said []saying             // guarded by mu: each sentence of the status once
	log  []saying             // guarded by mu: warnings and errors of the log
	read int64                // guarded by mu: how much of the log was read
}

// run listens until ctx ends.
func (w *watch) run(ctx context.Context) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		w.once(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// once takes in what is said now. An agent that does not answer says nothing: that
// is found by what is waited for.
func (w *watch) once(ctx context.Context) {
	text, err := w.station.Status(ctx)
	var status struct {
		Bays []bayStatus `json:"bays"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &status)
	}
	at := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.now = map[string]bayStatus{}
		for _, b := range status.Bays {
			w.now[b.Port] = b
			for _, sentence := range append([]string{b.Message}, b.Alerts...) {
				w.hear(saying{at, b.Port, sentence})
			}
		}
	}
	w.readLog(at)
}

// hear keeps a sentence unless it is the last that was heard of its kind. mu is held.
func (w *watch) hear(s saying) {
	const recent = 500
	same := func(o saying) bool { return o.port == s.port && o.sentence == s.sentence }
	if !slices.ContainsFunc(w.said[max(0, len(w.said)-recent):], same) {
		w.said = append(w.said, s)
	}
}

// readLog takes in new lines of the log that name a bay. mu is held.
func (w *watch) readLog(at time.Time) {
	f, err := os.Open(w.station.LogPath("agent"))
	if err != nil {
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, w.read, 16<<20))
	if err != nil {
		return
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	w.read += int64(len(text))
	port := regexp.MustCompile(`\bbay=(\S+)`)
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "level=WARN") && !strings.Contains(line, "level=ERROR") && !strings.Contains(line, "camera taken out") {
			continue
		}
		if m := port.FindStringSubmatch(line); m != nil {
			w.log = append(w.log, saying{at, m[1], strings.TrimSpace(line)})
		}
	}
}

// bay is what the dock says of a bay now.
func (w *watch) bay(port string) bayStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now[port]
}

// heard finds a sentence about a bay, and where it was said: "status" or "log", or ""
// when it was not said since.
func (w *watch) heard(port string, since time.Time, pattern *regexp.Regexp) (where, sentence string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, source := range []struct {
		name string
		list []saying
	}{{"status", w.said}, {"log", w.log}} {
		for _, s := range source.list {
			if s.port == port && !s.at.Before(since) && pattern.MatchString(s.sentence) {
				return source.name, s.sentence
			}
		}
	}
	return "", ""
}

// complaints are the errors and warnings of the log that went on in a bay.
func (w *watch) complaints(port string) (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	const most = 6
	for _, s := range w.log {
		if s.port == port {
			list = append(list, s.sentence)
		}
	}
	return list[max(0, len(list)-most):]
}
