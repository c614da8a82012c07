package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Refused is why an act upon keys did not take place, for the people who asked.
type Refused struct{ Why error }

func (r *Refused) Error() string { return r.Why.Error() }

func (r *Refused) Unwrap() error { return r.Why }

// Shown is how whoever asks shows once more who they are; empty where the session did
// within the last 5 minutes. The password counts where there is no second factor.
type Shown struct {
	Password string `json:"password,omitempty"`
	Code     string `json:"code,omitempty"`
}

func (s *Shown) proof() auth.Proof { return auth.Proof{Password: s.Password, Code: s.Code} }

// Both are the two people whom an act takes: the one who is signed in, and another.
// The passphrases are for an escrow alone.
type Both struct {
	Shown
	Passphrase string   `json:"passphrase,omitempty"`
	Approver   Approver `json:"approver"`
}

// Proof is that of who is signed in.
func (b *Both) Proof() auth.Proof { return b.proof() }

// Approver is the second person, who signs in for this act alone.
type Approver struct {
	Login      string `json:"login"`
	Password   string `json:"password"`
	Code       string `json:"code,omitempty"` // where there is a second factor
	Passphrase string `json:"passphrase,omitempty"`
}

func (b *Both) whole() bool { return b.Approver.Login != "" && b.Approver.Password != "" }

// OpenEscrow is an escrow file with what opens it.
type OpenEscrow struct {
	File        []byte            `json:"escrow"`      // base64 in JSON
	Passphrases map[string]string `json:"passphrases"` // by sign-in name
}

func (e *OpenEscrow) whole() bool { return len(e.File) > 0 && len(e.Passphrases) == 2 }

// Drill tells how the played loss of the keys went.
type Drill struct {
	Passed   bool        `json:"passed"`
	KeyPairs int         `json:"key_pairs"`         // that the escrow holds
	Missing  []string    `json:"missing,omitempty"` // key pairs that the catalog needs and the escrow lacks
	Stored   int64       `json:"stored"`            // recordings in the store
	Drawn    int         `json:"drawn"`
	Opened   int         `json:"opened"`
	Segments int         `json:"segments"` // that were opened and compared
	Steps    []DrillStep `json:"steps"`
}

// DrillStep is one step of a Drill.
type DrillStep struct {
	What   string `json:"what"`
	TookUS int64  `json:"took_us"`
	Error  string `json:"error,omitempty"`
}

// Destruction tells what became of an item's keys.
type Destruction struct {
	Path           string `json:"path"`
	OriginalErased bool   `json:"original_erased"` // on the camera, as its dock told
	Forgotten      bool   `json:"forgotten"`       // the catalog's files hold no former row any more; false: they may, for a while
}

// MaxSample bounds how many recordings a drill opens.
const MaxSample = 10_000

// maxEscrowBody holds an escrow in base64, and what goes with it.
const maxEscrowBody = keys.MaxEscrow/3*4 + 16<<10

var takesEscrow = map[string]bool{"/api/v1/keys/restore": true, "/api/v1/keys/drill": true}

func (a *api) keyRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/keys", a.private(a.keys))
	mux.HandleFunc("POST /api/v1/keys/rotate", a.private(a.rotate))
	mux.HandleFunc("POST /api/v1/keys/{id}/retire", a.private(a.retire))
	mux.HandleFunc("POST /api/v1/keys/escrow", a.private(a.escrow))
	mux.HandleFunc("POST /api/v1/keys/restore", a.private(a.takeBack))
	mux.HandleFunc("POST /api/v1/keys/drill", a.private(a.drill))
	mux.HandleFunc("POST /api/v1/items/{id}/destroy", a.private(a.destroy))
}

// readStrict reads a body of at most limit bytes that holds v and nothing else.
func readStrict(r *http.Request, v any, limit int64) bool {
	reader := json.NewDecoder(io.LimitReader(r.Body, limit))
	reader.DisallowUnknownFields()
	return reader.Decode(v) == nil && !reader.More()
}

func unread(w http.ResponseWriter, want string) {
	problem(w, http.StatusBadRequest, "The request cannot be read", "Send "+want)
}

// What a body begins with.
const (
	wantProof = `{"code":"…", or without a second factor "password":"…", or neither after /api/v1/me/confirm`
	wantBoth  = wantProof + `, "approver":{"login":"…","password":"…","code":"…"}`
)

