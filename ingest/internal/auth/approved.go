package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

type runKey struct{}

// run is an approved act under way, as whoever asked.
type run struct {
	row   *catalog.ActRequest
	actor *Actor
	done  bool // the act was let through
}

// Running is who an approved act is done as; nil for every other request.
func Running(ctx context.Context) *Actor {
	if r, ok := ctx.Value(runKey{}).(*run); ok {
		return r.actor
	}
	return nil
}

// clear lets through what was approved, and nothing else.
func (r *run) clear(a *Actor, act Act) error {
	objects, err := json.Marshal(objectsOf(act.On))
	if err != nil {
		return err
	}
	if a.User != r.row.User || string(act.Do) != r.row.Action || string(objects) != r.row.Objects || act.About != r.row.About {
		return ErrNotSeen
	}
	r.done = true
	return nil
}

// Serve says who answers at a door, so that what was asked there can be done once it is
// approved. It is called before the service is used.
func (s *Service) Serve(door string, h http.Handler) {
	if s.doors == nil {
		s.doors = map[string]http.Handler{}
	}
	s.doors[door] = h
}

// answered is what a door says to an approved act.
type answered struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

func (w *answered) Header() http.Header { return w.head }

func (w *answered) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
}

func (w *answered) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if left := maxAsked - w.body.Len(); left > 0 {
		w.body.Write(p[:min(left, len(p))])
	}
	return len(p), nil
}

// do asks again for what was asked, at the same door.
func (s *Service) do(ctx context.Context, asked *Asked, r *run) error {
	door := s.doors[asked.Door]
	if door == nil {
		return fmt.Errorf("nobody answers at the door %q", asked.Door)
	}
	request, err := http.NewRequestWithContext(ctx, asked.Method, asked.URI, strings.NewReader(asked.Body))
	if err != nil {
		return err
	}
	if asked.Type != "" {
		request.Header.Set("Content-Type", asked.Type)
	}
	request.RemoteAddr = r.actor.Origin.Address + ":0"
	w := &answered{head: http.Header{}}
	door.ServeHTTP(w, request)
	if w.status >= 400 || !r.done {
		return &DecisionError{"it could not be done as it was asked for, and nothing was changed: " + w.why()}
	}
	return nil
}

// why says what a door had against an approved act, as far as it is known.
func (w *answered) why() string {
	var problem struct{ Detail string }
	if json.NewDecoder(io.LimitReader(&w.body, maxAsked)).Decode(&problem) == nil && problem.Detail != "" {
		return problem.Detail
	}
	if w.head.Get(refusalHeader) != "" {
		return w.head.Get(refusalHeader)
	}
	return "things are not as they were then"
}

// refusalHeader tells Approve what a page says; it never leaves the server.
const refusalHeader = "Sealdock-Refusal"

// TellRefusal lets a page that refuses an approved act say why.
func TellRefusal(w http.ResponseWriter, r *http.Request, why string) {
	if Running(r.Context()) != nil {
		w.Header().Set(refusalHeader, clip(why, 1000))
	}
}
