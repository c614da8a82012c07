package inspection

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Entry is one event, told.
type Entry struct {
	Row      catalog.EventRow
	Event    evidence.Event // where Readable
	Readable bool           // its text is an event

	// The sentence: Who did something to Object, in three parts so that a page can
	// make a link of the object. Object is "" where nothing is named.
	Who, Before, Object, After string
}

// Sentence tells the event.
func (e *Entry) Sentence() string { return e.Who + " " + e.Before + e.Object + e.After }

// entries tells rows.
func (s *Service) entries(ctx context.Context, rows []catalog.EventRow, people *people) ([]Entry, error) {
	names := &naming{s, people, map[string]string{}}
	all := make([]Entry, len(rows))
	for i := range rows {
		e := &all[i]
		e.Row = rows[i]
		if err := evidence.Decode(rows[i].JSON, &e.Event); err != nil {
			e.Who, e.Before = "Somebody", "did what cannot be read any more: the event’s row was changed by other hands"
			continue
		}
		e.Readable = true
		object, err := names.matter(ctx, &e.Event)
		if err != nil {
			return nil, err
		}
		e.Who = names.who(&e.Event.Actor)
		e.Before, e.Object, e.After = words(&e.Event, object)
	}
	return all, nil
}

// words puts an act and how it ended into words around what it was done to.
func words(e *evidence.Event, object string) (before, named, after string) {
	did, to := "did “"+string(e.Type)+"” to %", "do “"+string(e.Type)+"” to %" // an act of a newer program
	for i := range acts {
		if acts[i].kind == e.Type {
			did, to = acts[i].did, acts[i].to
		}
	}
	text := did
	switch e.Outcome {
	case evidence.OutcomeRefused:
		text = "tried to " + to + " and was refused"
	case evidence.OutcomeFailed:
		text = "tried to " + to + ", and it failed"
	}
	if e.Type == evidence.EventSignInFailed || e.Type == evidence.EventTransferRefused || e.Type == evidence.EventDockRefused ||
		e.Type == evidence.EventDriveRefused || e.Type == evidence.EventCameraEraseFailed {
		text = did // says itself how it ended
	}
	before, after, found := strings.Cut(text, "%")
	if !found {
		return text, "", ""
	}
	if object == "" {
		object = "something that is not named"
	}
	return before, object, after
}

// plain is an act without its object, for lists.
func plain(did string) string {
	text := strings.TrimRight(strings.ReplaceAll(did, "%", ""), " ,")
	text = strings.Join(strings.Fields(text), " ")
	for _, end := range []string{" of", " about", " on", " at", " for"} {
		if rest, ok := strings.CutSuffix(text, end); ok && text != "looked at" {
			text = rest
		}
	}
	return text
}

// naming finds the names of what events are about, each once.
type naming struct {
	*Service
	people *people
	known  map[string]string
}

func (n *naming) who(a *evidence.Actor) string {
	switch {
	case a.Kind == "user" && a.ID == "local":
		return "The server’s operator"
	case a.Kind == "user" && a.Name != "":
		return a.Name
	case a.Kind == "user":
		if name := n.people.name(a.ID); name != "" {
			return name
		}
		return "Somebody"
	case a.Kind == "dock":
		return "Dock " + a.ID
	case a.Kind == "server":
		return "The server"
	case a.Kind == "provisioner" && a.Name != "":
		return "The directory’s program " + a.Name
	case a.Kind == "provisioner":
		return "A program without a token that holds"
	}
	return a.Kind + " " + a.ID
}

// matter names what an event is about. Roles and groups are told by the name that they
// had then, grants by who holds them.
func (n *naming) matter(ctx context.Context, e *evidence.Event) (string, error) {
	switch e.Type {
	case evidence.EventRoleChanged, evidence.EventGroupChanged:
		if name := e.Details["name"]; name != "" {
			return "“" + name + "”", nil
		}
		return "that is not named", nil
	case evidence.EventGrantMade, evidence.EventGrantEnded:
		switch kind, id, _ := strings.Cut(e.Details["holder"], ":"); kind {
		case string(catalog.ToPerson):
			return n.object(ctx, "user:"+id)
		case string(catalog.ToGroup):
			return "a group", nil
		case string(catalog.ToRole):
			return "everybody with a role", nil
		}
		return "", nil
	}
	return n.object(ctx, e.Object)
}

func (n *naming) object(ctx context.Context, object string) (string, error) {
	kind, id, _ := strings.Cut(object, ":")
	switch kind {
	case "":
		return "", nil
	case "log":
		return "the custody log", nil
	case "user":
		if name := n.people.name(id); name != "" {
			return name, nil
		}
		return "somebody without an account here", nil
	case "case":
		if name, ok := n.known[object]; ok {
			return name, nil
		}
		name := "a case that is not here"
		if c, err := n.Catalog.Case(ctx, n.Agency, id); err == nil {
			name = "case " + c.Number
		} else if !errors.Is(err, catalog.ErrNotFound) {
			return "", err
		}
		n.known[object] = name
		return name, nil
	case "item":
		if name, ok := n.known[id]; ok {
			return name, nil
		}
		name, err := n.item(ctx, id)
		n.known[id] = name
		return name, err
	}
	return kind + " " + id, nil
}

func (n *naming) item(ctx context.Context, text string) (string, error) {
	id, err := evidence.ParseEvidenceID(text)
	if err != nil {
		return "item " + text, nil
	}
	item, err := n.Catalog.ItemRow(ctx, n.Agency, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Sprintf("a recording that was never taken in (%s)", text[:8]), nil
	} else if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s (%s)", path.Base(item.Path), text[:8]), nil
}
