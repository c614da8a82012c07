package uplink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// levels are the fills of a spool, in percent of its quota, that are alerts.
var levels = [...]int{95, 85, 70}

// slack is by how many percent a spool must fall below a level before its alert
// is over.
const slack = 5

// The store is full where the vault has no room for another piece of a blob, and
// has room again where some recordings fit.
const (
	storeFull = 128 << 20
	storeRoom = 1 << 30
)

// fill is a report of a spool that changes its alarm.
type fill struct {
	dock      evidence.DockID
	level     int // to stand from now on; 0: none
	before    int
	percent   uint64
	fullAt    time.Time
	connected bool
}

// alarms raises and clears the alerts of spools and store.
func (s *Service) alarms(ctx context.Context) error {
	if !s.looked {
		if err := s.standing(ctx); err != nil {
			return err
		}
		s.looked = true
	}
	for _, f := range s.fills() {
		if err := s.alarm(ctx, f); err != nil {
			return err
		}
		s.mu.Lock()
		s.docks[f.dock].level = f.level
		s.mu.Unlock()
	}
	return s.storeAlarm(ctx)
}

// standing reads which alerts stand, after a start.
func (s *Service) standing(ctx context.Context) error {
	all, err := s.Catalog.Alerts(ctx, catalog.AlertFilter{Agency: s.Agency, Code: catalog.AlertSpoolFilling}, catalog.MaxPage)
	if err != nil {
		return err
	}
	store, err := s.Catalog.Alerts(ctx, catalog.AlertFilter{Agency: s.Agency, Code: catalog.AlertStoreFull}, 1)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = len(store) > 0 && store[0].ClearedAt.IsZero()
	for _, a := range all {
		id, ok := dockOf(a.Object)
		level, err := strconv.Atoi(a.About)
		if !ok || err != nil || !a.ClearedAt.IsZero() {
			continue
		}
		if s.docks[id] == nil {
			s.docks[id] = &dock{live: Dock{Agency: s.Agency, Dock: id}, changed: make(chan struct{})}
		}
		s.docks[id].level = max(s.docks[id].level, level)
	}
	return nil
}

// dockOf is the dock that an alert's object names.
func dockOf(object string) (evidence.DockID, bool) {
	const kind = "dock:"
	if len(object) <= len(kind) || object[:len(kind)] != kind {
		return "", false
	}
	return evidence.DockID(object[len(kind):]), true
}

// fills are the spools whose alarm changes.
func (s *Service) fills() []fill {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []fill
	for _, id := range slices.Sorted(maps.Keys(s.docks)) {
		d := s.docks[id]
		status := d.live.Status
		if status.GetSpoolQuota() == 0 {
			continue
		}
		percent := spoolPercent(status)
		if level := levelOf(percent, d.level); level != d.level {
			f := fill{dock: id, level: level, before: d.level, percent: percent, connected: d.live.Connected}
			if us := status.GetSpoolFullAtUs(); us > 0 {
				f.fullAt = time.UnixMicro(us)
			}
			all = append(all, f)
		}
	}
	return all
}

func spoolPercent(status *upload.Status) uint64 {
	if status.GetSpoolQuota() == 0 {
		return 0
	}
	return uint64(float64(status.GetSpoolBytes()) / float64(status.GetSpoolQuota()) * 100)
}

// levelOf is the alarm that stands at a fill, after the one that stood.
func levelOf(percent uint64, stood int) int {
	for _, level := range levels {
		if percent >= uint64(level) || level <= stood && percent+slack >= uint64(level) {
			return level
		}
	}
	return 0
}

// alarm puts the alert of a spool in another's place.
func (s *Service) alarm(ctx context.Context, f fill) error {
	object, about := evidence.DockObject(f.dock), strconv.Itoa(f.level)
	message := fmt.Sprintf("The spool of dock %s holds %d %% of what it may.", f.dock, f.percent)
	if !f.fullAt.IsZero() {
		message += " At the present rate it is full " + f.fullAt.In(s.Zone).Format("on Monday, 2 January, 15:04 MST") + "."
	}
	return s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		why := "the spool has room again"
		if f.level > 0 {
			why = "another level was reached"
		}
		if f.before > 0 {
			if err := s.clearAlert(ctx, tx, catalog.AlertSpoolFilling, object, strconv.Itoa(f.before), why); err != nil {
				return err
			}
		}
		if f.level == 0 {
			return nil
		}
		return s.raiseAlert(ctx, tx, &catalog.Alert{Code: catalog.AlertSpoolFilling, Severity: spoolSeverity(f.level), Object: object, About: about, Message: message})
	})
}

func spoolSeverity(level int) catalog.Severity {
	switch {
	case level >= levels[0]:
		return catalog.SeverityUrgent
	case level >= levels[1]:
		return catalog.SeverityWarning
	}
	return catalog.SeverityNotice
}

// storeAlarm tells that the store is full, or no longer.
func (s *Service) storeAlarm(ctx context.Context) error {
	if s.Space == nil {
		return nil
	}
	free, err := s.Space()
	if err != nil {
		return err
	}
	s.mu.Lock()
	stood := s.full
	s.mu.Unlock()
	full := free < storeFull || stood && free < storeRoom
	if full == stood {
		return nil
	}
	const object = "server:store"
	err = s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if !full {
			return s.clearAlert(ctx, tx, catalog.AlertStoreFull, object, "", "the store has room again")
		}
		return s.raiseAlert(ctx, tx, &catalog.Alert{Code: catalog.AlertStoreFull, Severity: catalog.SeverityUrgent, Object: object,
			Message: fmt.Sprintf("The evidence store has %d MiB left and takes no new recordings. Docks keep theirs and try again; nothing is lost while their spools and cameras have room.", free>>20)})
	})
	if err == nil {
		s.mu.Lock()
		s.full = full
		s.mu.Unlock()
	}
	return err
}

func (s *Service) raiseAlert(ctx context.Context, tx *sqldb.Tx, a *catalog.Alert) error {
	a.Agency, a.LastAt = s.Agency, s.instant()
	return alarm.Raise(ctx, tx, a, nil)
}

func (s *Service) clearAlert(ctx context.Context, tx *sqldb.Tx, code catalog.AlertCode, object, about, why string) error {
	return alarm.Clear(ctx, tx, &catalog.Alert{Agency: s.Agency, Code: code, Object: object, About: about, LastAt: s.instant()}, why, nil)
}
