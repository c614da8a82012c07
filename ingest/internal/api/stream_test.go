package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// told is one server-sent event; a comment has nothing set.
type told struct {
	id, name string
	data     struct {
		Type, Object string
		LogIndex     int64 `json:"log_index"`
		From         int64
		Docks        []struct{ Dock, Station string }
		Gone         []string
	}
}

// tuned is an open stream.
type tuned struct {
	*testing.T
	*http.Response
	lines *bufio.Scanner
}

// streaming is the API over real HTTP, with streams that beat fast.
func streaming(t *testing.T, s *readingtest.Store, limits api.Streams) *httptest.Server {
	if limits.Beat == 0 {
		limits.Beat = 300 * time.Millisecond
	}
	server := httptest.NewServer(api.New(api.Config{Auth: s.Auth, Reading: s.Reading, Packages: s.Packages, Fleet: s.Fleet, Cameras: s.Cameras, Cases: s.Cases, Uplink: s.Uplink, Annotate: s.Annotate, Inspection: s.Inspection, Streams: limits, Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(server.Close)
	return server
}

func tune(t *testing.T, server *httptest.Server, session, last string) *tuned {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(auth.Cookie(session))
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return &tuned{t, answer, bufio.NewScanner(answer.Body)}
}

// next returns the next event or comment; false at the end.
func (s *tuned) next() (e told, ok bool) {
	s.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "":
			return e, true
		case name == "id":
			e.id = value
		case name == "event":
			e.name = value
		case name == "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				s.Fatalf("%q: %v", line, err)
			}
		}
	}
	return e, false
}

// until returns the next event of a name; whatever comes before is let go by.
func (s *tuned) until(name string) told {
	s.Helper()
	for {
		e, ok := s.next()
		if !ok {
			s.Fatalf("the stream ended before %q: %v", name, s.lines.Err())
		}
		if e.name == name {
			return e
		}
	}
}

// happens adds an event of a type about an object, and has it signed.
func happens(t *testing.T, s *readingtest.Store, kind evidence.EventType, object string) {
	t.Helper()
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, evidence.Event{Agency: readingtest.Agency, Type: kind, Actor: evidence.Actor{Kind: "dock", ID: "front-desk"}, Object: object, Outcome: evidence.OutcomeDone})
		return err
	})
	s.Sequence(t)
}

// Events and docks come as they happen, and a stream is taken up behind the last event
// that came. Following all of the log is on record itself.
func TestAStreamTellsAndIsTakenUp(t *testing.T) {
	s := readingtest.New(t)
	session := s.SetUp(t)
	s.Sequence(t)
	server := streaming(t, s, api.Streams{})
	stream := tune(t, server, session, "")
	if kind := stream.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("%s %s", stream.Status, kind)
	}
	if e, _ := stream.next(); e.name != "" {
		t.Errorf("no comment comes first: %+v", e)
	}
	s.Sequence(t)
	if e := stream.until("custody"); e.data.Type != string(evidence.EventAuditRead) {
		t.Errorf("%+v", e)
	}
	happens(t, s, evidence.EventServerStarted, "")
	first := stream.until("custody")
	if first.data.Type != string(evidence.EventServerStarted) || first.id == "" {
		t.Errorf("%+v", first)
	}
	s.Live.Set(reading.Live{Docks: []reading.LiveDock{{Agency: string(readingtest.Agency), Station: "north", Dock: "front-desk", Connected: true}}})
	if e := stream.until("docks"); len(e.data.Docks) != 1 || e.data.Docks[0].Dock != "front-desk" || e.id != "" {
		t.Errorf("%+v", e)
	}
	s.Live.Set(reading.Live{})
	if e := stream.until("docks"); len(e.data.Gone) != 1 {
		t.Errorf("%+v", e)
	}
	stream.until("") // and comments go on
	stream.Body.Close()

	happens(t, s, evidence.EventBackupMade, "")
	again := tune(t, server, session, first.id)
	if e := again.until("custody"); e.data.Type != string(evidence.EventBackupMade) {
		t.Errorf("taken up with %+v", e)
	}
	if e := tune(t, server, session, "9999999").until("missed"); e.data.From == 0 {
		t.Errorf("%+v", e)
	}
	for _, bad := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		if answer := tune(t, server, session, bad); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("Last-Event-ID %q: %s", bad, answer.Status)
		}
	}
}

