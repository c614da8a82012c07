package stamp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/internal/timestamp"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Config is what a Service stands on. All fields are required.
type Config struct {
	Catalog *sqldb.DB
	Agency  evidence.AgencyID
	Origin  string // of the custody log
	URL     string // of the authority, http or https
	Roots   []byte // PEM: whom its certificate must lead to
	Every   time.Duration
	Client  *http.Client
	Now     func() time.Time
	Logger  *slog.Logger
}

// Service keeps the log stamped.
type Service struct {
	Config
	roots *x509.CertPool
}

// New returns a Service.
func New(c Config) (*Service, error) {
	s := &Service{c, x509.NewCertPool()}
	if !s.roots.AppendCertsFromPEM(c.Roots) {
		return nil, errors.New("the file of time-stamp authorities holds no certificate: it wants the authority's root in PEM, from a source that you trust")
	}
	return s, nil
}

// askTime is how long the authority may take.
const askTime = 30 * time.Second

// Run stamps the log, whenever it has grown and the last stamp is as old as Every,
// until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	again := backoff.New(time.Minute, time.Hour)
	for {
		wait, err := s.next(ctx)
		if err == nil && wait <= 0 {
			_, err = s.Stamp(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			wait = again.Pause()
			s.Logger.WarnContext(ctx, "the custody log was not time-stamped", "error", err, "next_try_in", wait.Round(time.Second))
			s.missed(ctx, err)
		default:
			again.Reset()
			wait = min(max(wait, time.Second), time.Hour)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// next is how long the log needs no stamp.
func (s *Service) next(ctx context.Context) (time.Duration, error) {
	state, err := s.Catalog.LogState(ctx)
	if err != nil {
		return 0, err
	}
	newest, err := s.Catalog.NewestStamp(ctx)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		if state.Size == 0 {
			return time.Second, nil // a new server's first event is on its way
		}
		return 0, nil
	case err != nil:
		return 0, err
	case state.Size <= newest.Size+1: // the event of a stamp is no reason for another one
		return time.Hour, nil
	}
	return newest.At.Add(s.Every).Sub(s.Now()), nil
}

// Stamp has the newest checkpoint stamped, and keeps the token. catalog.ErrExists
// where it has one.
func (s *Service) Stamp(ctx context.Context) (*catalog.Stamp, error) {
	state, err := s.Catalog.LogState(ctx)
	if err != nil {
		return nil, err
	}
	if state.Checkpoint == nil {
		return nil, errors.New("the custody log has no checkpoint yet")
	}
	digest := sha256.Sum256(state.Checkpoint)
	token, is, err := s.ask(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("asking the time-stamp authority at %s: %w", s.URL, err)
	}
	v := &catalog.Stamp{Size: state.Size, Checkpoint: state.Checkpoint, Token: token, Roots: s.Roots, Authority: is.Authority(), At: is.Time}
	err = s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.InsertStamp(ctx, v); err != nil {
			return err
		}
		at := s.Now().UTC().Truncate(time.Microsecond)
		if err := alarm.Clear(ctx, tx, s.alert(""), "the time-stamp authority answers again", nil); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: s.Agency, Type: evidence.EventLogStamped, At: at, Actor: evidence.Actor{Kind: "server", ID: "ingest"}, Source: "local",
			Object: evidence.LogObject(s.Origin), Outcome: evidence.OutcomeDone, Details: map[string]string{
				"entries": strconv.FormatInt(v.Size, 10), "checkpoint_sha256": evidence.Digest(digest).String(), "token_sha256": evidence.SHA256(token).String(),
				"authority": v.Authority, "stamped_at": v.At.Format(time.RFC3339Nano),
			},
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Logger.InfoContext(ctx, "the custody log was time-stamped", "entries", v.Size, "authority", v.Authority, "at", v.At)
	return v, nil
}

// ask gets one token and verifies it.
func (s *Service) ask(ctx context.Context, digest [32]byte) ([]byte, *timestamp.Token, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, nil, err
	}
	query, err := timestamp.Request(digest, nonce)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(query))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Content-Type", "application/timestamp-query")
	response, err := s.Client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, timestamp.MaxToken+1))
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("it answered %s: %.200q", response.Status, body)
	}
	token, err := timestamp.ParseResponse(body)
	if err != nil {
		return nil, nil, err
	}
	is, err := timestamp.Verify(token, digest, s.roots)
	switch {
	case err != nil:
		return nil, nil, err
	case is.Trusted != nil:
		return nil, nil, fmt.Errorf("the token is signed by %s, which is not of an authority that you named: %w", is.Authority(), is.Trusted)
	case is.Nonce == nil || is.Nonce.Cmp(nonce) != 0:
		return nil, nil, errors.New("the token answers another question: its nonce is not the one that was sent")
	}
	return token, is, nil
}

// missed alerts people when the last stamp is older than two turns.
func (s *Service) missed(ctx context.Context, why error) {
	newest, err := s.Catalog.NewestStamp(ctx)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return // the catalog is the trouble, and tells of it elsewhere
	}
	told := "no time stamp was ever received"
	if newest != nil {
		if s.Now().Sub(newest.At) < 2*s.Every {
			return
		}
		told = "the last one is of " + newest.At.Format(time.DateTime+" UTC")
	}
	err = s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		return alarm.Raise(ctx, tx, s.alert(fmt.Sprintf("The time-stamp authority gives no tokens for the custody log; %s. The last try: %v", told, why)), nil)
	})
	if err != nil {
		s.Logger.WarnContext(ctx, "the alert about missing time stamps could not be raised", "error", err)
	}
}

func (s *Service) alert(message string) *catalog.Alert {
	return &catalog.Alert{
		Agency: s.Agency, Code: catalog.AlertUnstamped, Severity: catalog.SeverityWarning, Object: evidence.LogObject(s.Origin),
		Message: message, LastAt: s.Now(),
	}
}
