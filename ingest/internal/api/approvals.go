package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// asking lets what is asked wait for a second person: its body is kept as it is read.
func asking(r *http.Request) *http.Request {
	var read bytes.Buffer
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, &read), r.Body}
	return r.WithContext(auth.WithAsking(r.Context(), &auth.Asking{
		Door: auth.DoorAPI, Method: r.Method, URI: r.URL.RequestURI(), Type: "application/json", Device: auth.BrowserOf(r).Device,
		Body: func() ([]byte, error) { return read.Bytes(), nil },
	}))
}

// canWait reports whether an act of the route can take a second person.
func (r *Route) canWait() bool {
	return r.method() != http.MethodGet && r.Tag != tagApprovals && slices.ContainsFunc(r.Asks, func(do auth.Action) bool { return !auth.Looks(do) && do != auth.ManageKeys })
}

type waitingAnswer struct {
	Request string    `json:"request" jsonschema:"id of the request that waits"`
	Lapses  time.Time `json:"lapses_at" jsonschema:"when it lapses, if nobody decides"`
	Detail  string    `json:"detail"`
}

// waits answers what waits for a second person, and reports whether it does.
func waits(w http.ResponseWriter, err error) bool {
	var waiting *auth.WaitingError
	if !errors.As(err, &waiting) {
		return false
	}
	body, _ := json.Marshal(waitingAnswer{waiting.ID, waiting.Lapses, "This takes a second person. It is not done yet: somebody else who may do the same has to approve it."}) // always marshals
	w.Header().Set("Location", "/api/v1/approvals/"+waiting.ID)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusAccepted)
	w.Write(body)
	return true
}

type approvalShape struct {
	ID        string          `json:"id"`
	State     string          `json:"state" jsonschema:"waiting, approved (who asked may do it once, until use_until), done, refused, withdrawn or lapsed"`
	Action    string          `json:"action"`
	Words     string          `json:"words" jsonschema:"the action in words"`
	Kind      string          `json:"kind" jsonschema:"type of the event that it will be"`
	About     string          `json:"about" jsonschema:"as custody events name it; empty for what is only made"`
	AskedBy   someBody        `json:"asked_by"`
	AskedAt   time.Time       `json:"asked_at"`
	Lapses    time.Time       `json:"lapses_at"`
	Digest    evidence.Digest `json:"digest" jsonschema:"SHA-256 of asked: an approval names it"`
	Asked     string          `json:"asked" jsonschema:"all that is asked, as JSON in its one form"`
	Mine      bool            `json:"mine"`
	MayDecide bool            `json:"may_decide"`
	DecidedBy *someBody       `json:"decided_by,omitempty"`
	DecidedAt *time.Time      `json:"decided_at,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	UseUntil  *time.Time      `json:"use_until,omitempty"`
}

type someBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func approvalOf(v *auth.Request) approvalShape {
	s := approvalShape{ID: v.ID, State: string(v.State), Action: v.Action, Words: auth.Words(auth.Action(v.Action)), Kind: string(v.What.Kind), About: v.ActRequest.About, AskedBy: someBody{v.User, v.By},
		AskedAt: v.AskedAt, Lapses: v.Lapses, Digest: v.Digest, Asked: string(v.Asked), Mine: v.Own, MayDecide: v.MayDecide, Reason: v.Reason, DecidedAt: moment(v.DecidedAt), UseUntil: moment(v.UseUntil)}
	if v.Lapsed {
		s.State = "lapsed"
	}
	if v.DecidedBy != "" {
		s.DecidedBy = &someBody{v.DecidedBy, v.Decider}
	}
	return s
}

type approvalsAnswer struct {
	Approvals []approvalShape `json:"approvals"`
}

type approveBody struct {
	Digest evidence.Digest `json:"digest" required:"true" jsonschema:"of what you have read"`
}

type refuseBody struct {
	Reason string `json:"reason"`
}

const tagApprovals = "Two people"

// maxPast is how many requests are listed that wait no more.
const maxPast = 200

func (a *api) approvalRoutes() []Route {
	const tag, missing = tagApprovals, "There is no such request, or it is out of your reach."
	all := waitable()
	state := Parameter{Name: "state", Kind: Text, About: "waiting, or past for those that wait no more. Absent: waiting.", Enum: []string{"waiting", "past"}}
	decide := Description{Tag: tag, Asks: all, Missing: missing, Fresh: true, Codes: []int{http.StatusConflict, http.StatusUnprocessableEntity}}
	approve, refused := decide, decide
	approve.Summary, approve.About = "Approve what somebody else asked for", "It is done at once, in the name of who asked. What takes long, or shows a secret, may then be done by them once, within 15 minutes: they ask for the very same again."
	refused.Summary = "Refuse what somebody else asked for"
	return []Route{
		Answer("GET /api/v1/approvals", Description{Tag: tag, Summary: "Acts that wait for a second person", About: "Those that you asked for, and those that you may decide on.", Asks: all, Query: []Parameter{state}}, func(r *Request, _ *Nothing) (approvalsAnswer, error) {
			list := approvalsAnswer{[]approvalShape{}}
			var some []auth.Request
			var err error
			if r.Text("state") == "past" {
				some, err = a.approvals(r).Past(r.Context(), maxPast)
			} else {
				some, err = a.approvals(r).Waiting(r.Context())
			}
			for i := range some {
				list.Approvals = append(list.Approvals, approvalOf(&some[i]))
			}
			return list, err
		}),
		Answer("GET /api/v1/approvals/{id}", Description{Tag: tag, Summary: "One act that waits, or waited, for a second person", Asks: all, Missing: missing}, func(r *Request, _ *Nothing) (approvalShape, error) {
			v, err := a.approvals(r).Get(r.Context(), r.PathValue("id"))
			if err != nil {
				return approvalShape{}, err
			}
			return approvalOf(v), nil
		}),
		Answer("POST /api/v1/approvals/{id}/approve", approve, func(r *Request, b *approveBody) (approvalShape, error) {
			return a.decided(r, a.approvals(r).Approve(r.Context(), r.PathValue("id"), b.Digest))
		}),
		Answer("POST /api/v1/approvals/{id}/refuse", refused, func(r *Request, b *refuseBody) (approvalShape, error) {
			return a.decided(r, a.approvals(r).Refuse(r.Context(), r.PathValue("id"), b.Reason))
		}),
		Answer("POST /api/v1/approvals/{id}/withdraw", Description{Tag: tag, Summary: "Withdraw what you asked for", Asks: all, Missing: missing, Codes: []int{http.StatusConflict}}, func(r *Request, _ *Nothing) (approvalShape, error) {
			return a.decided(r, a.approvals(r).Withdraw(r.Context(), r.PathValue("id")))
		}),
	}
}

// waitable are the actions that can take a second person.
func waitable() (all []auth.Action) {
	for _, d := range auth.TwoPeopleActions() {
		all = append(all, d.Action)
	}
	return all
}

func (a *api) approvals(r *Request) *auth.Approvals {
	return a.Auth.Approvals(r.Actor, auth.BrowserOf(r.Request).Device)
}

// decided is how a request stands after a decision; one that nobody sees any more has no
// answer but that it was decided.
func (a *api) decided(r *Request, err error) (approvalShape, error) {
	if err != nil {
		return approvalShape{}, err
	}
	v, err := a.approvals(r).Get(r.Context(), r.PathValue("id"))
	if errors.Is(err, catalog.ErrNotFound) {
		return approvalShape{ID: r.PathValue("id")}, nil
	} else if err != nil {
		return approvalShape{}, err
	}
	return approvalOf(v), nil
}