// Who may not search the log is told of recordings within reach, and of nothing else; and
// of docks at stations within reach.
func TestAStreamHoldsWhatIsWithinReach(t *testing.T) {
	s := readingtest.New(t)
	boss := s.Actor(t, s.SetUp(t))
	s.Enrol(t, "harbour", "pier-4")
	own := s.Keep(t, readingtest.Recording{Path: "DCIM/OWN.MP4", Badge: "B-17", Content: []byte("own")})
	other := s.Keep(t, readingtest.Recording{Path: "DCIM/OTHER.MP4", Badge: "B-99", Dock: "pier-4", Station: "harbour", Content: []byte("other")})
	server := streaming(t, s, api.Streams{})
	join := func(login string, role auth.Role) string {
		t.Helper()
		_, token, err := s.Auth.Desk(boss).Invite(t.Context(), auth.NewPerson{Login: login, Name: login, Role: role, OfficerID: map[bool]string{true: "B-17"}[role == auth.Officer]})
		if err == nil {
			err = s.Auth.Join(t.Context(), token, readingtest.Password, auth.Origin{Address: "127.0.0.1"})
		}
		session := ""
		if err == nil {
			s.Clock.Advance(3 * time.Second)
			session, err = s.Auth.SignIn(t.Context(), login, readingtest.Password, "", auth.Origin{Address: "127.0.0.1"})
		}
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	officer, supervisor := join("o.fficer", auth.Officer), join("s.upervisor", auth.Supervisor)
	if _, err := s.Auth.Desk(boss).Grant(t.Context(), catalog.Grant{Holder: catalog.ToRole, HolderID: string(auth.Supervisor), Role: string(auth.Supervisor), Scope: catalog.OnStation, Value: "harbour"}); err != nil {
		t.Fatal(err)
	}
	s.Live.Set(reading.Live{Docks: []reading.LiveDock{
		{Agency: string(readingtest.Agency), Station: "north", Dock: "front-desk"}, {Agency: string(readingtest.Agency), Station: "harbour", Dock: "pier-4"}, {Agency: "other-pd", Station: "harbour", Dock: "theirs"}}})
	s.Sequence(t)
	streams := map[string]*tuned{evidence.ItemObject(own.ID): tune(t, server, officer, ""), evidence.ItemObject(other.ID): tune(t, server, supervisor, "")}
	docks := streams[evidence.ItemObject(other.ID)].until("docks").data.Docks
	if len(docks) != 1 || docks[0].Dock != "pier-4" {
		t.Errorf("the supervisor sees %+v", docks)
	}
	streams[evidence.ItemObject(own.ID)].until("")
	happens(t, s, evidence.EventUserChanged, "user:feed")
	happens(t, s, evidence.EventDockConnected, "dock:pier-4")
	happens(t, s, evidence.EventEvidenceStored, "item:"+strings.Repeat("0", 32))
	for range 2 {
		happens(t, s, evidence.EventEvidenceStored, evidence.ItemObject(own.ID))
		happens(t, s, evidence.EventEvidenceStored, evidence.ItemObject(other.ID))
	}
	for object, stream := range streams {
		for range 2 {
			if e := stream.until("custody"); e.data.Object != object {
				t.Errorf("a stream for %s holds %+v", object, e)
			}
		}
	}
	// Alerts follow their stations.
	for _, object := range []string{"server:store", "dock:front-desk", "dock:pier-4"} {
		s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
			a := &catalog.Alert{Agency: readingtest.Agency, Code: catalog.AlertSpoolFilling, Severity: catalog.SeverityWarning, Object: object, Message: "look", LastAt: s.Clock.Now()}
			if err := alarm.Raise(ctx, tx, a, nil); err != nil {
				return err
			}
			return alarm.Clear(ctx, tx, a, "over", nil)
		})
	}
	happens(t, s, evidence.EventEvidenceStored, evidence.ItemObject(other.ID))
	for _, want := range []string{"alert.raised dock:pier-4", "alert.cleared dock:pier-4", "evidence.stored " + evidence.ItemObject(other.ID)} {
		if e := streams[evidence.ItemObject(other.ID)].until("custody"); string(e.data.Type)+" "+e.data.Object != want {
			t.Errorf("the supervisor is told of %s %s, want %s", e.data.Type, e.data.Object, want)
		}
	}
	if n := s.Events(t, evidence.EventAuditRead, ""); n != 0 {
		t.Errorf("%d searches of the log are on record", n)
	}
}

