package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/eventstream"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Streams bounds event streams; what is zero is as the comment says.
type Streams struct {
	All   int           // open at once; 128
	Each  int           // of one person; 4
	Beat  time.Duration // between two comments of a stream that has nothing to say; 15 s
	Write time.Duration // for a reader to take one write; 10 s
}

const (
	streamLook = 500 * time.Millisecond // how often it is seen what is new, and that the session stands
	docksEvery = 5 * time.Second        // how often docks are looked at that report nothing: times pass
	// maxResumed is how many entries of the custody log a stream is taken up behind; who
	// was away for longer asks /api/v1/events.
	maxResumed = 50_000
)

func (a *api) streamRoutes() []Route {
	s := a.Streams
	if s.All <= 0 {
		s.All = 128
	}
	if s.Each <= 0 {
		s.Each = 4
	}
	if s.Beat <= 0 {
		s.Beat = 15 * time.Second
	}
	seats := eventstream.NewSeats(s.All, s.Each)
	route := newRoute[Nothing]("GET /api/v1/stream", Description{
		Tag: "Audit", Summary: "What happens, as it happens", Asks: []auth.Action{auth.ReadAudit, auth.ViewItem, auth.ListAlerts, auth.ListDocks}, Follows: true, Codes: []int{http.StatusTooManyRequests},
		About: "Server-sent events: custody (an event of the record), docks (those that have changed, and the names of those that are gone), missed and end. With Last-Event-ID it is taken up behind that event.",
	})
	route.media, route.status = []string{"text/event-stream"}, http.StatusOK
	route.serve = func(a *api, w http.ResponseWriter, q *Request) error { return a.stream(w, q, seats, s) }
	return []Route{route}
}

// stream sends what the person may see as it happens: custody events, and docks that have
// changed. It ends with the session, and does not keep it alive.
func (a *api) stream(w http.ResponseWriter, r *Request, seats *eventstream.Seats, limits Streams) error {
	last := r.Header.Get("Last-Event-ID")
	after, err := strconv.ParseUint(last, 10, 62)
	if last != "" && err != nil {
		return refuse(http.StatusBadRequest, "The stream cannot be taken up", "Last-Event-ID: the id of the last event that came, or leave it out.")
	}
	done, err := seats.Take(r.Actor.User)
	if err != nil {
		p := refuse(http.StatusTooManyRequests, "Too many streams", err.Error())
		p.retry = 30
		return p
	}
	defer done()
	next, err := a.Reading.BeginFeed(r.Context(), r.Actor)
	if err == nil {
		err = a.Inspection.Follow(r.Context(), r.Actor)
	}
	if err != nil {
		return err
	}
	f := &follower{api: a, asked: r, actor: r.Actor, peeked: time.Now(), out: eventstream.Begin(w, limits.Write), beat: limits.Beat, next: next, docks: map[string][]byte{}}
	w.Header().Set("Cache-Control", "no-store")
	if last != "" {
		f.next = int64(after) + 1
		if missed := next - f.next; missed > maxResumed || missed < 0 {
			f.next = next - min(max(missed, 0), maxResumed)
			err = f.send("", "missed", map[string]int64{"from": f.next})
		}
	}
	if err == nil {
		err = f.follow(r.Context())
	}
	if err != nil && r.Context().Err() == nil && !errors.Is(err, errOver) {
		a.Log.DebugContext(r.Context(), "a stream ended", "error", err)
	}
	return nil // what was to be said went over the stream
}

// follower is one open stream.
type follower struct {
	api    *api
	asked  *Request
	actor  *auth.Actor
	peeked time.Time // when the session was last seen to stand
	out    *eventstream.Stream
	beat   time.Duration
	spoke  time.Time
	next   int64             // index in the custody log
	docks  map[string][]byte // as they were sent last, by name
}

// errOver: the session ended, and the reader was told.
var errOver = errors.New("the session has ended")

func (f *follower) send(id, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f.spoke = time.Now()
	return f.out.Send(id, name, string(data))
}

// still sees that the session stands, at most streamLook ago, and what it may do now.
func (f *follower) still(ctx context.Context) error {
	if time.Since(f.peeked) < streamLook {
		return nil
	}
	actor, err := f.api.now(f.asked)
	if err != nil {
		return errors.Join(errOver, f.send("", "end", struct{}{}))
	}
	f.actor, f.peeked = actor, time.Now()
	return nil
}

func (f *follower) follow(ctx context.Context) error {
	tick := time.NewTicker(streamLook)
	defer tick.Stop()
	if err := f.out.Beat(); err != nil { // the reader sees at once that it is let in
		return err
	}
	f.spoke = time.Now()
	changed := f.api.Reading.Live.Changed()
	if err := f.wall(ctx); err != nil {
		return err
	}
	looked := time.Now()
	for {
		if err := f.events(ctx); err != nil {
			return err
		}
		select {
		case <-changed:
			looked = time.Time{}
		default:
		}
		if time.Since(looked) >= docksEvery {
			changed, looked = f.api.Reading.Live.Changed(), time.Now() // before looking, to miss nothing
			if err := f.wall(ctx); err != nil {
				return err
			}
		}
		if time.Since(f.spoke) >= f.beat {
			f.spoke = time.Now()
			if err := f.out.Beat(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := f.still(ctx); err != nil {
			return err
		}
	}
}

// streamed is an event as a stream tells of it. Who wants all of it asks for it.
type streamed struct {
	ID       int64              `json:"id"` // as in /api/v1/events
	LogIndex int64              `json:"log_index"`
	Type     evidence.EventType `json:"type"`
	At       time.Time          `json:"at"`
	Object   string             `json:"object,omitempty"`
	Outcome  evidence.Outcome   `json:"outcome"`
	Actor    streamedActor      `json:"actor"`
}

type streamedActor struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// events sends what is new in the custody log.
func (f *follower) events(ctx context.Context) error {
	for {
		rows, next, err := f.api.Reading.Feed(ctx, f.actor, f.next)
		if err != nil || next == f.next {
			return err
		}
		for i := range rows {
			if err := f.event(ctx, &rows[i]); err != nil {
				return err
			}
		}
		f.next = next
		if err := f.still(ctx); err != nil {
			return err
		}
	}
}

func (f *follower) event(ctx context.Context, e *catalog.EventRow) error {
	if err := f.still(ctx); err != nil { // a slow reader may be at it for long
		return err
	}
	index := *e.LogIndex
	return f.send(strconv.FormatInt(index, 10), "custody", streamed{e.ID, index, e.Type, e.At, e.Object, e.Outcome, streamedActor{e.ActorKind, e.ActorID}})
}

// wall sends the docks that are not as they were, and the names of those that are gone.
func (f *follower) wall(ctx context.Context) error {
	all, err := f.api.Reading.Docks(ctx, f.actor)
	if errors.Is(err, reading.ErrForbidden) {
		all, err = nil, nil
	}
	if err != nil {
		return err
	}
	shapes := docksOf(all)
	var differ []json.RawMessage
	gone := []string{}
	seen := map[string]bool{}
	for i := range all {
		text, err := json.Marshal(shapes[i])
		if err != nil {
			return err
		}
		name := all[i].Dock
		if seen[name] = true; !bytes.Equal(f.docks[name], text) {
			f.docks[name] = text
			differ = append(differ, text)
		}
	}
	for name := range f.docks {
		if !seen[name] {
			delete(f.docks, name)
			gone = append(gone, name)
		}
	}
	if len(differ) == 0 && len(gone) == 0 {
		return nil
	}
	return f.send("", "docks", map[string]any{"docks": differ, "gone": gone})
}
