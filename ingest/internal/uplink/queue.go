package uplink

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Waiting is a recording that waits at a dock.
type Waiting struct {
	ID                      evidence.EvidenceID
	Path, Camera, Bay       string
	Officer, Category       string
	Length, Durable         uint64 // bytes; durable at the server
	SpooledAt               time.Time
	Urgent, Ordered, Marked bool   // Ordered and Marked (urgent) by people here
	Why                     string // it is urgent, as the dock says
}

// Queue is what waits at a dock, in the order in which it goes.
type Queue struct {
	Dock       evidence.DockID
	Known      bool // the dock has told of its queue since the server started
	Waiting    []Waiting
	Recordings uint64 // in all; Waiting holds the first of them
	Bytes      uint64
	Ordered    bool // people have put something in order
}

// sorted is a queue as it goes with these marks: what people decided counts at
// once, also before the dock answers with its own order.
func (m *Marks) sorted(queue *upload.Queue) []Waiting {
	place := map[evidence.EvidenceID]int{}
	for i, id := range m.Order {
		place[id] = i + 1
	}
	var all []Waiting
	for _, w := range queue.GetWaiting() {
		id, err := evidence.ParseEvidenceID(w.GetEvidenceId())
		if err != nil {
			continue // receive has checked it
		}
		v := Waiting{
			ID: id, Path: w.GetPath(), Camera: w.GetCameraSerial(), Bay: w.GetBay(), Officer: w.GetOfficer(), Category: w.GetCategory(),
			Length: w.GetLength(), Durable: w.GetDurableBytes(), Urgent: w.GetUrgent(), Ordered: place[id] > 0, Marked: slices.Contains(m.Urgent, id), Why: w.GetUrgentWhy(),
		}
		if us := w.GetSpooledAtUs(); us > 0 {
			v.SpooledAt = time.UnixMicro(us).UTC()
		}
		v.Urgent = v.Urgent || v.Marked
		all = append(all, v)
	}
	rank := func(w *Waiting) int {
		switch {
		case w.Urgent:
			return 0
		case w.Ordered:
			return place[w.ID]
		}
		return len(m.Order) + 1
	}
	slices.SortStableFunc(all, func(a, b Waiting) int { return cmp.Compare(rank(&a), rank(&b)) })
	return all
}

// Queue returns what waits at a dock. auth.ErrForbidden, catalog.ErrNotFound.
func (d *Desk) Queue(ctx context.Context, id evidence.DockID) (*Queue, error) {
	if err := d.mayDock(ctx, auth.ListDocks, id); err != nil {
		return nil, err
	}
	queue, marks := d.queued(id), d.marksOf(id)
	return &Queue{Dock: id, Known: queue != nil, Waiting: marks.sorted(queue), Recordings: queue.GetRecordings(), Bytes: queue.GetBytes(), Ordered: len(marks.Order) > 0}, nil
}

// queued is the queue that a dock has told of last.
func (s *Service) queued(id evidence.DockID) *upload.Queue {
	if s.Live == nil {
		return nil
	}
	for _, d := range s.Live.Docks() {
		if d.Agency == s.Agency && d.Dock == id {
			return d.Queue
		}
	}
	return nil
}

func (s *Service) marksOf(id evidence.DockID) *Marks {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.rules.marks[id]; m != nil {
		return m
	}
	return &Marks{}
}

// dropStored takes off the marks of recordings that are stored. It is no
// decision of anybody: that they were stored is on record.
func (s *Service) dropStored(ctx context.Context) error {
	s.mu.Lock()
	marks := s.rules.marks
	s.mu.Unlock()
	dropped := false
	for dock, m := range marks {
		stored, err := s.Catalog.StoredAmong(ctx, s.Agency, slices.Concat(m.Order, m.Urgent))
		if err != nil {
			return err
		}
		if len(stored) == 0 {
			continue
		}
		dropped = true
		gone := func(id evidence.EvidenceID) bool { return slices.Contains(stored, id) }
		err = s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
			setting, err := tx.Setting(ctx, s.Agency, marksSetting+string(dock))
			if errors.Is(err, catalog.ErrNotFound) {
				return nil
			} else if err != nil {
				return err
			}
			now, err := readMarks(setting.Value)
			if err != nil {
				return err
			}
			now.Order, now.Urgent = slices.DeleteFunc(now.Order, gone), slices.DeleteFunc(now.Urgent, gone)
			setting.Value = now.write()
			return tx.SetSetting(ctx, setting)
		})
		if err != nil {
			return err
		}
	}
	if dropped {
		return s.reload(ctx)
	}
	return nil
}
