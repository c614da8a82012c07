package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/annotate"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

func (a *api) annotationRoutes() []Route {
	const tag, noItem = "Recordings", "There is no recording with this id."
	return []Route{
		Answer("GET /api/v1/items/{id}/annotation", Description{Tag: tag, Summary: "What the agency says of a recording, with its history", Asks: []auth.Action{auth.ViewItem}, Missing: noItem}, a.annotation),
		Answer("PATCH /api/v1/items/{id}/annotation", Description{Tag: tag, Summary: "Say something of a recording", Asks: []auth.Action{auth.EditItem}, Missing: noItem,
			About: "What is left out stays as it is; an empty text takes a value back. version is the one that was read: when somebody else was faster nothing is changed, and the answer is 409. The recording and all that is signed of it stay as they are. The category counts for grants by category.",
			Codes: []int{http.StatusConflict, http.StatusUnprocessableEntity}}, a.annotateItem),
	}
}

type annotationShape struct {
	Title           string   `json:"title,omitempty"`
	Note            string   `json:"note,omitempty"`
	GivenCategory   string   `json:"given_category,omitempty" jsonschema:"in place of the one that the camera claims"`
	Tags            []string `json:"tags,omitempty"`
	Incident        string   `json:"incident,omitempty"`
	Place           string   `json:"place,omitempty"`
	Version         int64    `json:"version" jsonschema:"how often it was changed"`
	ClaimedCategory string   `json:"claimed_category,omitempty" jsonschema:"the camera's"`
}

func annotationOf(i *catalog.Item) annotationShape {
	n := &i.Annotation
	return annotationShape{n.Title, n.Note, n.Category, n.Tags, n.Incident, n.Place, i.Annotated, i.ClaimedCategory()}
}

type annotationChange struct {
	Event  int64            `json:"event" jsonschema:"its row in the custody record"`
	At     time.Time        `json:"at"`
	By     string           `json:"by" jsonschema:"user id"`
	Name   string           `json:"by_name,omitempty"`
	Reason string           `json:"reason,omitempty"`
	Fields []annotationDiff `json:"fields"`
}

type annotationDiff struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
}

type annotationAnswer struct {
	annotationShape
	History []annotationChange `json:"history" jsonschema:"newest first"`
}

func (a *api) annotation(r *Request, _ *Nothing) (annotationAnswer, error) {
	id, err := r.item()
	if err != nil {
		return annotationAnswer{}, err
	}
	past, err := a.Annotate.History(r.Context(), r.Actor, id)
	if err != nil {
		return annotationAnswer{}, err
	}
	item, err := a.Annotate.Catalog.ItemRow(r.Context(), a.Annotate.Agency, id)
	if err != nil {
		return annotationAnswer{}, err
	}
	v := annotationAnswer{annotationOf(item), []annotationChange{}}
	for _, p := range past {
		c := annotationChange{p.ID, p.At, p.Actor.ID, p.Actor.Name, p.Reason, []annotationDiff{}}
		for _, f := range p.Fields {
			c.Fields = append(c.Fields, annotationDiff(f))
		}
		v.History = append(v.History, c)
	}
	return v, nil
}

type annotationBody struct {
	Version  *int64    `json:"version" required:"true"`
	Title    *string   `json:"title"`
	Note     *string   `json:"note"`
	Category *string   `json:"category" jsonschema:"that counts; empty: the camera's"`
	Tags     *[]string `json:"tags"`
	Incident *string   `json:"incident" jsonschema:"its number, as the agency writes it"`
	Place    *string   `json:"place"`
	Reason   string    `json:"reason" jsonschema:"why, for the custody log"`
}

func (a *api) annotateItem(r *Request, b *annotationBody) (annotationShape, error) {
	id, err := r.item()
	if err != nil {
		return annotationShape{}, err
	}
	item, err := a.Annotate.Apply(r.Context(), r.Actor, id, annotate.Change{Version: b.Version, Title: b.Title, Note: b.Note, Category: b.Category, Tags: b.Tags, Incident: b.Incident, Place: b.Place, Reason: b.Reason})
	var changed *annotate.ChangedError
	switch {
	case errors.As(err, &changed):
		return annotationShape{}, refuse(http.StatusConflict, "Nothing was changed", changed.Error()+". "+saidNow(changed.Item))
	case err != nil:
		return annotationShape{}, err
	}
	return annotationOf(item), nil
}

// saidNow tells what stands now, for people.
func saidNow(i *catalog.Item) string {
	var all []string
	for _, v := range [][2]string{{"title", i.Annotation.Title}, {"category", i.Category}, {"tags", strings.Join(i.Annotation.Tags, ", ")}, {"incident", i.Annotation.Incident}, {"place", i.Annotation.Place}, {"note", i.Annotation.Note}} {
		all = append(all, v[0]+" “"+v[1]+"”")
	}
	return strings.Join(all, ", ") + "."
}
