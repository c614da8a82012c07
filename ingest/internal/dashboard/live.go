package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/eventstream"
)

// The rhythm of live pages: at most one drawing each drawEvery, however often
// docks report; and one each redrawEvery, since times pass and items arrive without
// a dock's report.
const (
	drawEvery   = 500 * time.Millisecond
	redrawEvery = 5 * time.Second
	askEvery    = 500 * time.Millisecond // whether the person may still watch
)

// drawing draws the live piece of a page for a person.
type drawing struct {
	changed func() <-chan struct{} // closed when there is something new to draw
	// draw may leave out what the page has, and notes in page what it will have.
	draw func(ctx context.Context, actor *auth.Actor, page told) (html string, at time.Time, err error)
}

// live streams the overview.
func (d *Dashboard) live(w http.ResponseWriter, r *http.Request) {
	d.watchOver(w, r, drawing{d.Reading.Live.Changed, d.drawWall})
}

// watchOver streams drawings as server-sent events (WHATWG HTML section 9.2).
// Each drawing is also the heartbeat. The stream ends with the session, and
// watching does not keep the session alive.
func (d *Dashboard) watchOver(w http.ResponseWriter, r *http.Request, what drawing) {
	token, origin := auth.Token(r), auth.OriginOf(r)
	actor, err := d.Auth.Peek(r.Context(), token, origin)
	if err != nil {
		d.turnAway(w, r)
		return
	}
	if _, _, err := what.draw(r.Context(), actor, nil); errors.Is(err, auth.ErrForbidden) || errors.Is(err, catalog.ErrNotFound) {
		d.fail(w, r, actor, err)
		return
	}
	select {
	case d.clients <- struct{}{}:
		defer func() { <-d.clients }()
	default:
		w.Header().Set("Retry-After", "30")
		d.problem(w, r, nil, http.StatusServiceUnavailable, "Too many live views", "Live pages are open in too many browsers. This page shows the state of when it was loaded.")
		return
	}
	s := eventstream.Begin(w, 0)
	if err := d.watch(r.Context(), s, token, origin, what); err != nil && r.Context().Err() == nil {
		d.Log.DebugContext(r.Context(), "a live page ended", "error", err)
	}
}

// watch draws until the client goes, the session ends, or a write fails.
func (d *Dashboard) watch(ctx context.Context, s *eventstream.Stream, token string, origin auth.Origin, what drawing) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	page := told{}
	for {
		changed := what.changed() // before drawing, to miss nothing
		actor, err := d.Auth.Peek(ctx, token, origin)
		if errors.Is(err, auth.ErrNoSession) {
			return s.Send("", "end", "{}")
		} else if err != nil {
			return err
		}
		if err := d.draw(ctx, s, actor, page, what); err != nil {
			return err
		}
		if err := rest(ctx, drawEvery, nil, pause); err != nil {
			return err
		}
		if err := d.restWatched(ctx, s, token, origin, changed, pause); err != nil {
			return err
		}
	}
}

// errEnded: the session ended, and the page was told.
var errEnded = errors.New("the session has ended")

// restWatched is rest until the next drawing, and sees meanwhile that the session
// still stands.
func (d *Dashboard) restWatched(ctx context.Context, s *eventstream.Stream, token string, origin auth.Origin, changed <-chan struct{}, pause *time.Timer) error {
	for range redrawEvery / askEvery {
		if err := rest(ctx, askEvery, changed, pause); err != nil {
			return err
		}
		select {
		case <-changed:
			return nil
		default:
		}
		if _, err := d.Auth.Peek(ctx, token, origin); errors.Is(err, auth.ErrNoSession) {
			return errors.Join(errEnded, s.Send("", "end", "{}"))
		} else if err != nil {
			return err
		}
	}
	return nil
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

// draw sends one drawing, with what the frame around it counts.
func (d *Dashboard) draw(ctx context.Context, s *eventstream.Stream, actor *auth.Actor, page told, what drawing) error {
	html, at, err := what.draw(ctx, actor, page)
	if err != nil {
		return err
	}
	held, err := d.Reading.HeldBack(ctx, actor)
	if err != nil && !errors.Is(err, auth.ErrForbidden) {
		return err
	}
	open, err := d.Cameras.For(actor).OpenAlerts(ctx)
	if err != nil && !errors.Is(err, auth.ErrForbidden) {
		return err
	}
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false) // it stands in no page, and would be a third longer
	if err := encoder.Encode(map[string]any{"html": html, "at": d.clockText(at), "quarantined": max(held, 0), "alerts": max(open, 0)}); err != nil {
		return err
	}
	return s.Send("", "wall", strings.TrimSuffix(data.String(), "\n"))
}

func (d *Dashboard) drawWall(ctx context.Context, actor *auth.Actor, page told) (string, time.Time, error) {
	o, err := d.Reading.Overview(ctx, actor)
	if err != nil {
		return "", time.Time{}, err
	}
	v, err := d.wall(o, page)
	if err != nil {
		return "", time.Time{}, err
	}
	if v.Alerts, v.OpenAlerts, err = d.pressingAlerts(ctx, actor); err != nil {
		return "", time.Time{}, err
	}
	html, err := d.drawn("wall", v)
	return html, o.At, err
}

// drawn is a piece of a page.
func (d *Dashboard) drawn(name string, view any) (string, error) {
	var html bytes.Buffer
	if err := d.pages.ExecuteTemplate(&html, name, view); err != nil {
		return "", fmt.Errorf("drawing %s: %w", name, err)
	}
	return html.String(), nil
}
