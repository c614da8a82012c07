package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (d *Dashboard) webhookRoutes(mux *http.ServeMux) {
	if d.Webhooks == nil {
		return
	}
	mux.HandleFunc("GET /webhooks", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showWebhooks(w, r, actor, http.StatusOK, "", webhookTyped{})
	}))
	mux.HandleFunc("POST /webhooks", d.private(d.makeWebhook))
	mux.HandleFunc("GET /webhooks/{id}", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showWebhook(w, r, actor, http.StatusOK, "", nil)
	}))
	for name, act := range map[string]func(*webhook.Desk, *http.Request, string) error{
		"disable": func(k *webhook.Desk, r *http.Request, id string) error {
			off := false
			return k.Change(r.Context(), id, webhook.Change{Enabled: &off})
		},
		"enable": func(k *webhook.Desk, r *http.Request, id string) error {
			on := true
			return k.Change(r.Context(), id, webhook.Change{Enabled: &on, Skip: r.PostForm.Get("skip") == "yes"})
		},
		"change": func(k *webhook.Desk, r *http.Request, id string) error {
			typed := typedWebhook(r)
			return k.Change(r.Context(), id, webhook.Change{Name: &typed.Name, URL: &typed.URL, Types: typed.types()})
		},
		"delete": deleteWebhook,
		"test": func(k *webhook.Desk, r *http.Request, id string) error {
			delivery, err := k.Test(r.Context(), id)
			if err == nil && delivery.Trouble != "" {
				return errAsked("The test was not taken: " + delivery.Trouble + ".")
			}
			return err
		},
	} {
		mux.HandleFunc("POST /webhooks/{id}/"+name, d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
			d.webhookAct(w, r, actor, name, act)
		}))
	}
	mux.HandleFunc("POST /webhooks/{id}/rotate", d.private(d.rotateWebhook))
}

// deleteWebhook wants the webhook's name typed, so that no other one is deleted.
func deleteWebhook(k *webhook.Desk, r *http.Request, id string) error {
	if k.May() {
		hook, _, err := k.Get(r.Context(), id)
		if err != nil {
			return err
		}
		if strings.TrimSpace(r.PostForm.Get("sure")) != hook.Name {
			return errAsked("Nothing was deleted: type the name of the webhook, " + hook.Name + ".")
		}
	}
	return k.Delete(r.Context(), id)
}

// webhookTyped is what was typed into the form of a webhook.
type webhookTyped struct {
	Name, URL string
	Types     []string
	All       bool
}

func typedWebhook(r *http.Request) webhookTyped {
	f := r.PostForm
	return webhookTyped{searchText(f.Get("name"), 400), searchText(f.Get("url"), 2000), f["type"], f.Get("all") == "yes"}
}

func (t *webhookTyped) types() []evidence.EventType {
	all := []evidence.EventType{}
	for _, act := range inspection.Acts() {
		if t.All || slices.Contains(t.Types, string(act.Type)) {
			all = append(all, act.Type)
		}
	}
	return all
}

// webhookForm is a form with all acts to tick.
type webhookForm struct {
	Name, URL string
	All       bool
	Groups    []webhookGroup
}

type webhookGroup struct {
	Word   string
	Ticked int
	Acts   []webhookTick
}

type webhookTick struct {
	inspection.Act
	Has bool
}

func webhookFormOf(typed webhookTyped) webhookForm {
	f := webhookForm{Name: typed.Name, URL: typed.URL, All: typed.All}
	for _, act := range inspection.Acts() {
		if n := len(f.Groups); n == 0 || f.Groups[n-1].Word != groupWord(act.Group) {
			f.Groups = append(f.Groups, webhookGroup{Word: groupWord(act.Group)})
		}
		g := &f.Groups[len(f.Groups)-1]
		tick := webhookTick{act, slices.Contains(typed.Types, string(act.Type))}
		if tick.Has {
			g.Ticked++
		}
		g.Acts = append(g.Acts, tick)
	}
	return f
}

// hookView is a webhook as pages show it.
type hookView struct {
	catalog.Webhook
	Host   string
	Count  string
	Status status
}

func hookViewOf(w *catalog.Webhook) hookView {
	v := hookView{Webhook: *w, Count: plural(uint64(len(w.Types)), "kind"), Status: status{"ok", "ok", "Enabled"}}
	if len(w.Types) == len(inspection.Acts()) {
		v.Count = "all"
	}
	if u, err := url.Parse(w.URL); err == nil {
		v.Host = u.Host
	}
	switch {
	case !w.DisabledAt.IsZero():
		v.Status = status{"", "off", "Disabled"}
	case !w.FailingSince.IsZero():
		v.Status = status{"warn", "warn", "Not taken"}
	}
	return v
}

type webhooksView struct {
	base
	Problem, Done, Here string
	Fresh               bool
	Hooks               []hookView
	Form                webhookForm
}