func (a *api) retire(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var both Both
	if !readStrict(r, &both, 8<<10) || !both.whole() {
		unread(w, wantBoth+"}.")
		return
	}
	key := r.PathValue("id")
	if keys.CheckID(key) != nil {
		a.keyAnswer(w, r, nil, catalog.ErrNotFound)
		return
	}
	err := a.Keys.Retire(context.WithoutCancel(r.Context()), actor, key, &both)
	a.keyAnswer(w, r, map[string]string{"retired": key}, err)
}

// escrow answers the file itself.
func (a *api) escrow(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var both Both
	if !readStrict(r, &both, 16<<10) || !both.whole() || both.Passphrase == "" || both.Approver.Passphrase == "" {
		unread(w, wantProof+`, "passphrase":"…", "approver":{"login":"…","password":"…","code":"…","passphrase":"…"}}: each a passphrase of their own for the file.`)
		return
	}
	file, err := a.Keys.Escrow(context.WithoutCancel(r.Context()), actor, &both)
	if err != nil {
		a.keyAnswer(w, r, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="sealdock-escrow"`)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(file)))
	w.Write(file)
}

func (a *api) takeBack(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var wanted struct {
		Both
		OpenEscrow
	}
	if !readStrict(r, &wanted, maxEscrowBody) || !wanted.Both.whole() || !wanted.OpenEscrow.whole() {
		unread(w, wantBoth+`,"escrow":"base64…","passphrases":{"login":"…","other login":"…"}}.`)
		return
	}
	back, err := a.Keys.TakeBack(context.WithoutCancel(r.Context()), actor, &wanted.Both, &wanted.OpenEscrow)
	a.keyAnswer(w, r, map[string][]string{"restored": back}, err)
}

func (a *api) drill(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var wanted struct {
		Shown
		Sample int `json:"sample"`
		OpenEscrow
	}
	wanted.Sample = 5
	if !readStrict(r, &wanted, maxEscrowBody) || !wanted.OpenEscrow.whole() || wanted.Sample < 1 || wanted.Sample > MaxSample {
		unread(w, wantProof+`, "escrow":"base64…", "passphrases":{"login":"…","other login":"…"}, "sample":5}: sample is 1 to 10000 recordings.`)
		return
	}
	played, err := a.Keys.Drill(r.Context(), actor, wanted.proof(), &wanted.OpenEscrow, wanted.Sample)
	a.keyAnswer(w, r, played, err)
}

func (a *api) destroy(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var wanted struct {
		Both
		Reason string `json:"reason"`
	}
	if !readStrict(r, &wanted, 16<<10) || !wanted.Both.whole() || wanted.Reason == "" {
		unread(w, wantBoth+`,"reason":"…"}: the custody log keeps the reason.`)
		return
	}
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		a.fail(w, r, catalog.ErrNotFound)
		return
	}
	done, err := a.Keys.Destroy(context.WithoutCancel(r.Context()), actor, id, &wanted.Both, wanted.Reason)
	if errors.Is(err, catalog.ErrNotFound) {
		a.fail(w, r, catalog.ErrNotFound)
		return
	}
	a.keyAnswer(w, r, done, err)
}

// keyAnswer answers an act upon keys.
func (a *api) keyAnswer(w http.ResponseWriter, r *http.Request, v any, err error) {
	var refused *Refused
	var wait *auth.TooManyError
	switch {
	case err == nil:
		a.answer(w, r, v)
	case errors.As(err, &refused):
		problem(w, http.StatusConflict, "Refused", refused.Error())
	case errors.As(err, &wait):
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.RetryAfter.Seconds())+1))
		problem(w, http.StatusTooManyRequests, "Too many sign-ins", wait.Error())
	case errors.Is(err, ErrRotating):
		problem(w, http.StatusConflict, "Under way", ErrRotating.Error())
	case errors.Is(err, auth.ErrFactor), errors.Is(err, auth.ErrSignIn), errors.Is(err, auth.ErrSecondFactor):
		problem(w, http.StatusForbidden, "Not you", "A password or code does not fit, was used already, or an account is locked; the try is on record. Where there is a second factor, a password does not do.")
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, keys.ErrNoKey):
		problem(w, http.StatusNotFound, "No such key", "The agency has no key pair of this name.")
	default:
		a.fail(w, r, err)
	}
}
