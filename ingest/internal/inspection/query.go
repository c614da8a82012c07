package inspection

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Query is what a person asks of the custody log, in a person's words. All that is
// set applies.
type Query struct {
	Person  string // who acted: name, sign-in name or id; "local" is whoever ran the server's commands
	Machine string // what acted: the name of a dock, "server" or "provisioner"
	About   string // kind of object: item, camera, dock, person
	Object  string // which: id of an item or its first 8 digits, serial, name
	Act     string // a type of event, or "group:" and the name of a Group
	Outcome string // done, refused, failed; or "not-done": the last two
	Address string
	From    time.Time // at or after
	To      time.Time // before
	Event   int64     // only this one, by its row id
}

// QueryError says which field of a query cannot be meant.
type QueryError struct {
	Field string // as in Text
	Why   string // for the person who asked
}

func (e *QueryError) Error() string { return e.Field + ": " + e.Why }

// Text is the query in one form, as it stands in the custody record.
func (q *Query) Text() string {
	v := url.Values{}
	for name, value := range map[string]string{"person": q.Person, "machine": q.Machine, "about": q.About, "object": q.Object, "act": q.Act, "outcome": q.Outcome, "address": q.Address} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !at.IsZero() {
			v.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if q.Event != 0 {
		v.Set("event", strconv.FormatInt(q.Event, 10))
	}
	if len(v) == 0 {
		return "everything"
	}
	return v.Encode()
}

const maxField = 256 // bytes

// check bounds what came from outside.
func (q *Query) check() error {
	for field, value := range map[string]string{"person": q.Person, "machine": q.Machine, "about": q.About, "object": q.Object, "act": q.Act, "outcome": q.Outcome, "address": q.Address} {
		if len(value) > maxField || !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return &QueryError{field, fmt.Sprintf("text of at most %d bytes", maxField)}
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return &QueryError{"to", "the end of the time span is not after its beginning"}
	}
	return nil
}

// resolve turns names into what the events hold. The error is a QueryError where the
// query cannot be meant.
func (s *Service) resolve(ctx context.Context, q Query, people *people) (f catalog.EventSearch, err error) {
	if err := q.check(); err != nil {
		return f, err
	}
	f = catalog.EventSearch{Agency: s.Agency, From: q.From, To: q.To, Source: q.Address}
	switch {
	case q.Person != "" && q.Machine != "":
		return f, &QueryError{"machine", "an act is a person's or a machine's: choose one of the two"}
	case q.Person != "":
		f.ActorKind = "user"
		if f.ActorID, err = people.find("person", q.Person); err != nil {
			return f, err
		}
	case q.Machine == "server", q.Machine == "provisioner":
		f.ActorKind = q.Machine
	case q.Machine != "":
		f.ActorKind, f.ActorID = "dock", q.Machine
	}
	if f.Object, err = s.object(ctx, q, people); err != nil {
		return f, err
	}
	if group, ok := strings.CutPrefix(q.Act, "group:"); ok {
		if f.Types = typesOf(Group(group)); f.Types == nil {
			return f, &QueryError{"act", "there is no such group of acts"}
		}
		if Group(group) == Administration && f.ActorKind == "" {
			f.ActorKind = "user"
		}
	} else if q.Act != "" {
		f.Types = []evidence.EventType{evidence.EventType(q.Act)}
	}
	switch q.Outcome {
	case "":
	case "not-done":
		f.NotDone = true
	case string(evidence.OutcomeDone), string(evidence.OutcomeRefused), string(evidence.OutcomeFailed):
		f.Outcome = evidence.Outcome(q.Outcome)
	default:
		return f, &QueryError{"outcome", "done, refused, failed or not-done"}
	}
	return f, nil
}

func (s *Service) object(ctx context.Context, q Query, people *people) (string, error) {
	switch {
	case q.Object == "" && q.About == "":
		return "", nil
	case q.Object == "":
		return "", &QueryError{"object", "say which " + q.About + " it is about"}
	}
	switch q.About {
	case "item":
		return s.item(ctx, q.Object)
	case "camera":
		return evidence.CameraObject(q.Object), nil
	case "dock":
		return evidence.DockObject(evidence.DockID(q.Object)), nil
	case "person":
		id, err := people.find("object", q.Object)
		return "user:" + id, err
	}
	return "", &QueryError{"about", "item, camera, dock or person"}
}

// item finds an item by its id or the beginning of it.
func (s *Service) item(ctx context.Context, text string) (string, error) {
	text = strings.ToLower(text)
	if id, err := evidence.ParseEvidenceID(text); err == nil {
		return evidence.ItemObject(id), nil
	}
	if len(text) < 8 || len(text) > 32 || strings.Trim(text, "0123456789abcdef") != "" {
		return "", &QueryError{"object", "an item is named by its id: 32 digits from 0 to 9 and a to f, or the first 8 of them"}
	}
	ids, err := s.Catalog.ItemIDs(ctx, s.Agency, text, 2)
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", &QueryError{"object", "no item has an id that begins so"}
	case len(ids) > 1:
		return "", &QueryError{"object", "more than one item has an id that begins so: give more digits"}
	}
	return evidence.ItemObject(ids[0]), nil
}

// people are an agency's accounts, by id.
type people struct{ all map[string]catalog.User }

func (s *Service) people(ctx context.Context) (*people, error) {
	rows, err := s.Catalog.Users(ctx, s.Agency)
	if err != nil {
		return nil, err
	}
	p := &people{make(map[string]catalog.User, len(rows))}
	for _, u := range rows {
		p.all[u.ID] = u
	}
	return p, nil
}

// People lists the names of an agency's accounts, for who searches the log.
func (s *Service) People(ctx context.Context, actor *auth.Actor) ([]string, error) {
	if !auth.May(actor, auth.ReadAudit, auth.Object{Agency: s.Agency}) {
		return nil, auth.ErrForbidden
	}
	rows, err := s.Catalog.Users(ctx, s.Agency)
	names := make([]string, len(rows))
	for i := range rows {
		names[i] = rows[i].Name
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// find returns the id of whoever a text names.
func (p *people) find(field, text string) (string, error) {
	if _, ok := p.all[text]; ok || text == "local" {
		return text, nil
	}
	var named []string
	for id, u := range p.all {
		if strings.EqualFold(u.Login, text) {
			return id, nil
		}
		if strings.EqualFold(u.Name, text) {
			named = append(named, id)
		}
	}
	switch len(named) {
	case 0:
		return "", &QueryError{field, "nobody has this name or sign-in name"}
	case 1:
		return named[0], nil
	}
	return "", &QueryError{field, "several people have this name: give the sign-in name"}
}

// name is what a person is called now, "" when there is no such account.
func (p *people) name(id string) string { return p.all[id].Name }
