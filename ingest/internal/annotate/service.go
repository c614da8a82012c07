package annotate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Bounds of what is taken, in bytes.
const (
	MaxTitle    = 200
	MaxNote     = 4000
	MaxCategory = 200
	MaxIncident = 100
	MaxPlace    = 200
	MaxTag      = 50
	MaxTags     = 20
	MaxReason   = 400
	MaxHistory  = 200 // changes that History returns
)

// The errors that callers tell apart, beside auth.ErrForbidden, catalog.ErrNotFound and
// ChangedError. Their texts are for people.
var (
	// ErrInput: a value cannot be kept.
	ErrInput = errors.New("this cannot be kept")
	// ErrNotArrived: there is nothing yet, or nothing any more, to say something of.
	ErrNotArrived = errors.New("this recording has not arrived, so nothing is said of it yet")
)

// ChangedError says that somebody else changed it meanwhile; Item is how it stands now.
type ChangedError struct{ Item *catalog.Item }

// Error implements error.
func (e *ChangedError) Error() string {
	return "somebody else changed it meanwhile, so nothing was changed: look at what stands now"
}

// Config is what a Service works with. All fields are required.
type Config struct {
	Catalog *sqldb.DB
	Agency  evidence.AgencyID
	Now     func() time.Time
	Log     *slog.Logger
}

// Service answers for one agency.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

// Change is what somebody wants said of an item; what is nil stays.
type Change struct {
	Version                                *int64 // that was seen, Item.Annotated; required
	Title, Note, Category, Incident, Place *string
	Tags                                   *[]string
	Reason                                 string
}

// field is one value of an annotation by the name that events and forms have for it.
type field struct {
	name string
	of   func(*catalog.Annotation) *string
	most int
}

var fields = [...]field{
	{"title", func(a *catalog.Annotation) *string { return &a.Title }, MaxTitle},
	{"category", func(a *catalog.Annotation) *string { return &a.Category }, MaxCategory},
	{"incident", func(a *catalog.Annotation) *string { return &a.Incident }, MaxIncident},
	{"place", func(a *catalog.Annotation) *string { return &a.Place }, MaxPlace},
	{"note", func(a *catalog.Annotation) *string { return &a.Note }, MaxNote},
}

// Apply makes the change. It asks for auth.EditItem on the item. A change to what stands
// already is none. It returns the item as it is then.
func (s *Service) Apply(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID, c Change) (*catalog.Item, error) {
	item, err := auth.Find(ctx, &s.Catalog.Reader, actor, auth.EditItem, s.Agency, id)
	if errors.Is(err, auth.ErrForbidden) || errors.Is(err, catalog.ErrNotFound) {
		return nil, s.refused(ctx, actor, id, err, auth.Refusal(err, auth.EditItem))
	}
	if err != nil {
		return nil, err
	}
	if c.Category != nil && *c.Category == item.Category {
		c.Category = nil // whatever the camera claimed, it stays
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := auth.Clear(ctx, actor, auth.Act{Do: auth.EditItem, On: []auth.Object{auth.ItemObject(item)}, About: evidence.ItemObject(id), Kind: evidence.EventAnnotated}); err != nil {
		return nil, err
	}
	err = s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if item, err = tx.ItemRow(ctx, s.Agency, id); err != nil {
			return err
		}
		switch {
		case !auth.May(actor, auth.EditItem, auth.ItemObject(item)): // it changed hands in between
			return auth.ErrForbidden
		case !item.Arrived() || item.State == catalog.StateDestroyed:
			return ErrNotArrived
		case c.Version == nil || *c.Version != item.Annotated:
			return &ChangedError{item}
		}
		after, details := c.on(item)
		if details == nil {
			return nil
		}
		details["version"] = strconv.FormatInt(item.Annotated+1, 10)
		if err := tx.Annotate(ctx, item, after); err != nil {
			return err
		}
		e := s.event(actor, id, evidence.OutcomeDone, c.Reason)
		e.Details = details
		if _, err := tx.AppendEvent(ctx, e); err != nil {
			return err
		}
		item, err = tx.ItemRow(ctx, s.Agency, id)
		return err
	})
	var changed *ChangedError
	switch {
	case errors.Is(err, auth.ErrForbidden):
		return nil, s.refused(ctx, actor, id, err, auth.Refusal(err, auth.EditItem))
	case errors.As(err, &changed), errors.Is(err, ErrNotArrived):
		return nil, s.refused(ctx, actor, id, err, err.Error())
	}
	return item, err
}

