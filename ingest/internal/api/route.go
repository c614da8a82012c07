package api

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// Description tells people and programs what a route does. The document of the API is
// made of it, and what it says is enforced: its parameters are the only ones that are
// read, and a token that has none of the actions is turned away.
type Description struct {
	Tag     string        // heading under which it stands
	Summary string        // what it does, in a few words
	About   string        // what else is to be known
	Asks    []auth.Action // any one of them is needed, on what the route is about
	Account bool          // the own account: a session is all that is needed, and a token does not do
	Token   bool          // only a token, of itself
	Fresh   bool          // the session must have shown a factor within the last 5 minutes
	Query   []Parameter
	Paged   bool   // it has cursor and limit besides
	Missing string // what is said when there is no such thing; "": it never happens
	Codes   []int  // further answers: 409, 422, 503
	Secret  bool   // the answer is shown once, and is kept nowhere
	Follows bool   // it is answered for as long as somebody listens, which is no use of the session
}

// Parameter is one that may follow the question mark of an address, once.
type Parameter struct {
	Name  string
	Kind  Kind
	About string
	Enum  []string // of Text: the only values
	Min   int      // of Number
	Max   int      // of Number
}

// Kind is how a parameter is written.
type Kind string

// The kinds.
const (
	Text   Kind = "text"
	Time   Kind = "time" // RFC 3339
	Number Kind = "number"
	True   Kind = "true" // true, or left out
)

// Nothing is the body of a route that has none, and the answer of one that has
// nothing to say: 204.
type Nothing struct{}

// Route is one thing that the API answers. Make it with Answer or Stream.
type Route struct {
	Description
	pattern string
	body    reflect.Type // nil: none
	answer  reflect.Type // nil: none
	media   []string     // of an answer that is no JSON
	status  int          // of success
	maxBody int64
	serve   func(*api, http.ResponseWriter, *Request) error
}

// Request is what a route is asked.
type Request struct {
	*http.Request
	Actor *auth.Actor

	values query
	answer http.ResponseWriter
}

// From is where the request came from.
func (r *Request) From() auth.Origin { return r.Actor.Origin }

// AnswerHeader is the header of the answer.
func (r *Request) AnswerHeader() http.Header { return r.answer.Header() }

// defaultBody bounds a request's body, in bytes.
const defaultBody = 64 << 10

// Answer is a route that reads a body as B and answers JSON as A: the document takes
// the shapes of both from these types. Nothing stands for none.
func Answer[B, A any](pattern string, d Description, do func(*Request, *B) (A, error)) Route {
	r := newRoute[B](pattern, d)
	if t := reflect.TypeFor[A](); t != reflect.TypeFor[Nothing]() {
		r.answer, r.status = t, http.StatusOK
	}
	r.serve = func(a *api, w http.ResponseWriter, q *Request) error {
		body := new(B)
		if r.body != nil {
			if err := readBody(q.Request, body); err != nil {
				return err
			}
		}
		v, err := do(q, body)
		if err != nil {
			return err
		}
		if r.answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return writeJSON(w, v)
	}
	return r
}

// Stream is a route that answers with a file or a stream of one of the media types.
// An error before the first byte is a problem; after it, the answer is broken off.
func Stream[B any](pattern string, d Description, media []string, do func(http.ResponseWriter, *Request, *B) error) Route {
	r := newRoute[B](pattern, d)
	r.media, r.status = media, http.StatusOK
	r.serve = func(a *api, w http.ResponseWriter, q *Request) error {
		body := new(B)
		if r.body != nil {
			if err := readBody(q.Request, body); err != nil {
				return err
			}
		}
		begun := &begun{ResponseWriter: w, asked: time.Now(), still: func() error { return a.still(q, &r) }}
		err := do(begun, q, body)
		if err != nil && begun.yes {
			a.Log.WarnContext(q.Context(), "an answer was broken off", "path", q.URL.Path, "error", err)
			panic(http.ErrAbortHandler) // what came must not pass for the whole
		}
		return err
	}
	return r
}

