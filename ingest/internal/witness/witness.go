package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// File is where, among the tiles, the newest witnessed checkpoint is: a signed note
// with the log's signature and those of at least the quorum.
const File = "checkpoint.witnessed"

const (
	missedAfter = 6 * time.Hour // without a cosignature, people are alerted
	askAnew     = time.Hour     // a log that does not grow is shown again, to be sure of the witnesses
)

// Config is what a Service stands on. All fields are required.
type Config struct {
	Catalog   *sqldb.DB
	Tiles     tlog.Tiles
	Agency    evidence.AgencyID
	Origin    string // of the custody log
	Witnesses []*Witness
	Quorum    int // of Witnesses
	Every     time.Duration
	Client    *http.Client
	Now       func() time.Time
	Logger    *slog.Logger
}

// Service keeps the log witnessed.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service {
	for _, w := range c.Witnesses {
		w.heard = c.Now()
	}
	client := *c.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Client = &client
	return &Service{c}
}

// Run has new checkpoints cosigned, at most one each Every, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var shown int64 = -1
	var at time.Time
	for {
		state, err := s.Catalog.LogState(ctx)
		if err == nil && state.Checkpoint != nil && (state.Size != shown || s.Now().Sub(at) >= askAnew) {
			var round *Round
			round, err = s.Witness(ctx)
			if shown, at = -1, s.Now(); round != nil && err == nil && round.Cosigned == len(s.Witnesses) {
				shown = round.Size
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.Logger.WarnContext(ctx, "the custody log was not witnessed as it should be", "error", err)
		}
		timer := time.NewTimer(s.Every)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Round is what asking all witnesses once came to.
type Round struct {
	Size     int64 // entries of the log
	Cosigned int   // how many witnesses cosigned
	Kept     bool  // they were the quorum: File is this checkpoint
}

// Witness has the newest checkpoint cosigned by all witnesses, and keeps it where the
// quorum has. The error tells what each of the others said; it is ErrContradicted
// where one contradicts the log, and people have been alerted.
func (s *Service) Witness(ctx context.Context) (*Round, error) {
	state, err := s.Catalog.LogState(ctx)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(state.Checkpoint, []byte(s.Origin+"\n")) {
		return nil, errors.New("the custody log has no checkpoint under its name yet") // a new one, or one that was just restored
	}
	lines, errs := make([]string, len(s.Witnesses)), make([]error, len(s.Witnesses))
	var group sync.WaitGroup
	for i, w := range s.Witnesses {
		group.Go(func() {
			head := *state
			lines[i], errs[i] = s.submit(ctx, w, &head)
			if errs[i] == nil && head.Size != state.Size {
				lines[i] = "" // another process of this server was ahead: the line is of its checkpoint
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	round, text := &Round{Size: state.Size}, bytes.Clone(state.Checkpoint)
	for i, w := range s.Witnesses {
		if lines[i] != "" {
			round.Cosigned++
			text = append(text, lines[i]...)
		}
		if err := s.judged(ctx, w, errs[i]); err != nil {
			s.Logger.WarnContext(ctx, "an alert about a witness could not be changed", "error", err)
		}
		if errs[i] != nil {
			errs[i] = fmt.Errorf("witness %s at %s: %w", w.Name(), w.URL, errs[i])
		}
	}
	err = errors.Join(errs...)
	if round.Cosigned >= s.Quorum {
		if failed := s.Tiles.Put(ctx, File, text); failed != nil {
			return round, errors.Join(err, fmt.Errorf("keeping the witnessed checkpoint: %w", failed))
		}
		round.Kept = true
		s.Logger.DebugContext(ctx, "the custody log was witnessed", "entries", state.Size, "witnesses", round.Cosigned)
	}
	return round, err
}

// Ask asks all witnesses before anything is signed. Only ErrContradicted is returned:
// who does not answer is warned of.
func (s *Service) Ask(ctx context.Context) error {
	_, err := s.Witness(ctx)
	if errors.Is(err, ErrContradicted) {
		return fmt.Errorf("%w: catalog and log were set back, or another server signs with this log's key; restore the newest state; if it is the witness that errs, take it out of the configuration", err)
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "not all witnesses confirm the custody log before the start", "error", err)
	}
	return nil
}

// judged raises or ends the alerts about a witness, by how it answered.
func (s *Service) judged(ctx context.Context, w *Witness, said error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	silent := s.alert(w, catalog.AlertUnwitnessed, catalog.SeverityWarning)
	switch {
	case said == nil:
		w.heard = s.Now()
		if !w.troubled {
			return nil
		}
		err := s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
			return alarm.Clear(ctx, tx, silent, "the witness cosigns again", nil)
		})
		w.troubled = err != nil
		return err
	case errors.Is(said, ErrContradicted):
		a := s.alert(w, catalog.AlertContradicted, catalog.SeverityUrgent)
		a.Message = said.Error()
		return s.Catalog.Update(ctx, func(tx *sqldb.Tx) error { return alarm.Raise(ctx, tx, a, map[string]string{"witness_key": w.Key}) })
	case s.Now().Sub(w.heard) >= missedAfter:
		w.troubled = true
		silent.Message = fmt.Sprintf("The witness %s at %s has not cosigned the custody log since %s. The last try: %v", w.Name(), w.URL, w.heard.UTC().Format(time.DateTime+" UTC"), said)
		return s.Catalog.Update(ctx, func(tx *sqldb.Tx) error { return alarm.Raise(ctx, tx, silent, nil) })
	}
	return nil
}

func (s *Service) alert(w *Witness, code catalog.AlertCode, severity catalog.Severity) *catalog.Alert {
	return &catalog.Alert{Agency: s.Agency, Code: code, Severity: severity, Object: evidence.LogObject(s.Origin), About: "witness " + w.Name(), LastAt: s.Now()}
}