// on returns what is said of an item after the change, and the details of its event; nil
// where nothing changes.
func (c *Change) on(item *catalog.Item) (*catalog.Annotation, map[string]string) {
	after := item.Annotation
	details := map[string]string{}
	note := func(name, before, now string) {
		if before != now {
			details[name+"_before"], details[name+"_after"] = before, now
		}
	}
	if c.Category != nil && *c.Category == item.ClaimedCategory() {
		c.Category = new("") // the camera's own: that is no correction
	}
	for i, wanted := range []*string{c.Title, c.Category, c.Incident, c.Place, c.Note} {
		if wanted == nil {
			continue
		}
		value := fields[i].of(&after)
		note(fields[i].name, *value, *wanted)
		*value = *wanted
	}
	if c.Tags != nil {
		note("tags", strings.Join(after.Tags, ", "), strings.Join(*c.Tags, ", "))
		after.Tags = *c.Tags
	}
	if len(details) == 0 {
		return nil, nil
	}
	return &after, details
}

// check bounds the values, and brings them into the form in which they are kept.
func (c *Change) check() error {
	for i, value := range []**string{&c.Title, &c.Category, &c.Incident, &c.Place, &c.Note} {
		if *value == nil {
			continue
		}
		text := strings.TrimSpace(strings.ReplaceAll(**value, "\r\n", "\n"))
		if err := checkText(fields[i].name, text, fields[i].most, fields[i].name == "note"); err != nil {
			return err
		}
		*value = &text
	}
	if err := checkText("reason", c.Reason, MaxReason, false); err != nil || c.Tags == nil {
		return err
	}
	tags := []string{}
	for _, tag := range *c.Tags {
		tag = strings.ToLower(strings.Join(strings.Fields(tag), " "))
		if tag == "" || slices.Contains(tags, tag) {
			continue
		}
		if strings.Contains(tag, ",") {
			return fmt.Errorf("%w: a tag holds no comma", ErrInput)
		}
		if err := checkText("tag", tag, MaxTag, false); err != nil {
			return err
		}
		tags = append(tags, tag)
	}
	if len(tags) > MaxTags {
		return fmt.Errorf("%w: there are %d tags, at most %d are taken", ErrInput, len(tags), MaxTags)
	}
	slices.Sort(tags)
	c.Tags = &tags
	return nil
}

func checkText(name, text string, most int, lines bool) error {
	if len(text) > most {
		return fmt.Errorf("%w: the %s has %d bytes, at most %d are taken", ErrInput, name, len(text), most)
	}
	for _, r := range text {
		if r < 0x20 && (r != '\n' && r != '\t' || !lines) || r == 0x7f || r == '\uFFFD' {
			return fmt.Errorf("%w: the %s holds a control or broken character", ErrInput, name)
		}
	}
	return nil
}

// Past is one change of what is said of an item.
type Past struct {
	catalog.EventRow
	Actor  evidence.Actor
	Reason string
	Fields []Was
}

// Was is one value that changed.
type Was struct{ Name, Before, After string }

// History returns the changes of what is said of an item, newest first, MaxHistory at
// most. It asks for auth.ViewItem.
func (s *Service) History(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID) ([]Past, error) {
	if _, err := auth.Find(ctx, &s.Catalog.Reader, actor, auth.ViewItem, s.Agency, id); err != nil {
		return nil, err
	}
	rows, err := s.Catalog.SearchEvents(ctx, catalog.EventSearch{Agency: s.Agency, Object: evidence.ItemObject(id), Types: []evidence.EventType{evidence.EventAnnotated}, Outcome: evidence.OutcomeDone}, catalog.EventPlace{}, MaxHistory)
	if err != nil {
		return nil, err
	}
	var all []Past
	for _, row := range rows {
		var e evidence.Event
		if err := json.Unmarshal(row.JSON, &e); err != nil {
			return nil, fmt.Errorf("reading event %d: %w", row.ID, err)
		}
		past := Past{EventRow: row, Actor: e.Actor, Reason: e.Reason}
		for _, name := range []string{"title", "category", "tags", "incident", "place", "note"} {
			if after, changed := e.Details[name+"_after"]; changed {
				past.Fields = append(past.Fields, Was{name, e.Details[name+"_before"], after})
			}
		}
		all = append(all, past)
	}
	return all, nil
}

func (s *Service) event(actor *auth.Actor, id evidence.EvidenceID, outcome evidence.Outcome, reason string) evidence.Event {
	return evidence.Event{Version: 1, Agency: s.Agency, Type: evidence.EventAnnotated, At: s.Now().UTC().Truncate(time.Microsecond), Actor: actor.Custody(), Source: actor.Origin.Address,
		Object: evidence.ItemObject(id), Outcome: outcome, Reason: reason}
}

// refused records that a person's change was refused, and returns err.
func (s *Service) refused(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID, err error, why string) error {
	if actor == nil {
		return err
	}
	failed := s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, s.event(actor, id, evidence.OutcomeRefused, why))
		return err
	})
	if failed != nil {
		return errors.Join(err, fmt.Errorf("recording a refused act: %w", failed))
	}
	return err
}
