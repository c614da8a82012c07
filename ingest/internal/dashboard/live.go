package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// The live overview's rhythm: at most one drawing each drawEvery, however often
// docks report; one each redrawEvery, since times pass and items arrive without
// a dock's report; and each write must get through within writeTime.
const (
	drawEvery   = 500 * time.Millisecond
	redrawEvery = 5 * time.Second
	writeTime   = 10 * time.Second
)

// live streams the overview's drawings as server-sent events (WHATWG HTML
// section 9.2). Each drawing is also the heartbeat. The stream ends with the
// session, and watching does not keep the session alive.
func (d *Dashboard) live(w http.ResponseWriter, r *http.Request) {
	token, origin := auth.Token(r), auth.OriginOf(r)
	if _, err := d.Auth.Peek(r.Context(), token, origin); err != nil {
		d.turnAway(w, r)
		return
	}
	select {
	case d.clients <- struct{}{}:
		defer func() { <-d.clients }()
	default:
		w.Header().Set("Retry-After", "30")
		d.problem(w, r, nil, http.StatusServiceUnavailable, "Too many live views", "The overview is open in too many browsers. This page shows the state of when it was loaded.")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	s := &stream{w: w, control: http.NewResponseController(w)}
	if err := d.watch(r.Context(), s, token, origin); err != nil && r.Context().Err() == nil {
		d.Log.DebugContext(r.Context(), "a live overview ended", "error", err)
	}
}

// watch draws until the client goes, the session ends, or a write fails.
func (d *Dashboard) watch(ctx context.Context, s *stream, token string, origin auth.Origin) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		changed := d.Reading.Live.Changed() // before drawing, to miss nothing
		actor, err := d.Auth.Peek(ctx, token, origin)
		if errors.Is(err, auth.ErrNoSession) {
			return s.send("end", "{}")
		} else if err != nil {
			return err
		}
		if err := d.draw(ctx, s, actor); err != nil {
			return err
		}
		if err := rest(ctx, drawEvery, nil, pause); err != nil {
			return err
		}
		if err := rest(ctx, redrawEvery, changed, pause); err != nil {
			return err
		}
	}
}

// rest waits for the time to pass or the channel to close.
func rest(ctx context.Context, long time.Duration, early <-chan struct{}, timer *time.Timer) error {
	timer.Reset(long)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-early:
	case <-timer.C:
	}
	return nil
}

func (d *Dashboard) draw(ctx context.Context, s *stream, actor *auth.Actor) error {
	o, err := d.Reading.Overview(ctx, actor)
	if err != nil {
		return err
	}
	v := d.wall(o)
	if v.Alerts, v.OpenAlerts, err = d.pressingAlerts(ctx, actor); err != nil {
		return err
	}
	var html bytes.Buffer
	if err := d.pages.ExecuteTemplate(&html, "wall", v); err != nil {
		return fmt.Errorf("drawing the overview: %w", err)
	}
	data, err := json.Marshal(map[string]any{"html": html.String(), "at": d.clockText(o.At), "quarantined": v.Quarantined, "alerts": v.OpenAlerts})
	if err != nil {
		return err
	}
	return s.send("wall", string(data))
}

// stream writes server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s *stream) send(event, data string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", event, data); err != nil {
		return err
	}
	return s.control.Flush()
}
