package dashboard

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
)

// spareRows are the empty rows for new categories.
const spareRows = 3

type sendingView struct {
	base
	Officers   string // one on a line
	Categories []categoryRow
	CanManage  bool
	Problem    string
	Done       string
}

type categoryRow struct {
	Number           int
	Category, Weight string
	Urgent           bool
}

func (d *Dashboard) showSending(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, typed *sendingView, problem string) {
	policy, err := d.Uplink.For(actor).Sending()
	if err != nil {
		d.noUplink(w, r, actor, err)
		return
	}
	v := typed
	if v == nil {
		v = &sendingView{Officers: strings.Join(policy.UrgentOfficers, "\n")}
		for _, c := range policy.Categories {
			v.Categories = append(v.Categories, categoryRow{Category: c.Category, Weight: strconv.FormatUint(uint64(c.Weight), 10), Urgent: c.Urgent})
		}
	}
	for range spareRows {
		v.Categories = append(v.Categories, categoryRow{})
	}
	for i := range v.Categories {
		v.Categories[i].Number = i
	}
	v.base = d.roomBase(r.Context(), actor, "What goes first", "uplinks")
	v.CanManage = auth.May(actor, auth.ManageSending, auth.Object{Agency: d.Auth.Agency()})
	v.Problem, v.Done = problem, uplinkDone(r.URL.Query().Get("done"))
	d.show(w, r, code, "uplink-sending", v)
}

func (d *Dashboard) changeSending(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	typed, policy, err := readSendingForm(r)
	if err == nil {
		err = d.Uplink.For(actor).SetSending(r.Context(), policy)
	}
	var asked errAsked
	switch {
	case err == nil:
		http.Redirect(w, r, doneLink("/uplinks/sending", "sending"), http.StatusSeeOther)
	case errors.As(err, &asked), errors.Is(err, uplink.ErrInput):
		d.showSending(w, r, actor, http.StatusUnprocessableEntity, typed, sentence(err))
	default:
		d.noUplink(w, r, actor, err)
	}
}

// readSendingForm reads the form: what was typed, and what it means.
func readSendingForm(r *http.Request) (*sendingView, uplink.Sending, error) {
	typed := &sendingView{Officers: strings.ToValidUTF8(r.PostForm.Get("officers"), "?")}
	var policy uplink.Sending
	for line := range strings.Lines(typed.Officers) {
		if line = strings.TrimSpace(line); line != "" {
			policy.UrgentOfficers = append(policy.UrgentOfficers, line)
		}
	}
	var wrong error
	for i, name := range r.PostForm["category"] {
		row := categoryRow{Category: strings.TrimSpace(strings.ToValidUTF8(name, "?")), Urgent: slices.Contains(r.PostForm["urgent"], strconv.Itoa(i))}
		if weights := r.PostForm["weight"]; i < len(weights) {
			row.Weight = strings.TrimSpace(weights[i])
		}
		if row.Category == "" {
			if row.Urgent {
				wrong = errors.Join(wrong, errAsked("A category’s name is missing where one is ticked as urgent."))
			}
			continue // left empty: it is taken off
		}
		typed.Categories = append(typed.Categories, row)
		weight, err := strconv.ParseUint(row.Weight, 10, 8)
		if row.Weight == "" {
			weight, err = 10, nil
		}
		if err != nil {
			wrong = errors.Join(wrong, errAsked("The weight of category "+row.Category+" must be a number from 1 to 100."))
		}
		policy.Categories = append(policy.Categories, uplink.Category{Category: row.Category, Weight: uint32(weight), Urgent: row.Urgent})
	}
	return typed, policy, wrong
}