func (d *Dashboard) showWebhooks(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string, typed webhookTyped) {
	all, err := d.Webhooks.For(actor).List(r.Context())
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := webhooksView{base: d.roomBase(r.Context(), actor, "Webhooks", "webhooks"), Problem: problem, Here: "/webhooks", Fresh: auth.Fresh(actor, d.Now()) == nil, Form: webhookFormOf(typed)}
	if r.URL.Query().Get("done") == "delete" {
		v.Done = "The webhook is deleted."
	}
	for i := range all {
		v.Hooks = append(v.Hooks, hookViewOf(&all[i]))
	}
	d.show(w, r, code, "webhooks", v)
}

type webhookView struct {
	base
	Problem, Done, Here string
	Fresh, Former       bool
	Hook                hookView
	Deliveries          []catalog.Delivery
	Form                webhookForm
	Typed               bool
}

// showWebhook shows one webhook; typed is what was sent and refused.
func (d *Dashboard) showWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string, typed *webhookTyped) {
	hook, last, err := d.Webhooks.For(actor).Get(r.Context(), r.PathValue("id"))
	if err != nil {
		d.noWebhook(w, r, actor, err)
		return
	}
	v := webhookView{base: d.roomBase(r.Context(), actor, hook.Name, "webhooks"), Problem: problem, Done: webhookDone(r.URL.Query().Get("done")), Here: "/webhooks/" + hook.ID, Fresh: auth.Fresh(actor, d.Now()) == nil,
		Former: d.Now().Before(hook.FormerUntil), Hook: hookViewOf(hook), Deliveries: last, Typed: typed != nil}
	if typed == nil {
		typed = &webhookTyped{Name: hook.Name, URL: hook.URL}
		for _, kind := range hook.Types {
			typed.Types = append(typed.Types, string(kind))
		}
		typed.All = len(hook.Types) == len(inspection.Acts())
	}
	v.Form = webhookFormOf(*typed)
	d.show(w, r, code, "webhook", v)
}

func webhookDone(act string) string {
	switch act {
	case "test":
		return "The test was taken."
	case "change":
		return "The webhook is changed."
	case "disable":
		return "The webhook is disabled: nothing is sent any more."
	case "enable":
		return "The webhook is enabled."
	}
	return ""
}

func (d *Dashboard) noWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor, err error) {
	if errors.Is(err, catalog.ErrNotFound) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such webhook", "Somebody may have deleted it; the custody log tells who.")
		return
	}
	d.fail(w, r, actor, err)
}

// webhookRefusal puts an error into words for whoever asked; "" when it is not about what
// was asked.
func webhookRefusal(err error) (code int, text string) {
	var asked errAsked
	switch {
	case errors.As(err, &asked):
		return http.StatusUnprocessableEntity, asked.Error()
	case errors.Is(err, webhook.ErrInput):
		return http.StatusUnprocessableEntity, sentence(err)
	case errors.Is(err, webhook.ErrName), errors.Is(err, webhook.ErrMany):
		return http.StatusConflict, sentence(err)
	}
	return 0, ""
}

func (d *Dashboard) webhookAct(w http.ResponseWriter, r *http.Request, actor *auth.Actor, name string, act func(*webhook.Desk, *http.Request, string) error) {
	if !d.form(w, r) {
		return
	}
	err := act(d.Webhooks.For(actor), r, r.PathValue("id"))
	if err == nil {
		to := "/webhooks/" + r.PathValue("id")
		if name == "delete" {
			to = "/webhooks"
		}
		http.Redirect(w, r, doneLink(to, name), http.StatusSeeOther)
		return
	}
	code, problem := webhookRefusal(err)
	if problem == "" {
		d.noWebhook(w, r, actor, err)
		return
	}
	var typed *webhookTyped
	if name == "change" {
		t := typedWebhook(r)
		typed = &t
	}
	d.showWebhook(w, r, actor, code, problem, typed)
}

type webhookSecretView struct {
	base
	ID, Name, Secret string
	FormerUntil      time.Time
}

func (d *Dashboard) makeWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	typed := typedWebhook(r)
	hook, secret, err := d.Webhooks.For(actor).Make(r.Context(), typed.Name, typed.URL, typed.types())
	if err == nil {
		d.showSecret(w, r, actor, webhookSecretView{ID: hook.ID, Name: hook.Name, Secret: secret})
		return
	}
	if code, problem := webhookRefusal(err); problem != "" {
		d.showWebhooks(w, r, actor, code, problem, typed)
		return
	}
	d.fail(w, r, actor, err)
}

func (d *Dashboard) rotateWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	desk := d.Webhooks.For(actor)
	secret, until, err := desk.Rotate(r.Context(), r.PathValue("id"))
	if err != nil {
		d.noWebhook(w, r, actor, err)
		return
	}
	hook, _, err := desk.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		d.noWebhook(w, r, actor, err)
		return
	}
	d.showSecret(w, r, actor, webhookSecretView{ID: hook.ID, Name: hook.Name, Secret: secret, FormerUntil: until})
}

// showSecret shows a secret once: nobody is shown it again.
func (d *Dashboard) showSecret(w http.ResponseWriter, r *http.Request, actor *auth.Actor, v webhookSecretView) {
	v.base = d.roomBase(r.Context(), actor, "Secret", "webhooks")
	w.Header().Set("Cache-Control", "no-store")
	d.show(w, r, http.StatusOK, "webhook-secret", v)
}
