package uplink

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// SetStationBandwidth gives a station a weekly table; nil, or one without windows,
// takes it away. auth.ErrForbidden, catalog.ErrNotFound for a station that is not
// there.
func (d *Desk) SetStationBandwidth(ctx context.Context, station evidence.StationID, table *schedule.Table) error {
	if err := d.allow(ctx, auth.ManageBandwidth, evidence.EventBandwidthSet, evidence.StationObject(station), station); err != nil {
		return err
	}
	all, err := d.Catalog.Stations(ctx, d.Agency)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(s catalog.Station) bool { return s.ID == station }) {
		return fmt.Errorf("station %s: %w", station, catalog.ErrNotFound)
	}
	return d.setBandwidth(ctx, stationSetting+string(station), evidence.StationObject(station), table)
}

// SetDockBandwidth gives a dock a weekly table of its own, within its station's.
// Otherwise as [Desk.SetStationBandwidth].
func (d *Desk) SetDockBandwidth(ctx context.Context, dock evidence.DockID, table *schedule.Table) error {
	if err := d.allowDock(ctx, auth.ManageBandwidth, evidence.EventBandwidthSet, evidence.DockObject(dock), dock); err != nil {
		return err
	}
	return d.setBandwidth(ctx, dockSetting+string(dock), evidence.DockObject(dock), table)
}

