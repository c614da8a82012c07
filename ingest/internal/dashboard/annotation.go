package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/annotate"
	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// saidView is what the agency says of an item.
type saidView struct {
	catalog.Annotation
	Item     evidence.EvidenceID
	Counts   string // category that counts
	Claimed  string // the camera's
	Tagged   []saidLink
	Incident saidLink
	Bare     bool // nothing is said yet
	CanEdit  bool
	History  []pastView
	Form     saidForm
}

type saidLink struct{ Word, Link string }

// saidForm is the form of it, with what was typed and refused.
type saidForm struct {
	Version                                           string
	Title, Note, Category, Tags, Incident, Place, Why string
	Problem                                           string
	Changed                                           bool // somebody else was faster
	Now                                               map[string]string
}

// pastView is one change in the history.
type pastView struct {
	annotate.Past
	Who    string
	Fields []wasView
	Back   []hiddenField // the form that puts it back; none: it stands so
}

type wasView struct{ Name, Before, After string }

var saidWords = map[string]string{"title": "Title", "category": "Category", "tags": "Tags", "incident": "Incident", "place": "Place", "note": "Note"}

func (d *Dashboard) annotationRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /evidence/{id}/annotation", d.private(d.annotateItem))
}

// saidOf draws what is said of an item; typed is what was refused.
func (d *Dashboard) saidOf(r *http.Request, actor *auth.Actor, v *reading.ItemView, typed *saidForm) (*saidView, error) {
	item := v.Item
	s := &saidView{Annotation: item.Annotation, Item: item.ID, Counts: item.Category, Claimed: item.ClaimedCategory(),
		CanEdit: item.State == catalog.StateStored && auth.May(actor, auth.EditItem, auth.ItemObject(item))}
	for _, tag := range item.Annotation.Tags {
		s.Tagged = append(s.Tagged, saidLink{tag, listLink("tag", tag)})
	}
	if n := item.Annotation.Incident; n != "" {
		s.Incident = saidLink{n, listLink("incident", n)}
	}
	a := &item.Annotation
	s.Bare = a.Title == "" && a.Note == "" && a.Category == "" && len(a.Tags) == 0 && a.Incident == "" && a.Place == ""
	past, err := d.Annotate.History(r.Context(), actor, item.ID)
	if err != nil {
		return nil, err
	}
	now := standing(item)
	for _, p := range past {
		s.History = append(s.History, pastOf(p, item, now, s.CanEdit))
	}
	s.Form = saidForm{Version: strconv.FormatInt(item.Annotated, 10), Title: a.Title, Note: a.Note, Category: item.Category, Tags: now["tags"], Incident: a.Incident, Place: a.Place}
	if typed != nil {
		version := s.Form.Version
		s.Form = *typed
		if typed.Changed {
			s.Form.Version, s.Form.Now = version, map[string]string{}
			for name, is := range now {
				if is != typed.field(name) {
					s.Form.Now[saidWords[name]] = is
				}
			}
		}
	}
	return s, nil
}

// standing is what is said of an item now, by field, as events have it.
func standing(item *catalog.Item) map[string]string {
	a := &item.Annotation
	return map[string]string{"title": a.Title, "note": a.Note, "category": a.Category, "tags": strings.Join(a.Tags, ", "), "incident": a.Incident, "place": a.Place}
}

func (f *saidForm) field(name string) string {
	return map[string]string{"title": f.Title, "note": f.Note, "category": f.Category, "tags": f.Tags, "incident": f.Incident, "place": f.Place}[name]
}

// pastOf draws a change. Who may edit can put back what it replaced, where that does not
// stand already.
func pastOf(p annotate.Past, item *catalog.Item, now map[string]string, can bool) pastView {
	v := pastView{Past: p, Who: whoText(p.Actor)}
	same := true
	for _, f := range p.Fields {
		v.Fields = append(v.Fields, wasView{saidWords[f.Name], f.Before, f.After})
		v.Back = append(v.Back, hiddenField{f.Name, f.Before})
		same = same && now[f.Name] == f.Before
	}
	if same || !can {
		v.Back = nil
		return v
	}
	v.Back = append(v.Back, hiddenField{"version", strconv.FormatInt(item.Annotated, 10)})
	return v
}

// annotateItem changes what is said of an item: the fields that the form has.
func (d *Dashboard) annotateItem(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		d.fail(w, r, actor, catalog.ErrNotFound)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	typed := saidForm{Version: f.Get("version"), Title: f.Get("title"), Note: f.Get("note"), Category: f.Get("category"), Tags: f.Get("tags"), Incident: f.Get("incident"), Place: f.Get("place"), Why: searchText(f.Get("reason"), annotate.MaxReason)}
	item, err := d.Annotate.Apply(r.Context(), actor, id, changeOf(f, typed.Why))
	var changed *annotate.ChangedError
	switch {
	case err == nil && !auth.May(actor, auth.ViewItem, auth.ItemObject(item)):
		http.Redirect(w, r, "/evidence", http.StatusSeeOther) // by its new category it is not theirs to see
	case err == nil:
		http.Redirect(w, r, doneLink("/evidence/"+id.String(), "said")+"#said", http.StatusSeeOther)
	case errors.As(err, &changed):
		typed.Changed, typed.Problem = true, sentence(err)
		d.itemPage(w, r, actor, id, http.StatusConflict, itemTyped{Said: &typed})
	case errors.Is(err, annotate.ErrInput):
		typed.Problem = sentence(err)
		d.itemPage(w, r, actor, id, http.StatusUnprocessableEntity, itemTyped{Said: &typed})
	case errors.Is(err, annotate.ErrNotArrived):
		typed.Problem = sentence(err)
		d.itemPage(w, r, actor, id, http.StatusConflict, itemTyped{Said: &typed})
	default:
		d.fail(w, r, actor, err)
	}
}

func changeOf(f url.Values, reason string) annotate.Change {
	c := annotate.Change{Reason: reason}
	if version, err := strconv.ParseInt(f.Get("version"), 10, 64); err == nil {
		c.Version = &version
	}
	for name, value := range map[string]**string{"title": &c.Title, "note": &c.Note, "category": &c.Category, "incident": &c.Incident, "place": &c.Place} {
		if f.Has(name) {
			text := f.Get(name)
			*value = &text
		}
	}
	if f.Has("tags") {
		tags := strings.Split(f.Get("tags"), ",")
		c.Tags = &tags
	}
	return c
}
