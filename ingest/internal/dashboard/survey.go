package dashboard

import (
	"context"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
)

// The rhythm of surveys: looking at all cameras touches every stored blob, so
// one survey serves everybody for surveyLife, a page waits at most surveyWait
// for it, and it is given up after surveyLimit.
const (
	surveyLife  = time.Minute
	surveyWait  = 4 * time.Second
	surveyLimit = 10 * time.Minute
)

// survey keeps the completeness of all cameras.
type survey struct {
	mu      sync.Mutex    // guards what follows
	running chan struct{} // closed when the survey under way ends, nil: none is
	last    surveyed
	err     error // of the last survey
}

// surveyed is what a survey found. The zero value is none.
type surveyed struct {
	At      time.Time
	Reports map[string]*ledger.Report // by serial; not changed once made
	// Nobodys are recordings whose camera is not known any more, nil for none.
	Nobodys *ledger.Report
}

// of returns the report of a camera, nil when it is not known yet.
func (s surveyed) of(serial string) *ledger.Report { return s.Reports[serial] }

// completeness returns the newest survey, begins another when that is old, and
// waits for it a little. The person whose desk it is was asked for by the
// caller: what is kept is shown to nobody else. An error is of the survey that
// was to replace what is returned.
func (d *Dashboard) completeness(ctx context.Context, desk *cameras.Desk) (surveyed, error) {
	s := &d.survey
	s.mu.Lock()
	now := d.Now()
	if age := now.Sub(s.last.At); s.running == nil && (s.last.At.IsZero() || age < 0 || age >= surveyLife) {
		s.running = make(chan struct{})
		go s.take(context.WithoutCancel(ctx), desk, now)
	}
	running := s.running
	s.mu.Unlock()
	if running != nil {
		timer := time.NewTimer(surveyWait)
		defer timer.Stop()
		select {
		case <-running:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.err
}

// take makes one survey. It ends by itself.
func (s *survey) take(ctx context.Context, desk *cameras.Desk, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, surveyLimit)
	defer cancel()
	reports, err := desk.Completeness(ctx, "")
	fresh := surveyed{At: now, Reports: map[string]*ledger.Report{}}
	for i := range reports {
		if r := &reports[i]; r.Camera == "" {
			fresh.Nobodys = r
		} else {
			fresh.Reports[r.Camera] = r
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		s.last = fresh
	}
	close(s.running)
	s.running = nil
}
