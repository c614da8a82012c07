package auth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
)

// What has several steps, and waits for the next one for a short time.
const (
	ceremonySecond  = "second factor"   // of a sign-in by password
	ceremonySignIn  = "passkey sign-in" // nobody knows yet whose
	ceremonyApp     = "app"
	ceremonyPasskey = "new passkey"
	ceremonyConfirm = "passkey confirmation"

	ceremonyLife   = 5 * time.Minute
	ceremonyPrefix = "sdc1."
)

// ErrPending: what was begun no longer holds.
var ErrPending = errors.New("this took longer than 5 minutes, was finished already, or was begun in another browser: begin again")

// CeremonyCookieName names the cookie that binds what was begun to the browser
// that began it.
const CeremonyCookieName = "__Host-sealdock-ceremony"

// PendingCookieName names the cookie of a sign-in that waits for its second
// factor.
const PendingCookieName = "__Host-sealdock-pending"

// begin keeps a ceremony of somebody who is signed in.
func (s *Service) begin(ctx context.Context, kind string, actor *Actor, data string) (token string, err error) {
	token, row := s.newCeremony(kind, actor.User, data)
	row.Session = actor.Session
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error { return tx.InsertCeremony(ctx, row) })
	return token, unexpected("beginning", err)
}

func (s *Service) newCeremony(kind, user, data string) (token string, row *catalog.Ceremony) {
	token, hash := newToken(ceremonyPrefix)
	now := s.clock()
	return token, &catalog.Ceremony{TokenHash: hash, Kind: kind, User: user, Data: data, CreatedAt: now, ExpiresAt: now.Add(ceremonyLife)}
}

// ceremony returns what waits under a token. ErrPending.
func (s *Service) ceremony(ctx context.Context, r *sqldb.Reader, kind, token string) (*catalog.Ceremony, error) {
	hash, ok := hashToken(ceremonyPrefix, token)
	if !ok {
		return nil, ErrPending
	}
	row, err := r.Ceremony(ctx, hash)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil, ErrPending
	case err != nil:
		return nil, unexpected("looking up what was begun", err)
	case row.Kind != kind || !s.clock().Before(row.ExpiresAt):
		return nil, ErrPending
	}
	return row, nil
}

// take returns what waits under a token, and ends it: whatever comes of it,
// nobody can try with it again. ErrPending.
func (s *Service) take(ctx context.Context, kind, token string) (row *catalog.Ceremony, err error) {
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if row, err = s.ceremony(ctx, &tx.Reader, kind, token); err != nil {
			return err
		}
		return tx.EndCeremony(ctx, row.TokenHash)
	})
	switch {
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, ErrPending):
		return nil, ErrPending
	case err != nil:
		return nil, unexpected("taking up what was begun", err)
	}
	return row, nil
}

// ShortCookie carries the token of something that was begun; "" takes it away.
func ShortCookie(name, token string) *http.Cookie {
	c := &http.Cookie{Name: name, Value: token, Path: "/", MaxAge: int(ceremonyLife / time.Second), Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

// ShortToken returns what ShortCookie carried, "" when there is none or more
// than one.
func ShortToken(r *http.Request, name string) string {
	cookies := r.CookiesNamed(name)
	if len(cookies) != 1 {
		return ""
	}
	return cookies[0].Value
}
