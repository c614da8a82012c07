package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/offload"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

type statusCommand struct {
	place
	Watch bool `help:"Go on until interrupted: progress bars on a terminal, a line per change elsewhere."`
	JSON  bool `name:"json" help:"One JSON object per reading, for programs."`
}

// Run shows the status.
func (c *statusCommand) Run(ctx context.Context) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	show := (&lines{out: os.Stdout}).show
	switch {
	case c.JSON:
		show = func(s *daemon.Status) error { return json.NewEncoder(os.Stdout).Encode(s) }
	case c.Watch && term.IsTerminal(int(os.Stdout.Fd())):
		progress := mpb.NewWithContext(ctx, mpb.WithOutput(os.Stdout), mpb.WithWidth(40))
		defer progress.Shutdown()
		show = (&bars{progress: progress, news: lines{out: progress}, all: map[string]*bar{}}).show
	}
	const pause = 500 * time.Millisecond
	for {
		s, err := daemon.FetchStatus(ctx, config.Data)
		if err == nil {
			err = show(s)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil || !c.Watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// lines prints a status as plain lines, each line only when it changed.
type lines struct {
	out   io.Writer
	shown map[string]string // by what the line is about
}

func (l *lines) show(s *daemon.Status) error {
	if err := l.head(s); err != nil {
		return err
	}
	if err := l.line("spool", spoolLine(s)); err != nil {
		return err
	}
	for _, b := range s.Bays {
		if err := l.line("bay "+b.Port, bayLine(b)); err != nil {
			return err
		}
		for _, alert := range b.Alerts {
			if err := l.once("bay "+b.Port+" !", alert); err != nil {
				return err
			}
		}
	}
	if len(s.Bays) == 0 {
		return l.line("bays", "No camera has been plugged in.")
	}
	return nil
}

// head prints whose status it is and how the server is reached.
func (l *lines) head(s *daemon.Status) error {
	if l.shown == nil {
		l.shown = map[string]string{}
		if _, err := fmt.Fprintf(l.out, "Dock %s, station %s, agency %s (agent %s)\n", s.Dock, s.Station, s.Agency, s.Version); err != nil {
			return err
		}
	}
	return l.line("server", s.Server.Message)
}

func (l *lines) line(about, text string) error {
	if l.shown[about] == text {
		return nil
	}
	l.shown[about] = text
	_, err := fmt.Fprintf(l.out, "%-10s %s\n", about, text)
	return err
}

// once prints a line unless it was printed before, whatever else is told about
// the same thing.
func (l *lines) once(about, text string) error {
	key := about + "\x00" + text
	if l.shown[key] != "" {
		return nil
	}
	l.shown[key] = text
	_, err := fmt.Fprintf(l.out, "%-10s %s\n", about, text)
	return err
}

func spoolLine(s *daemon.Status) string {
	line := fmt.Sprintf("%d recordings wait for the server, %s", s.Spool.Waiting, size(s.Spool.Bytes))
	if s.Spool.Quota > 0 {
		line += " of " + size(s.Spool.Quota)
	}
	if s.Spool.Words != "" {
		line += ". " + s.Spool.Words
	}
	return line
}

func bayLine(b offload.Status) string {
	if b.CameraSerial == "" {
		return fmt.Sprintf("[%s] %s", b.State, b.Message)
	}
	return fmt.Sprintf("[%s] camera %s: %d of %d recordings safe, %s of %s copied. %s", b.State, strings.TrimSpace(b.CameraSerial), b.RecordingsDone, b.RecordingsTotal, size(b.BytesDone), size(b.BytesTotal), b.Message)
}

// size gives bytes in the unit that people use.
func size(n uint64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n)/unit, "kMGTPE"
	for value >= unit && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	return fmt.Sprintf("%.1f %cB", value, units[0])
}

// bars draws a progress bar per bay on a terminal; above them stays what a person
// must read.
type bars struct {
	progress *mpb.Progress
	news     lines
	all      map[string]*bar
}

type bar struct {
	*mpb.Bar
	text chan string // the newest text, for the goroutine that draws
}

func (b *bars) show(s *daemon.Status) error {
	if err := b.tell(s); err != nil {
		return err
	}
	for _, bay := range s.Bays {
		known := b.all[bay.Port]
		if known == nil {
			known = b.add(bay.Port)
			b.all[bay.Port] = known
		}
		// A total of 0 would end the bar; a bay never ends.
		known.SetTotal(int64(max(bay.BytesTotal, 1)), false)
		known.SetCurrent(int64(bay.BytesDone))
		select {
		case <-known.text:
		default:
		}
		known.text <- fmt.Sprintf("%s/s [%s] %d/%d safe", size(bay.BytesPerSecond), bay.State, bay.RecordingsDone, bay.RecordingsTotal)
	}
	return nil
}

// tell prints what is new and needs a person.
func (b *bars) tell(s *daemon.Status) error {
	if err := b.news.head(s); err != nil {
		return err
	}
	for _, bay := range s.Bays {
		if bay.State == protocol.BayAttention {
			if err := b.news.line("bay "+bay.Port, bay.Message); err != nil {
				return err
			}
		}
		for _, alert := range bay.Alerts {
			if err := b.news.once("bay "+bay.Port+" !", alert); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bars) add(port string) *bar {
	text := make(chan string, 1)
	latest := ""
	draw := func(decor.Statistics) string {
		select {
		case latest = <-text:
		default:
		}
		return " " + latest
	}
	return &bar{text: text, Bar: b.progress.AddBar(0,
		mpb.PrependDecorators(decor.Name("bay "+port+" ", decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.Any(draw)))}
}
