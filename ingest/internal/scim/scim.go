package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/throttle"
)

// Prefix is below which the handler answers.
const Prefix = "/scim/v2"

const (
	contentType = "application/scim+json"
	maxBody     = 2 << 20 // a group of 20,000 members, a few times over
	maxQuery    = 8 << 10
	maxPage     = 200

	// Requests a minute: of one provisioner, a fifth of which may come at once (Entra ID
	// sends 25 a second), and of an address that shows no good token.
	clientRate   = 3000
	strangerRate = 30
)

// Config is what the handler stands on.
type Config struct {
	Auth *auth.Service
	Base string // address of Prefix as clients know it, for locations
	Now  func() time.Time
	Log  *slog.Logger
}

// handler answers. Make it with New.
type handler struct {
	Config
	clients, strangers throttle.Meter
}

// New returns the handler of everything below Prefix.
func New(c Config) http.Handler {
	h := &handler{Config: c}
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(*request) (*reply, error){
		"GET /ServiceProviderConfig": h.capabilities,
		"GET /ResourceTypes":         h.resourceTypes, "GET /ResourceTypes/{id}": h.resourceType,
		"GET /Schemas": h.schemas, "GET /Schemas/{id}": h.schema,
		"GET /Users": h.users, "POST /Users": h.createUser,
		"GET /Users/{id}": h.user, "PUT /Users/{id}": h.replaceUser, "PATCH /Users/{id}": h.patchUser, "DELETE /Users/{id}": h.removeUser,
		"GET /Groups": h.groups, "POST /Groups": h.createGroup,
		"GET /Groups/{id}": h.group, "PUT /Groups/{id}": h.replaceGroup, "PATCH /Groups/{id}": h.patchGroup, "DELETE /Groups/{id}": h.removeGroup,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+Prefix+path, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, answer) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.serve(w, r, func(*request) (*reply, error) {
			return nil, &problem{http.StatusNotFound, "", "there is nothing at this address, or not by this method"}
		})
	})
	return mux
}

// request is one of a provisioner that was let in.
type request struct {
	*http.Request
	ctx   context.Context
	by    *auth.Provisioner
	query url.Values
	body  []byte
}

// reply is what is answered; body is marshalled where it is not nil.
type reply struct {
	code     int
	body     any
	location string
	version  int64
	resource bool // body is one of Users or Groups
}

// problem is an error as SCIM tells it (RFC 7644 section 3.12).
type problem struct {
	code   int
	kind   string // scimType
	detail string
}

func (p *problem) Error() string { return p.detail }

func bad(kind, format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, kind, fmt.Sprintf(format, args...)}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request, answer func(*request) (*reply, error)) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	q, err := h.admit(w, r)
	var made *reply
	if err == nil {
		made, err = answer(q)
	}
	if err != nil {
		h.fail(w, r, q, err)
		return
	}
	if made.resource {
		if made.body, err = q.project(made.body); err != nil {
			h.fail(w, r, q, err)
			return
		}
	}
	if made.location != "" {
		header.Set("Location", made.location)
	}
	if made.version != 0 {
		header.Set("ETag", versionTag(made.version))
	}
	h.write(w, r, made.code, made.body)
}

func (h *handler) write(w http.ResponseWriter, r *http.Request, code int, body any) {
	if body == nil {
		w.Header().Del("Content-Type")
		w.WriteHeader(code)
		return
	}
	text, err := json.Marshal(body)
	if err != nil {
		h.Log.ErrorContext(r.Context(), "writing a SCIM answer failed", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(code)
	w.Write(text)
}

// admit lets in who shows a good token and does not come too often, and reads what
// they send.
func (h *handler) admit(w http.ResponseWriter, r *http.Request) (*request, error) {
	from := auth.OriginOf(r)
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	by, err := (*auth.Provisioner)(nil), error(auth.ErrProvisioner)
	if ok || r.Header.Get("Authorization") == "" {
		by, err = h.Auth.Provisioner(r.Context(), strings.TrimSpace(token), from)
	}
	wait := time.Duration(0)
	if err == nil {
		wait = h.clients.Ask(by.ID(), clientRate, h.Now())
	} else if errors.Is(err, auth.ErrProvisioner) {
		wait = h.strangers.Ask(throttle.Place(from.Address), strangerRate, h.Now())
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		return nil, &problem{http.StatusTooManyRequests, "", "too many requests: wait as long as Retry-After says"}
	}
	if err != nil {
		return nil, err
	}
	q := &request{Request: r, ctx: r.Context(), by: by}
	if len(r.URL.RawQuery) > maxQuery {
		return q, bad("invalidValue", "the query has %d bytes, %d are taken", len(r.URL.RawQuery), maxQuery)
	}
	if q.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return q, bad("invalidValue", "the query cannot be read")
	}
	if q.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		return q, &problem{http.StatusRequestEntityTooLarge, "tooLarge", fmt.Sprintf("the body is cut off, or has more than %d bytes", maxBody)}
	}
	return q, nil
}

