package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/ingest/internal/throttle"
	"github.com/sealdock/sealdock/proto/evidence"
)

// meters count requests, by address and by session.
type meters struct{ address, session *throttle.Meter }

// notAsked are the paths that are for everybody, from everywhere, uncounted.
func notAsked(path string) bool {
	return strings.HasPrefix(path, "/static/") || path == "/.well-known/security.txt"
}

// admit refuses who comes from a network that is not allowed, or too often; false
// when it has answered already.
func (d *Dashboard) admit(w http.ResponseWriter, r *http.Request) bool {
	if notAsked(r.URL.Path) {
		return true
	}
	from := auth.OriginOf(r)
	if err := d.Auth.Admit(r.Context(), from); errors.Is(err, auth.ErrPlace) {
		d.refuse(w, r, http.StatusForbidden, "Not from here", sentence(auth.ErrPlace))
		return false
	} else if err != nil {
		d.fail(w, r, nil, err)
		return false
	}
	if !d.Slow || d.Settings == nil {
		return true
	}
	now := d.Now()
	wait := d.meters.address.Ask(throttle.Place(from.Address), d.Settings.Number(r.Context(), settings.AddressRate), now)
	if token := auth.Token(r); token != "" {
		wait = max(wait, d.meters.session.Ask(evidence.SHA256([]byte(token)).String(), d.Settings.Number(r.Context(), settings.SessionRate), now))
	}
	if wait > 0 {
		seconds := int(wait/time.Second) + 1
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		d.refuse(w, r, http.StatusTooManyRequests, "Too many requests", fmt.Sprintf("Nothing was done. Wait %d seconds and try again. An administrator can change the limit in the settings.", seconds))
		return false
	}
	return true
}

// refuse answers pages with a page and programs with problem details.
func (d *Dashboard) refuse(w http.ResponseWriter, r *http.Request, code int, title, detail string) {
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		d.problem(w, r, nil, code, title, detail)
		return
	}
	body, _ := json.Marshal(map[string]any{"type": "about:blank", "title": title, "status": code, "detail": detail}) // strings and a number always marshal
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	w.Write(body)
}

// contactLife is how long a security.txt may be believed, in days (RFC 9116
// section 2.5.5 wants less than a year).
const contactLife = 180

// securityText tells outsiders whom to tell of a hole (RFC 9116).
func (d *Dashboard) securityText(w http.ResponseWriter, r *http.Request) {
	contacts := d.Settings.Lines(r.Context(), settings.SecurityContact)
	if len(contacts) == 0 {
		d.problem(w, r, nil, http.StatusNotFound, "No contact is named", "The agency has not said yet whom to tell of a hole.")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, c := range contacts {
		fmt.Fprintf(w, "Contact: %s\n", c)
	}
	fmt.Fprintf(w, "Expires: %s\nPreferred-Languages: en\n", d.Now().UTC().AddDate(0, 0, contactLife).Truncate(24*time.Hour).Format(time.RFC3339))
}

// notice returns the agency's use notice and its hash, "" where there is none.
func (d *Dashboard) notice(r *http.Request) (text, hash string) {
	if d.Settings == nil {
		return "", ""
	}
	if text = d.Settings.Value(r.Context(), settings.UseNotice); text != "" {
		hash = evidence.SHA256([]byte(text)).String()
	}
	return text, hash
}

// errNotice is said to who has not accepted the notice, or another one.
const errNotice = "Read the use notice and accept it: without that nobody is let in."
