package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/keys"
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

func (s *Shown) deliberate() {}

func (s *Shown) proof() auth.Proof { return auth.Proof{Password: s.Password, Code: s.Code} }

// Both are the two people whom an act takes: the one who is signed in, and another.
// The passphrases are for an escrow alone.
type Both struct {
	Shown
	Passphrase string   `json:"passphrase,omitempty" jsonschema:"for an escrow"`
	Approver   Approver `json:"approver" required:"true"`
}

// Proof is that of who is signed in.
func (b *Both) Proof() auth.Proof { return b.proof() }

// Approver is the second person, who signs in for this act alone.
type Approver struct {
	Login      string `json:"login"`
	Password   string `json:"password"`
	Code       string `json:"code,omitempty" jsonschema:"where there is a second factor"`
	Passphrase string `json:"passphrase,omitempty"`
}

func (b *Both) whole() bool { return b.Approver.Login != "" && b.Approver.Password != "" }

// OpenEscrow is an escrow file with what opens it.
type OpenEscrow struct {
	File        []byte            `json:"escrow" required:"true"`
	Passphrases map[string]string `json:"passphrases" required:"true" jsonschema:"by sign-in name"`
}

func (e *OpenEscrow) whole() bool { return len(e.File) > 0 && len(e.Passphrases) == 2 }

// Drill tells how the played loss of the keys went.
type Drill struct {
	Passed   bool        `json:"passed"`
	KeyPairs int         `json:"key_pairs" jsonschema:"that the escrow holds"`
	Missing  []string    `json:"missing,omitempty" jsonschema:"key pairs that the catalog needs and the escrow lacks"`
	Stored   int64       `json:"stored" jsonschema:"recordings in the store"`
	Drawn    int         `json:"drawn"`
	Opened   int         `json:"opened"`
	Segments int         `json:"segments" jsonschema:"that were opened and compared"`
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
	OriginalErased bool   `json:"original_erased" jsonschema:"on the camera, as its dock told"`
	Forgotten      bool   `json:"forgotten" jsonschema:"the catalog's files hold no former row any more; false: they may, for a while"`
}

// MaxSample bounds how many recordings a drill opens.
const MaxSample = 10_000

// maxEscrowBody holds an escrow in base64, and what goes with it.
const maxEscrowBody = keys.MaxEscrow/3*4 + 16<<10

func (a *api) keyRoutes() []Route {
	if a.Keys == nil {
		return nil
	}
	const tag, noKey = "Keys", "The agency has no key pair of this name."
	two := "It takes two people: the one who is signed in, and the approver. Each shows a factor in the body; who is signed in may have shown it to /api/v1/me/confirm."
	of := func(summary, about, missing string) Description {
		return Description{Tag: tag, Summary: summary, About: about, Asks: []auth.Action{auth.ManageKeys}, Missing: missing, Codes: []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}}
	}
	secret := of("Write all keys into an escrow", two+" The file opens with the passphrases of both.", "")
	return []Route{
		Answer("GET /api/v1/keys", Description{Tag: tag, Summary: "The agency's key pairs, and what stands on them", Asks: []auth.Action{auth.ManageKeys}}, a.keys),
		Answer("POST /api/v1/keys/rotate", of("Make a new key pair and wrap everything to it", "It answers when all is wrapped, and goes on when nobody waits.", ""), a.rotate),
		Answer("POST /api/v1/keys/{id}/retire", of("Destroy an older key pair on which nothing stands any more", two, noKey), a.retire),
		Stream("POST /api/v1/keys/escrow", secret, []string{"application/octet-stream"}, a.escrow),
		Answer("POST /api/v1/keys/restore", of("Put back the missing key pairs of an escrow", two, ""), a.takeBack).Takes(maxEscrowBody),
		Answer("POST /api/v1/keys/drill", of("Play the loss of all keys with an escrow", "Nothing is changed.", ""), a.drill).Takes(maxEscrowBody),
		Answer("POST /api/v1/items/{id}/destroy", of("Destroy a recording's keys for good", two, noItem), a.destroy),
	}
}

type retireAnswer struct {
	Retired string `json:"retired"`
}

func (a *api) retire(r *Request, both *Both) (retireAnswer, error) {
	key := r.PathValue("id")
	switch {
	case !both.whole():
		return retireAnswer{}, errHalf
	case keys.CheckID(key) != nil:
		return retireAnswer{}, notThere
	}
	return retireAnswer{key}, a.Keys.Retire(context.WithoutCancel(r.Context()), r.Actor, key, both)
}

var errHalf = unreadable("An approver has a login and a password, and a code where there is a second factor.")

// escrow answers the file itself.
func (a *api) escrow(w http.ResponseWriter, r *Request, both *Both) error {
	if !both.whole() {
		return errHalf
	}
	if both.Passphrase == "" || both.Approver.Passphrase == "" {
		return unreadable("Each of the two gives a passphrase of their own for the file: passphrase, and that in approver.")
	}
	file, err := a.Keys.Escrow(context.WithoutCancel(r.Context()), r.Actor, both)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="sealdock-escrow"`)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(file)))
	_, err = w.Write(file)
	return err
}

type restoreBody struct {
	Both
	OpenEscrow
}

type restoreAnswer struct {
	Restored []string `json:"restored"`
}

func (a *api) takeBack(r *Request, wanted *restoreBody) (restoreAnswer, error) {
	if !wanted.Both.whole() {
		return restoreAnswer{}, errHalf
	}
	if !wanted.OpenEscrow.whole() {
		return restoreAnswer{}, errEscrow
	}
	back, err := a.Keys.TakeBack(context.WithoutCancel(r.Context()), r.Actor, &wanted.Both, &wanted.OpenEscrow)
	return restoreAnswer{back}, err
}

var errEscrow = unreadable("An escrow is the file in base64, and two passphrases by sign-in name.")

type drillBody struct {
	Shown
	Sample *int `json:"sample" jsonschema:"recordings to open, 1 to 10000; absent: 5"`
	OpenEscrow
}

func (a *api) drill(r *Request, wanted *drillBody) (*Drill, error) {
	sample := 5
	if wanted.Sample != nil {
		sample = *wanted.Sample
	}
	if !wanted.OpenEscrow.whole() || sample < 1 || sample > MaxSample {
		return nil, errEscrow
	}
	return a.Keys.Drill(r.Context(), r.Actor, wanted.proof(), &wanted.OpenEscrow, sample)
}

type destroyBody struct {
	Both
	Reason string `json:"reason" required:"true" jsonschema:"the custody log keeps it"`
}

func (a *api) destroy(r *Request, wanted *destroyBody) (*Destruction, error) {
	if !wanted.Both.whole() || wanted.Reason == "" {
		return nil, errHalf
	}
	id, err := r.item()
	if err != nil {
		return nil, err
	}
	return a.Keys.Destroy(context.WithoutCancel(r.Context()), r.Actor, id, &wanted.Both, wanted.Reason)
}
