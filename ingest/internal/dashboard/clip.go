package dashboard

import (
	"errors"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/timeline"
	"github.com/sealdock/sealdock/proto/evidence"
)

// clipForm is what was typed into the form of a clip, and what is wrong with it.
type clipForm struct{ From, To, Reason, Problem string }

// clip makes a clip and leads to its page. What cannot be made shows the page of the
// original again, with what was typed.
func (d *Dashboard) clip(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil || d.Derive == nil {
		d.fail(w, r, actor, catalog.ErrNotFound)
		return
	}
	if !d.form(w, r) {
		return
	}
	f := clipForm{From: searchText(r.PostForm.Get("from"), 32), To: searchText(r.PostForm.Get("to"), 32), Reason: searchText(r.PostForm.Get("reason"), 400)}
	from, err1 := timeline.ParseTime(f.From)
	to, err2 := timeline.ParseTime(f.To)
	if f.Problem = sentenceOf(textOf(err1, err2)); f.Problem == "" {
		made, err := d.Derive.ForPerson(r.Context(), actor, derive.Clip{Original: id, From: from, To: to, Reason: f.Reason})
		if err == nil {
			http.Redirect(w, r, "/evidence/"+made.String(), http.StatusSeeOther)
			return
		}
		if f.Problem = clipProblem(err); f.Problem == "" {
			d.fail(w, r, actor, err)
			return
		}
	}
	d.itemPage(w, r, actor, id, http.StatusBadRequest, itemTyped{Clip: f})
}

func textOf(errs ...error) string {
	for _, err := range errs {
		if err != nil {
			return err.Error()
		}
	}
	return ""
}

// clipProblem puts what a person can do something about into words; "" for the rest.
func clipProblem(err error) string {
	switch {
	case errors.Is(err, derive.ErrRange):
		return "There is no such time in this recording, or it is of a form that clips are not made of (MP4 only). Clips begin within the recording, and end after they begin."
	case errors.Is(err, derive.ErrLong):
		return sentence(derive.ErrLong)
	case errors.Is(err, derive.ErrBusy):
		return sentence(derive.ErrBusy)
	case errors.Is(err, derive.ErrReason):
		return "Say what the clip is for: the reason is kept in the record."
	}
	return ""
}

// derivationFacts say of a derivative what it was made of, and how.
func derivationFacts(v *reading.ItemView) []factGroup {
	if v.Manifest == nil || v.Manifest.Derivation == nil {
		return nil
	}
	r := v.Manifest.Derivation
	span := func(us int64) string { return clockSpan(time.Duration(us) * time.Microsecond) }
	signed := "signed by this server’s key of derivatives, and the signature holds"
	if !v.ManifestSigned {
		signed = "the signature is not by this server’s key of derivatives"
	}
	return []factGroup{{"No original", []fact{
		{Name: "Made of", Value: r.Original.String(), Mono: true, Link: "/evidence/" + r.Original.String(), Note: "its SHA-256: " + r.SHA256.String()},
		{Name: "Holds", Value: span(r.From) + " to " + span(r.To) + " of it", Note: "asked for: " + span(r.AskedFrom) + " to " + span(r.AskedTo) + "; it begins at a key frame"},
		{Name: "Made", Time: r.MadeAt, Note: "by " + r.MadeBy.Kind + " " + nameOr(r.MadeBy.Name, r.MadeBy.ID)},
		{Name: "For", Value: r.Reason},
		{Name: "With", Value: r.ToolVersion, Note: "pictures and sound copied, not encoded anew; the recipe is in the custody package"},
		{Name: "Recipe", Value: signed},
	}}}
}

func nameOr(name, id string) string {
	if name != "" {
		return name
	}
	return id
}

// clockSpan is a time in a recording as people read it.
func clockSpan(d time.Duration) string {
	return time.Unix(0, 0).UTC().Add(d).Format("15:04:05.000")
}

// derivedFacts list what was made of a recording.
func derivedFacts(v *reading.ItemView) []factGroup {
	var rows []fact
	for _, made := range v.Derivatives {
		rows = append(rows, fact{Name: "Clip", Value: baseName(made.Path), Link: "/evidence/" + made.ID.String(), Note: "SHA-256 " + made.SHA256.String()})
	}
	if rows == nil {
		return nil
	}
	return []factGroup{{"Made of it", rows}}
}
