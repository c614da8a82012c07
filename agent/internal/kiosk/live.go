package kiosk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"
)

// page serves the whole page. Where the drawing is old it says so instead, and
// asks again by itself.
func (k *Kiosk) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	d, fresh := k.board.look()
	if !fresh {
		w.Header().Set("Refresh", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
		if err := k.pages.ExecuteTemplate(w, "silent", nil); err != nil {
			k.options.Log.DebugContext(r.Context(), "the bay page was not sent", "error", err)
		}
		return
	}
	// The drawing was made by the same html/template: its texts are escaped.
	shown := map[string]any{"Wall": template.HTML(d.html), "Release": k.assets.release}
	if err := k.pages.ExecuteTemplate(w, "page", shown); err != nil {
		k.options.Log.DebugContext(r.Context(), "the bay page was not sent", "error", err)
	}
}

// live streams drawings as server-sent events (WHATWG HTML section 9.2): the
// wall when it changed, else only a sign of life. No drawing, no sign: a page
// that hears nothing for a few seconds must not show what it last heard.
func (k *Kiosk) live(w http.ResponseWriter, r *http.Request) {
	s := &stream{w: w, control: http.NewResponseController(w)}
	if err := s.control.SetReadDeadline(time.Time{}); err != nil { // the request has been read
		k.problem(w, http.StatusInternalServerError, "No live view", "This connection cannot stay open.")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	var err error
	select {
	case k.lives <- struct{}{}:
		err = k.watch(r.Context(), s)
		<-k.lives
	default:
		err = s.send("full", "{}") // EventSource cannot read a status code
	}
	if err != nil && r.Context().Err() == nil {
		k.options.Log.DebugContext(r.Context(), "a live bay page ended", "error", err)
	}
}

// watch sends until the client goes, the agent stops, or a write fails.
func (k *Kiosk) watch(ctx context.Context, s *stream) error {
	last := ""
	for {
		d, fresh := k.board.look()
		if fresh {
			event, body := "same", map[string]string{}
			if d.html != last {
				event, body, last = "wall", map[string]string{"html": d.html, "release": k.assets.release}, d.html
			}
			data, err := json.Marshal(body)
			if err != nil {
				return err
			}
			if err := s.send(event, string(data)); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.next:
		}
	}
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