func (d *Desk) setBandwidth(ctx context.Context, setting, object string, table *schedule.Table) error {
	after := writeTable(table)
	if _, err := readTable(after); err != nil { // such as a rate that nobody can write
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	return d.put(ctx, setting, evidence.EventBandwidthSet, object, func(before string) (string, map[string]string, error) {
		return after, map[string]string{"before": said(before), "after": said(after)}, nil
	})
}

// SetSending replaces the policy of what goes first. auth.ErrForbidden, ErrInput.
func (d *Desk) SetSending(ctx context.Context, policy Sending) error {
	if err := d.allow(ctx, auth.ManageSending, evidence.EventSendingSet, "setting:"+sendingSetting, ""); err != nil {
		return err
	}
	if err := policy.check(); err != nil {
		return err
	}
	after := ""
	if len(policy.UrgentOfficers) > 0 || len(policy.Categories) > 0 {
		after = write(policy)
	}
	return d.put(ctx, sendingSetting, evidence.EventSendingSet, "setting:"+sendingSetting, func(before string) (string, map[string]string, error) {
		return after, map[string]string{"before": said(before), "after": said(after)}, nil
	})
}

// said is a kept rule for an event: whole, or by its hash where it is long.
func said(rule string) string {
	const longest = 12 << 10 // twice, quoted, it fits into an event
	switch {
	case rule == "":
		return "none"
	case len(rule) > longest:
		return fmt.Sprintf("%d bytes with SHA-256 %s", len(rule), evidence.SHA256([]byte(rule)))
	}
	return rule
}

// maxOrder is the most recordings of one dock that people put in order: what its
// event can name.
const maxOrder = upload.MaxWaiting

// Order lets the named recordings of a dock go before all others that are not
// urgent, in this order; none takes the order back. auth.ErrForbidden,
// catalog.ErrNotFound for an unknown dock, ErrInput.
func (d *Desk) Order(ctx context.Context, dock evidence.DockID, order []evidence.EvidenceID) error {
	if err := d.change(ctx, dock, evidence.EventQueueOrdered, evidence.DockObject(dock)); err != nil {
		return err
	}
	if len(order) > maxOrder {
		return fmt.Errorf("%w: %d recordings are put in order, at most %d are taken", ErrInput, len(order), maxOrder)
	}
	for i, id := range order {
		if id.IsZero() || slices.Contains(order[:i], id) {
			return fmt.Errorf("%w: recording %s stands in the order twice, or is none", ErrInput, id)
		}
	}
	return d.mark(ctx, dock, evidence.EventQueueOrdered, evidence.DockObject(dock), func(m *Marks) (map[string]string, error) {
		details := map[string]string{"before": ids(m.Order), "after": ids(order)}
		m.Order = slices.Clone(order)
		return details, nil
	})
}

func ids(all []evidence.EvidenceID) string {
	if len(all) == 0 {
		return "none"
	}
	texts := make([]string, len(all))
	for i, id := range all {
		texts[i] = id.String()
	}
	return said(strings.Join(texts, " "))
}

// The places that Move knows.
const (
	First = "first"
	Up    = "up"
	Down  = "down"
)

// Move moves one recording of a dock's queue: to the front of all that are not
// urgent, or one place. catalog.ErrNotFound when the dock has not told of it, or
// of the dock; auth.ErrForbidden, ErrInput.
func (d *Desk) Move(ctx context.Context, dock evidence.DockID, item evidence.EvidenceID, to string) error {
	object := evidence.ItemObject(item)
	if err := d.change(ctx, dock, evidence.EventQueueOrdered, object); err != nil {
		return err
	}
	if to != First && to != Up && to != Down {
		return fmt.Errorf("%w: a recording is moved first, up or down", ErrInput)
	}
	waiting := d.queued(dock)
	return d.mark(ctx, dock, evidence.EventQueueOrdered, object, func(m *Marks) (map[string]string, error) {
		before, after, err := m.move(waiting, item, to)
		if err != nil {
			return nil, err
		}
		return map[string]string{"dock": string(dock), "place_before": strconv.Itoa(before + 1), "place_after": strconv.Itoa(after + 1)}, nil
	})
}

// move names all recordings up to the later of the two places, so that the order
// is what people saw.
func (m *Marks) move(waiting *upload.Queue, item evidence.EvidenceID, to string) (before, after int, err error) {
	var line []evidence.EvidenceID
	named := 0
	for _, w := range m.sorted(waiting) {
		switch {
		case w.Urgent && w.ID == item:
			return 0, 0, fmt.Errorf("%w: this recording is urgent, and so goes before all others as it is", ErrInput)
		case w.Urgent:
			continue
		}
		line = append(line, w.ID)
		if w.Ordered {
			named = len(line)
		}
	}
	before = slices.Index(line, item)
	if before < 0 {
		return 0, 0, fmt.Errorf("recording %s does not wait at this dock, or no longer: %w", item, catalog.ErrNotFound)
	}
	switch to {
	case First:
		after = 0
	case Up:
		after = max(before-1, 0)
	case Down:
		after = min(before+1, len(line)-1)
	}
	line = slices.Insert(slices.Delete(line, before, before+1), after, item)
	named = min(max(named, before+1, after+1), maxOrder)
	for _, id := range m.Order { // of which the dock has not told, or tells no more
		if !slices.Contains(line, id) && len(line[:named]) < maxOrder {
			line = slices.Insert(line, named, id)
			named++
		}
	}
	m.Order = line[:named]
	return before, after, nil
}

// Urgent makes a recording of a dock urgent, or takes back that people did.
// catalog.ErrNotFound when the dock has not told of it, or of the dock;
// auth.ErrForbidden, ErrInput.
func (d *Desk) Urgent(ctx context.Context, dock evidence.DockID, item evidence.EvidenceID, urgent bool) error {
	object := evidence.ItemObject(item)
	if err := d.change(ctx, dock, evidence.EventQueueUrgent, object); err != nil {
		return err
	}
	waiting := d.queued(dock)
	return d.mark(ctx, dock, evidence.EventQueueUrgent, object, func(m *Marks) (map[string]string, error) {
		was := slices.Index(m.Urgent, item)
		switch {
		case urgent == (was >= 0):
			return nil, nil
		case !urgent:
			m.Urgent = slices.Delete(m.Urgent, was, was+1)
		case len(m.Urgent) >= maxOrder:
			return nil, fmt.Errorf("%w: %d recordings of this dock are urgent already, which is the most; where everything is urgent, nothing is", ErrInput, len(m.Urgent))
		case !slices.ContainsFunc(waiting.GetWaiting(), func(w *upload.Waiting) bool { return w.GetEvidenceId() == item.String() }):
			return nil, fmt.Errorf("recording %s does not wait at this dock, or no longer: %w", item, catalog.ErrNotFound)
		default:
			m.Urgent = append(m.Urgent, item)
		}
		return map[string]string{"dock": string(dock), "before": strconv.FormatBool(!urgent), "after": strconv.FormatBool(urgent)}, nil
	})
}

// change asks for what every change of a dock's queue needs.
func (d *Desk) change(ctx context.Context, dock evidence.DockID, kind evidence.EventType, object string) error {
	return d.allowDock(ctx, auth.ChangeQueue, kind, object, dock)
}

// mark changes a dock's marks.
func (d *Desk) mark(ctx context.Context, dock evidence.DockID, kind evidence.EventType, object string, change func(*Marks) (map[string]string, error)) error {
	return d.put(ctx, marksSetting+string(dock), kind, object, func(before string) (string, map[string]string, error) {
		marks, err := readMarks(before)
		if err != nil {
			return "", nil, err
		}
		details, err := change(marks)
		return marks.write(), details, err
	})
}
