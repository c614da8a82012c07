package dashboard

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/settings"
)

func (d *Dashboard) settingsRoutes(mux *http.ServeMux) {
	if d.Settings == nil {
		return
	}
	mux.HandleFunc("GET /settings", d.private(d.settingsPage))
	mux.HandleFunc("POST /settings", d.private(d.setSetting))
	mux.HandleFunc("POST /settings/factor-rule", d.private(d.setFactorRule))
	mux.HandleFunc("GET /posture", d.private(d.posturePage))
	mux.HandleFunc("GET /.well-known/security.txt", d.securityText)
}

type settingsView struct {
	base
	Find   string
	Groups []settingsGroup
	Found  int
	Done   *settingDone
	Form   settingForm
	Rule   *ruleView // of second factors; nil: not to be shown
}

type settingsGroup struct {
	Name     string
	Settings []settingView
}

type settingView struct {
	settings.Setting
	ID      string // of its elements
	Status  status
	Lines   bool   // it is written in several lines
	Shown   string // in its field: the value, or what was refused
	Reason  string
	Problem string
}

// settingDone is a change that was just made, to be set back.
type settingDone struct {
	Title, Name, Before, BeforeWords, Now, After string
	Undo                                         bool
}

// settingForm is what was posted and refused.
type settingForm struct{ Name, Value, Reason, Problem string }

func (d *Dashboard) settingsPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d.showSettings(w, r, actor, http.StatusOK, settingForm{})
}

func (d *Dashboard) showSettings(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, form settingForm) {
	desk := d.Settings.For(actor)
	all, err := desk.List(r.Context())
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := settingsView{base: d.roomBase(r.Context(), actor, "Settings", "settings"), Find: searchText(r.URL.Query().Get("q"), 100), Form: form}
	for _, s := range all {
		if !mentions(s, v.Find) && s.Name != form.Name {
			continue
		}
		v.Found++
		shown := settingView{Setting: s, ID: strings.NewReplacer(".", "-", "_", "-").Replace(s.Name), Status: besideDefault(s.Standing), Shown: s.Value}
		shown.Lines = s.Kind != settings.Number && s.Kind != settings.Switch && s.Kind != settings.Choice
		if s.Name == form.Name {
			shown.Shown, shown.Reason, shown.Problem = form.Value, form.Reason, form.Problem
		}
		if n := len(v.Groups); n == 0 || v.Groups[n-1].Name != s.Group {
			v.Groups = append(v.Groups, settingsGroup{Name: s.Group})
		}
		last := &v.Groups[len(v.Groups)-1]
		last.Settings = append(last.Settings, shown)
	}
	if v.Rule, err = d.ruleOf(r, actor, v.Find, form); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	if v.Rule != nil {
		v.Found++
	}
	if v.Done, err = settingJustDone(r.Context(), desk, r.URL.Query().Get("done")); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	d.show(w, r, code, "settings", v)
}

// mentions reports whether all words that are looked for are in what a setting says.
func mentions(s settings.Setting, find string) bool {
	text := strings.ToLower(strings.Join([]string{s.Name, s.Title, s.Help, s.Group, s.Value, s.Why}, " "))
	for word := range strings.FieldsSeq(strings.ToLower(find)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// settingJustDone is the newest change of a setting; nil when none is named.
func settingJustDone(ctx context.Context, desk *settings.Desk, name string) (*settingDone, error) {
	def, known := settings.Find(name)
	if !known {
		return nil, nil
	}
	past, err := desk.History(ctx, name, 1)
	if err != nil || len(past) == 0 || past[0].After != desk.Value(ctx, name) && past[0].Whole {
		return nil, err
	}
	return &settingDone{def.Title, name, past[0].Before, def.Say(past[0].Before), past[0].After, def.Say(past[0].After), past[0].Whole}, nil
}

// contactLink lets a page link to what settings have checked: html/template knows
// no tel: by itself.
func contactLink(contact string) template.URL { return template.URL(contact) }

func besideDefault(s settings.Standing) status {
	switch s {
	case settings.Weaker:
		return status{"warn", "warn", "Weaker"}
	case settings.Stronger:
		return status{"ok", "ok", "Stronger"}
	case settings.AsDefault:
		return status{"", "ring", "As default"}
	}
	return status{"", "info", "Your choice"}
}

func (d *Dashboard) setSetting(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	was := strings.ReplaceAll(f.Get("was"), "\r\n", "\n")
	c := settings.Change{Name: f.Get("name"), Value: f.Get("value"), Unset: f.Get("act") == "unset", Was: &was, Reason: f.Get("reason")}
	_, err := d.Settings.For(actor).Set(r.Context(), c)
	switch {
	case err == nil:
		http.Redirect(w, r, "/settings?done="+url.QueryEscape(c.Name)+"#done", http.StatusSeeOther)
	case errors.Is(err, settings.ErrUnknown):
		d.problem(w, r, actor, http.StatusNotFound, "There is no such setting", "Go back to the settings and choose one that is there.")
	case errors.Is(err, settings.ErrConflict):
		d.showSettings(w, r, actor, http.StatusConflict, settingForm{c.Name, c.Value, c.Reason, sentence(err)})
	case errors.Is(err, settings.ErrValue), errors.Is(err, settings.ErrReason), errors.Is(err, settings.ErrLockout):
		d.showSettings(w, r, actor, http.StatusUnprocessableEntity, settingForm{c.Name, c.Value, c.Reason, sentence(err)})
	default:
		d.fail(w, r, actor, err)
	}
}

type postureView struct {
	base
	Groups []postureGroup
	Weak   int
	Lines  int
}

type postureGroup struct {
	Name  string
	Lines []postureLine
}

type postureLine struct {
	settings.Line
	Status status
	ID     string
}

func (d *Dashboard) posturePage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	lines, err := d.Settings.For(actor).Posture(r.Context())
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := postureView{base: d.roomBase(r.Context(), actor, "Posture", "posture"), Lines: len(lines)}
	for _, l := range lines {
		if l.Standing == settings.Weaker {
			v.Weak++
		}
		if n := len(v.Groups); n == 0 || v.Groups[n-1].Name != l.Group {
			v.Groups = append(v.Groups, postureGroup{Name: l.Group})
		}
		shown := postureLine{l, besideDefault(l.Standing), strings.NewReplacer(".", "-", "_", "-").Replace(l.Name)}
		if !l.Setting && l.Standing == settings.AsDefault {
			shown.Status = status{"", "ring", "In order"}
			if l.Todo != "" {
				shown.Status.Word = "Could be better"
			}
		} else if !l.Setting && l.Standing == settings.Stronger {
			shown.Status.Word = "Good"
		} else if !l.Setting {
			shown.Status.Word = "Weak"
		}
		last := &v.Groups[len(v.Groups)-1]
		last.Lines = append(last.Lines, shown)
	}
	d.show(w, r, http.StatusOK, "posture", v)
}
