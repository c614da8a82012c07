package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// An answer to a request with an Idempotency-Key is kept for a day
// (draft-ietf-httpapi-idempotency-key-header-07), so that a program that did not hear it
// can ask again without doing anything twice.
const (
	keptFor     = 24 * time.Hour
	maxKeys     = 1000     // of one actor at a time
	maxKeyText  = 255      // bytes
	maxKeptBody = 16 << 10 // bytes; of a longer answer it is kept that it was given
)

// Answers keeps what was answered. The server's catalog does.
type Answers interface {
	KeptAnswer(ctx context.Context, actor, key string) (*catalog.KeptAnswer, error)
	CountKeptAnswers(ctx context.Context, actor string) (int64, error)
	Update(ctx context.Context, do func(*sqldb.Tx) error) error
}

// keyOf reads the header: a string of RFC 8941, or the same without quotes.
func keyOf(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(values[0])
	if inner, ok := strings.CutPrefix(key, `"`); ok {
		key = strings.TrimSuffix(inner, `"`)
	}
	plain := !strings.ContainsFunc(key, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '"' || r == '\\' })
	if len(values) > 1 || key == "" || len(key) > maxKeyText || !plain {
		return "", unreadable(fmt.Sprintf("Idempotency-Key: once, 1 to %d letters, digits and signs without spaces.", maxKeyText))
	}
	return key, nil
}

// actorKey is under whom keys are kept and requests are counted: a token, or a person
// with all their sessions.
func actorKey(actor *auth.Actor) string {
	if actor.Token != nil {
		return "token:" + actor.Token.ID
	}
	return "user:" + actor.User
}

// once answers a request with a key: by what serve does, the first time, and by what was
// kept then, every other time.
func (a *api) once(w http.ResponseWriter, q *Request, route *Route, key string, serve func(http.ResponseWriter) error) error {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		q.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
		return serve(w) // which says what is wrong with it
	}
	q.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s\n", q.Method, q.URL.RequestURI())
	sum.Write(body)
	row := &catalog.KeptAnswer{Actor: actorKey(q.Actor), Key: key, Fingerprint: evidence.Digest(sum.Sum(nil)), CreatedAt: a.Now().UTC().Truncate(time.Microsecond)}
	ctx := context.WithoutCancel(q.Context()) // a key that is taken must not stay so because nobody waits
	err = a.Answers.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.DropKeptAnswersBefore(ctx, row.CreatedAt.Add(-keptFor)); err != nil {
			return err
		}
		if _, err := tx.KeptAnswer(ctx, row.Actor, key); err == nil {
			return catalog.ErrExists
		} else if !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		if n, err := tx.CountKeptAnswers(ctx, row.Actor); err != nil {
			return err
		} else if n >= maxKeys {
			p := refuse(http.StatusTooManyRequests, "Too many keys", fmt.Sprintf("%d idempotency keys of yours are kept, which is the most. Each is let go after a day; ask without one, or later.", maxKeys))
			p.retry = int(time.Hour / time.Second)
			return p
		}
		return tx.InsertKeptAnswer(ctx, row)
	})
	if errors.Is(err, catalog.ErrExists) {
		return a.again(ctx, w, row)
	} else if err != nil {
		return err
	}
	return a.first(ctx, w, q, route, row, serve)
}

// again answers by what is kept.
func (a *api) again(ctx context.Context, w http.ResponseWriter, asked *catalog.KeptAnswer) error {
	row, err := a.Answers.KeptAnswer(ctx, asked.Actor, asked.Key)
	switch {
	case errors.Is(err, catalog.ErrNotFound): // the first was refused in this moment
		p := refuse(http.StatusConflict, "Under way", "Another request with this Idempotency-Key has just ended: ask again.")
		p.retry = 1
		return p
	case err != nil:
		return err
	case row.Fingerprint != asked.Fingerprint:
		return refuse(http.StatusUnprocessableEntity, "Another request", "This Idempotency-Key was used with another address or body: take a new one for each act.")
	case row.Status == 0:
		p := refuse(http.StatusConflict, "Under way", "A request with this Idempotency-Key is being answered, or the server stopped before it was: ask again in a moment, and if it stays so, look whether it was done.")
		p.retry = 1
		return p
	case !row.Kept:
		return refuse(http.StatusConflict, "Done before", fmt.Sprintf("The request with this Idempotency-Key was answered %d. The answer is not kept: it holds a secret, or is long.", row.Status))
	}
	var header map[string]string
	if err := json.Unmarshal([]byte(row.Header), &header); err != nil {
		return fmt.Errorf("reading a kept answer: %w", err)
	}
	for name, value := range header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(row.Status)
	io.WriteString(w, row.Body)
	return nil
}

// first answers, and keeps what it answers. What says that something may be tried again
// lets the key go.
func (a *api) first(ctx context.Context, w http.ResponseWriter, q *Request, route *Route, row *catalog.KeptAnswer, serve func(http.ResponseWriter) error) (err error) {
	kept := &keeping{ResponseWriter: w, status: http.StatusOK}
	done := false
	defer func() {
		if !done { // it panicked: what became of it is not known, and the key stays taken
			a.Log.ErrorContext(ctx, "an act with an Idempotency-Key did not come to its end", "path", q.URL.Path)
		}
	}()
	q.answer = kept
	if err := serve(kept); err != nil && !waits(kept, err) {
		p := problemOf(err, route.Missing)
		if p.Status >= 500 {
			a.Log.ErrorContext(ctx, "answering a request", "path", q.URL.Path, "error", err)
		}
		p.write(kept)
	}
	done = true
	row.Status = kept.status
	if !worthKeeping(kept.status) {
		return a.settle(ctx, func(tx *sqldb.Tx) error { return tx.DropKeptAnswer(ctx, row.Actor, row.Key) })
	}
	if !route.Secret && kept.body.Len() <= maxKeptBody {
		header := map[string]string{}
		for _, name := range []string{"Content-Type", "Location"} {
			if value := w.Header().Get(name); value != "" {
				header[name] = value
			}
		}
		text, _ := json.Marshal(header) // strings always marshal
		row.Header, row.Body, row.Kept = string(text), kept.body.String(), true
	}
	return a.settle(ctx, func(tx *sqldb.Tx) error { return tx.SetKeptAnswer(ctx, row) })
}

// settle notes what became of a key. The answer is on its way, so that what fails here
// is for the log: the key stays taken.
func (a *api) settle(ctx context.Context, do func(*sqldb.Tx) error) error {
	if err := a.Answers.Update(ctx, do); err != nil {
		a.Log.ErrorContext(ctx, "what was answered to a request with an Idempotency-Key cannot be kept", "error", err)
	}
	return nil
}

// worthKeeping tells what came of an act from what may be tried again.
func worthKeeping(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	}
	return status < 400
}

// keeping remembers an answer as far as it can be kept.
type keeping struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *keeping) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

func (k *keeping) Write(p []byte) (int, error) {
	if room := maxKeptBody + 1 - k.body.Len(); room > 0 {
		k.body.Write(p[:min(room, len(p))])
	}
	return k.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what it controls.
func (k *keeping) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