// fail answers an error. What a provisioner wanted and may not is on record: package
// auth saw to what it refused itself, and this to what was not understood.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, q *request, err error) {
	p := &problem{http.StatusInternalServerError, "", "the server failed at this; its log says why"}
	var own *problem
	var wrong *auth.PersonError
	switch {
	case errors.As(err, &own):
		p = own
		if q != nil && r.Method != http.MethodGet && own.code == http.StatusBadRequest {
			if failed := q.by.Refused(r.Context(), "", err); failed != nil {
				h.Log.ErrorContext(r.Context(), "recording a refused SCIM request failed", "error", failed)
			}
		}
	case errors.Is(err, auth.ErrProvisioner):
		w.Header().Set("WWW-Authenticate", `Bearer realm="scim"`)
		p = &problem{http.StatusUnauthorized, "", auth.ErrProvisioner.Error()}
	case errors.Is(err, catalog.ErrNotFound):
		p = &problem{http.StatusNotFound, "", "there is no such resource of this client"}
	case errors.Is(err, auth.ErrTaken):
		p = &problem{http.StatusConflict, "uniqueness", firstLine(err)}
	case errors.Is(err, auth.ErrStale):
		p = &problem{http.StatusPreconditionFailed, "", auth.ErrStale.Error()}
	case errors.As(err, &wrong):
		p = bad("invalidValue", "%s", wrong.Error())
	case errors.Is(err, auth.ErrNotProvisioned), errors.Is(err, auth.ErrLastManager):
		p = &problem{http.StatusForbidden, "", firstLine(err)}
	case r.Context().Err() == nil:
		h.Log.ErrorContext(r.Context(), "a SCIM request failed", "method", r.Method, "error", err)
	}
	body := struct {
		Schemas []string `json:"schemas"`
		Kind    string   `json:"scimType,omitempty"`
		Detail  string   `json:"detail"`
		Status  string   `json:"status"`
	}{[]string{"urn:ietf:params:scim:api:messages:2.0:Error"}, p.kind, p.detail, strconv.Itoa(p.code)}
	h.write(w, r, p.code, body)
}

// firstLine leaves out what was joined to an error.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func versionTag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// match returns the version that a request wants to work on (RFC 7644 section 3.14); 0
// is any.
func (q *request) match() (int64, error) {
	tag := strings.TrimSpace(q.Header.Get("If-Match"))
	if tag == "" || tag == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(tag, "W/"), `"`), 10, 64)
	if err != nil || n <= 0 {
		return 0, auth.ErrStale
	}
	return n, nil
}

// window reads startIndex and count (RFC 7644 section 3.4.2.4).
func (q *request) window() (skip, count int, err error) {
	number := func(name string, otherwise int) int {
		text := q.query.Get(name)
		if text == "" {
			return otherwise
		}
		n, wrong := strconv.Atoi(text)
		if wrong != nil && err == nil {
			err = bad("invalidValue", "%s is no number", name)
		}
		return n
	}
	start, count := number("startIndex", 1), number("count", 100)
	return max(start, 1) - 1, min(max(count, 0), maxPage), err
}

// omits reports whether an attribute is not wanted (RFC 7644 section 3.9).
func (q *request) omits(attribute string) bool {
	named := func(list string, parts bool) bool {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			for _, schema := range []string{userSchema, groupSchema} {
				if len(name) > len(schema) && strings.EqualFold(name[:len(schema)+1], schema+":") {
					name = name[len(schema)+1:]
				}
			}
			first, _, part := strings.Cut(name, ".") // of name.givenName the whole name is given, and nothing excluded
			if strings.EqualFold(first, attribute) && (parts || !part) {
				return true
			}
		}
		return false
	}
	wanted := q.query.Get("attributes")
	return named(q.query.Get("excludedAttributes"), false) || wanted != "" && !named(wanted, true)
}

type list struct {
	Schemas   []string `json:"schemas"`
	Total     int64    `json:"totalResults"`
	Start     int      `json:"startIndex"`
	PerPage   int      `json:"itemsPerPage"`
	Resources []any    `json:"Resources"`
}

func listed(all int64, skip int, some []any) *reply {
	if some == nil {
		some = []any{}
	}
	return &reply{code: http.StatusOK, body: list{[]string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, all, skip + 1, len(some), some}}
}