func newRoute[B any](pattern string, d Description) Route {
	r := Route{Description: d, pattern: pattern, status: http.StatusNoContent, maxBody: defaultBody}
	if t := reflect.TypeFor[B](); t != reflect.TypeFor[Nothing]() {
		r.body = t
	}
	if err := r.check(); err != nil {
		panic("api: " + pattern + ": " + err.Error()) // as http.ServeMux does of a pattern that cannot be
	}
	return r
}

// Takes lets the body have up to n bytes.
func (r Route) Takes(n int64) Route {
	r.maxBody = n
	return r
}

// Pattern is the route as http.ServeMux knows it.
func (r Route) Pattern() string { return r.pattern }

var wildcard = regexp.MustCompile(`\{([a-z_]+)\}`)

// check refuses a route that nobody could learn anything about.
func (r *Route) check() error {
	method, path, _ := strings.Cut(r.pattern, " ")
	switch {
	case !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method) || !strings.HasPrefix(path, "/api/v1/"):
		return fmt.Errorf("a pattern is a method and a path below /api/v1/")
	case r.Tag == "" || r.Summary == "" || strings.HasSuffix(r.Summary, "."):
		return fmt.Errorf("it wants a tag, and a summary without a full stop")
	case (r.Account || r.Token) == (len(r.Asks) > 0):
		return fmt.Errorf("it wants the actions that it asks for, or to be of the own account")
	case r.body != nil && (method == "GET" || r.body.Kind() != reflect.Struct):
		return fmt.Errorf("a body is a struct, and GET has none")
	}
	for _, name := range wildcard.FindAllStringSubmatch(path, -1) {
		if pathWords[name[1]] == "" {
			return fmt.Errorf("nobody says what {%s} is", name[1])
		}
	}
	for _, p := range r.parameters() {
		if p.Name == "" || p.About == "" {
			return fmt.Errorf("a parameter wants a name and words")
		}
	}
	return nil
}

// pathWords says what stands for the names in paths.
var pathWords = map[string]string{
	"id":      "Id, as a list gives it.",
	"person":  "Id of a person.",
	"item":    "Id of an item.",
	"serial":  "The camera's serial number.",
	"dock":    "The dock's name.",
	"station": "The station's name.",
	"name":    "Name of the setting.",
	"token":   "Id of an enrolment token.",
}

func (r *Route) method() string {
	method, _, _ := strings.Cut(r.pattern, " ")
	return method
}

func (r *Route) parameters() []Parameter {
	if !r.Paged {
		return r.Query
	}
	return append(slices.Clone(r.Query),
		Parameter{Name: "cursor", Kind: Text, About: "The `next` of the page before, with everything else the same. Absent: the first page."},
		Parameter{Name: "limit", Kind: Number, About: "The most that one page holds; 50 when absent.", Min: 1, Max: maxLimit})
}

// keyed reports whether an Idempotency-Key means something here.
func (r *Route) keyed() bool { return r.method() == http.MethodPost && r.media == nil }

// byToken reports whether a token can get at it at all.
func (r *Route) byToken() bool { return len(r.scopes()) > 0 && !r.Fresh }

// scopes are those of the actions that a token may have.
func (r *Route) scopes() (all []string) {
	for _, do := range r.Asks {
		if auth.ForTokens(do) {
			all = append(all, string(do))
		}
	}
	return all
}

// stillEvery is how often it is asked again whether who gets an answer may have it.
const stillEvery = time.Second

// begun knows whether anything was sent, and sends no more to who may not have it any
// more.
type begun struct {
	http.ResponseWriter
	yes   bool
	still func() error
	asked time.Time
}

func (b *begun) WriteHeader(code int) {
	b.yes = true
	b.ResponseWriter.WriteHeader(code)
}

func (b *begun) Write(p []byte) (int, error) {
	if time.Since(b.asked) >= stillEvery {
		if err := b.still(); err != nil {
			return 0, err
		}
		b.asked = time.Now()
	}
	b.yes = true
	return b.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what it controls.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }
