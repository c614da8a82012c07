// Package apitest holds the API to its own document. Tests alone may import it.
//
// It promises that whoever reads the document with a program of others
// (libopenapi-validator) finds every answer that went through Checked in it: the
// status, the media type, and each field of the body.
package apitest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"

	"github.com/sealdock/sealdock/ingest/internal/api"
)

// Checker is a handler whose answers are compared with its document.
type Checker struct {
	t     testing.TB
	of    *api.Handler
	judge validator.Validator

	mu   sync.Mutex // guards seen
	seen map[string]bool
}

// Checked stands around the API in a test. Whatever it answers that its document does
// not say fails the test.
func Checked(t testing.TB, of *api.Handler) *Checker {
	t.Helper()
	return &Checker{t: t, of: of, judge: Judge(t, of), seen: map[string]bool{}}
}

// Judge reads the document as somebody else would, and fails where it is none.
func Judge(t testing.TB, of *api.Handler) validator.Validator {
	t.Helper()
	w := httptest.NewRecorder()
	of.ServeHTTP(w, httptest.NewRequest("GET", "/api/openapi.json", nil))
	document, err := libopenapi.NewDocument(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	judge, errs := validator.NewValidator(document, config.WithoutSecurityValidation(), config.WithFormatAssertions(), config.WithStrictMode(),
		config.WithStrictIgnorePaths("$.body.events[*].event.**", "$.body.**.values.*")) // events as they were signed, and what has the names of settings
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	t.Cleanup(judge.Release)
	return judge
}

// Document is what dashboard.Config.API asks for.
func (c *Checker) Document() *api.Document { return c.of.Document() }

// Succeeded are the operations that answered with success, by operation id.
func (c *Checker) Succeeded() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// ServeHTTP implements http.Handler.
func (c *Checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kept := &kept{ResponseWriter: w, code: http.StatusOK}
	c.of.ServeHTTP(kept, r)
	path, operation := c.operation(r)
	if operation == nil {
		return // of no route: nothing is said of it
	}
	answer := &http.Response{StatusCode: kept.code, Header: w.Header().Clone(), Body: io.NopCloser(bytes.NewReader(kept.body.Bytes())), Request: r}
	if ok, wrong := c.judge.ValidateHttpResponse(r, answer); !ok {
		for _, e := range wrong {
			c.t.Errorf("%s %s answers what its document does not say: %s: %s", r.Method, path, e.Message, e.Reason)
			for _, s := range e.SchemaValidationErrors {
				c.t.Errorf("  %s: %s", s.FieldPath, s.Reason)
			}
		}
		c.t.Logf("the answer was %d %s", kept.code, clip(kept.body.String()))
	}
	if kept.code < 300 {
		c.mu.Lock()
		c.seen[operation.ID] = true
		c.mu.Unlock()
	}
}

// operation is what the document says of a request's route.
func (c *Checker) operation(r *http.Request) (path string, o *api.Operation) {
	parts := strings.Split(r.URL.Path, "/")
	best := -1
	for p, byMethod := range c.of.Document().Paths {
		pattern := strings.Split(p, "/")
		if len(pattern) != len(parts) || byMethod[strings.ToLower(r.Method)] == nil {
			continue
		}
		fixed := 0
		for i := range pattern {
			switch {
			case pattern[i] == parts[i]:
				fixed++
			case !strings.HasPrefix(pattern[i], "{"):
				fixed = -len(parts)
			}
		}
		if fixed > best {
			best, path, o = fixed, p, byMethod[strings.ToLower(r.Method)]
		}
	}
	return path, o
}

func clip(s string) string {
	if len(s) > 2000 {
		return s[:2000]
	}
	return s
}

// kept remembers an answer.
type kept struct {
	http.ResponseWriter
	code int
	body bytes.Buffer
}

func (k *kept) WriteHeader(code int) {
	k.code = code
	k.ResponseWriter.WriteHeader(code)
}

func (k *kept) Write(p []byte) (int, error) {
	if k.body.Len() < 16<<20 {
		k.body.Write(p)
	}
	return k.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what it controls.
func (k *kept) Unwrap() http.ResponseWriter { return k.ResponseWriter }