// A stream ends within a second of its session, and of the account.
func TestAStreamEndsWithItsSession(t *testing.T) {
	for name, end := range map[string]func(*readingtest.Store, string) error{
		"signed out": func(s *readingtest.Store, session string) error {
			return s.Auth.SignOut(t.Context(), session, auth.Origin{Address: "127.0.0.1"})
		},
		"disabled": func(s *readingtest.Store, session string) error {
			return s.DB.Update(t.Context(), func(tx *sqldb.Tx) error {
				u, err := tx.UserByLogin(t.Context(), "a.moreno")
				if err != nil {
					return err
				}
				u.DisabledAt = s.Clock.Now()
				return tx.UpdateUser(t.Context(), u)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := readingtest.New(t)
			session := s.SetUp(t)
			stream := tune(t, streaming(t, s, api.Streams{}), session, "")
			stream.until("")
			if err := end(s, session); err != nil {
				t.Fatal(err)
			}
			ended := time.Now()
			stream.until("end")
			if _, ok := stream.next(); ok {
				t.Error("it goes on")
			}
			if took := time.Since(ended); took > time.Second {
				t.Logf("it took %s on this machine", took)
				if took > 5*time.Second {
					t.Error("it does not end by itself")
				}
			}
		})
	}
}

// One person cannot hold all streams, and whoever goes makes room.
func TestStreamsAreBounded(t *testing.T) {
	s := readingtest.New(t)
	session := s.SetUp(t)
	server := streaming(t, s, api.Streams{All: 3, Each: 2})
	first := tune(t, server, session, "")
	tune(t, server, session, "")
	if answer := tune(t, server, session, ""); answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
		t.Error(answer.Status)
	}
	first.Body.Close()
	for {
		if answer := tune(t, server, session, ""); answer.StatusCode == http.StatusOK {
			return
		}
	}
}

// Who does not read what is written is cut off.
func TestAReaderWhoDoesNotReadIsCutOff(t *testing.T) {
	s := readingtest.New(t)
	session := s.SetUp(t)
	s.Sequence(t)
	server := streaming(t, s, api.Streams{Each: 1, Write: 200 * time.Millisecond})
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	io.WriteString(conn, "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 0\r\nCookie: "+auth.Cookie(session).String()+"\r\n\r\n")
	long := strings.Repeat("x", 400)
	for n := 0; ; n++ { // more than all buffers between the two take
		s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
			for range 2000 {
				if _, err := tx.AppendEvent(ctx, evidence.Event{Agency: readingtest.Agency, Type: evidence.EventDockConnected, Actor: evidence.Actor{Kind: "dock", ID: long}, Object: "dock:" + long, Outcome: evidence.OutcomeDone}); err != nil {
					return err
				}
			}
			return nil
		})
		s.Sequence(t)
		if answer := tune(t, server, session, ""); answer.StatusCode == http.StatusOK {
			return // its seat is free again
		} else if n > 30 {
			t.Fatal("it still holds its seat")
		}
	}
}
