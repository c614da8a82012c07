package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/directory"
	"github.com/sealdock/sealdock/proto/evidence"
)

const ceremonyProvider = "provider sign-in"

// ProviderCookieName names the cookie that binds a sign-in at the provider to the
// browser that began it.
const ProviderCookieName = "__Host-sealdock-provider"

// RefusedError says why somebody whom the provider let in is not let in here, or
// what was wrong with its answer. There is nothing to guess, so it is told plainly.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "you were not signed in: " + e.Reason }

// ProviderName is what the provider is called; "" where there is none.
func (s *Service) ProviderName() string {
	if s.directory.Provider == nil {
		return ""
	}
	return s.directory.ProviderName
}

// begun is what waits for a browser to come back.
type begun struct {
	Attempt *directory.Attempt `json:"attempt"`
	Next    string             `json:"next"`
	Notice  string             `json:"notice"` // hash of the use notice that was accepted before
}

// BeginProvider begins a sign-in at the provider: where to send the browser, and
// the token that the browser keeps meanwhile. next is what FinishProvider gives
// back. anew makes the provider ask who is there even if it knows.
// ErrNoProvider, ErrDirectoryDown, *TooManyError.
func (s *Service) BeginProvider(ctx context.Context, next string, anew bool, from Origin) (address, token string, err error) {
	if s.directory.Provider == nil {
		return "", "", ErrNoProvider
	}
	if err := s.sources.admit(from.Address); err != nil {
		return "", "", err
	}
	address, attempt, err := s.directory.Provider.Begin(ctx, anew)
	if errors.Is(err, directory.ErrUnavailable) && ctx.Err() == nil {
		return "", "", fmt.Errorf("%w (%w)", ErrDirectoryDown, err)
	} else if err != nil {
		return "", "", unexpected("beginning a sign-in at the provider", err)
	}
	data, err := json.Marshal(begun{attempt, next, from.Notice})
	if err != nil {
		return "", "", unexpected("beginning a sign-in at the provider", err)
	}
	secret, err := s.sealed("attempt", string(data))
	if err != nil {
		return "", "", unexpected("beginning a sign-in at the provider", err)
	}
	token, err = s.begin(ctx, ceremonyProvider, &Actor{}, secret)
	return address, token, err
}

// FinishProvider ends a sign-in at the provider with what the browser brought back,
// as PasswordStep ends the first step of one here: where the provider is trusted to
// have asked for a second factor and says so, none is asked for. A token is good for
// one try. *RefusedError, which is an event; ErrPending, ErrDirectoryDown.
func (s *Service) FinishProvider(ctx context.Context, token string, back url.Values, b Browser, from Origin) (e *Entry, next string, err error) {
	if s.directory.Provider == nil {
		return nil, "", ErrNoProvider
	}
	row, err := s.take(ctx, ceremonyProvider, token)
	if err != nil {
		return nil, "", err
	}
	var was begun
	data, err := s.opened("attempt", row.Data)
	if err == nil {
		err = json.Unmarshal([]byte(data), &was)
	}
	if err != nil || was.Attempt == nil {
		return nil, "", unexpected("taking up a sign-in at the provider", errors.Join(err, ErrPending))
	}
	from.Notice = was.Notice
	person, err := s.directory.Provider.Finish(ctx, was.Attempt, back)
	switch {
	case errors.Is(err, directory.ErrRefused):
		return nil, was.Next, s.refuseProvider(ctx, &catalog.User{}, clip(err.Error(), 500), from)
	case errors.Is(err, directory.ErrUnavailable) && ctx.Err() == nil:
		if told, ok := errors.AsType[*RefusedError](s.refuseProvider(ctx, &catalog.User{}, clip(err.Error(), 500), from)); ok {
			return nil, was.Next, fmt.Errorf("%w (%s)", ErrDirectoryDown, told.Reason)
		}
		return nil, was.Next, unexpected("signing in at the provider", err)
	case err != nil:
		return nil, was.Next, unexpected("signing in at the provider", err)
	}
	var who *catalog.User
	reason := ""
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		var err error
		if who, reason, err = s.settle(ctx, tx, oidcSource(s.directory.Provider.Issuer()), person); err != nil || reason != "" {
			return err
		}
		e, err = s.afterProvider(ctx, tx, who, person, b, from)
		return err
	})
	switch {
	case err != nil:
		return nil, was.Next, unexpected("signing in at the provider", err)
	case reason != "":
		refusal := s.refuseProvider(ctx, who, reason, from)
		if told, err := s.dormant(ctx, &s.catalog.Reader, who, reason); err != nil {
			return nil, was.Next, unexpected("looking up whom to ask", err)
		} else if told != nil && errors.As(refusal, new(*RefusedError)) {
			return nil, was.Next, &RefusedError{told.Error()}
		}
		return nil, was.Next, refusal
	}
	return e, was.Next, nil
}

// afterProvider goes on where the provider let somebody in.
func (s *Service) afterProvider(ctx context.Context, tx *sqldb.Tx, user *catalog.User, p *directory.Person, b Browser, from Origin) (*Entry, error) {
	if p.Factor {
		where, err := s.placeOf(ctx, &tx.Reader, user.ID, b, from)
		if err != nil {
			return nil, err
		}
		e, err := s.enter(ctx, tx, user, ProviderFactor, where, b, from)
		if err != nil {
			return nil, err
		}
		return e, s.shownAt(ctx, tx, e, ProviderFactor, p.ShownAt)
	}
	e, err := s.afterFirst(ctx, tx, user, Provider, b, from)
	if err != nil || e.Session == "" {
		return e, err
	}
	f, err := s.factors(ctx, &tx.Reader, user.ID)
	if err != nil || f.Any() {
		return e, err
	}
	return e, s.shownAt(ctx, tx, e, Provider, p.ShownAt)
}

// shownAt keeps when the person showed the provider who they are, which may be long
// ago: it knows them again. Where it does not tell, nothing counts as fresh.
func (s *Service) shownAt(ctx context.Context, tx *sqldb.Tx, e *Entry, factor string, at time.Time) error {
	hash, ok := hashToken("", e.Session)
	if !ok {
		return errors.New("a session without a token")
	}
	return tx.SetSessionFactor(ctx, hash, factor, at)
}

// refuseProvider records a refused sign-in at the provider. It counts towards no
// lock: nobody guesses a token.
func (s *Service) refuseProvider(ctx context.Context, user *catalog.User, reason string, from Origin) error {
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		return s.recordFailed(ctx, tx, user, refusal{evidence.EventSignInFailed, reason}, from)
	})
	if err != nil {
		return unexpected("recording a refused sign-in", err)
	}
	return &RefusedError{reason}
}

// shown names what was shown in a sign-in that began with first, at a provider or
// with a password.
func shown(first, factor string) string {
	if first == Provider {
		return strings.Replace(factor, Password, Provider, 1)
	}
	return factor
}
