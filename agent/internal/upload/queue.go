package upload

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

const (
	lookAhead = 128    // how many recordings one look puts in order
	lookOver  = 4096   // of how many, oldest first
	markOver  = 20_000 // how many are held against the server's marks and rules
	markPause = 500 * time.Millisecond
	showPause = 2 * time.Second // between two lists for people
)

// waiting is a recording that waits, as far as the order looks at it.
type waiting struct {
	spool.Recording
	urgent bool
}

// plan is what goes next.
type plan struct {
	next   []waiting
	stale  bool // something changed that is not seen in the journal
	looked time.Time
	marked time.Time
}

// plan looks for what goes next and says how long to wait at most before the
// next look; soon says that until then nothing in the journal matters.
func (u *Uploader) plan(ctx context.Context, p *plan) (wake time.Duration, soon bool, err error) {
	pause := lookPause
	if len(p.next) > 0 {
		pause = peekPause
	}
	now := u.opt.Now()
	if since := now.Sub(p.looked); !p.stale && since >= 0 && since < pause {
		return pause - since, true, nil
	}
	p.looked = now
	if since := now.Sub(p.marked); p.stale || since < 0 || since >= markPause {
		p.marked = now
		if err := u.mark(ctx); err != nil {
			return 0, false, err
		}
	}
	if len(p.next) > 0 && !p.stale {
		if p.stale, err = u.overtaken(ctx, p.next); err != nil || !p.stale {
			return look, false, err
		}
	}
	p.stale = false
	p.next, wake, err = u.arrangeNext(ctx)
	return wake, false, err
}

// overtaken says whether something urgent has come that is not planned.
func (u *Uploader) overtaken(ctx context.Context, next []waiting) (bool, error) {
	rows, err := u.opt.Spool.Waiting(ctx, 2*urgentInFlight+len(next))
	if err != nil {
		return false, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range rows {
		if rows[i].Urgent == 0 {
			return false, nil
		}
		known := u.under[rows[i].Evidence] != nil || u.trials[rows[i].Evidence] != nil
		if !known && !slices.ContainsFunc(next, func(w waiting) bool { return w.urgent && w.Evidence == rows[i].Evidence }) {
			return true, nil
		}
	}
	return false, nil
}

// arrangeNext puts in order what may be offered now.
func (u *Uploader) arrangeNext(ctx context.Context) (next []waiting, wake time.Duration, err error) {
	rows, err := u.opt.Spool.Waiting(ctx, lookOver)
	if err != nil {
		return nil, 0, err
	}
	now := u.opt.Now()
	wake = look
	u.mu.Lock()
	defer u.mu.Unlock()
	free := make([]waiting, 0, len(rows))
	for i := range rows {
		if u.under[rows[i].Evidence] != nil {
			continue
		}
		if t := u.trials[rows[i].Evidence]; t != nil && t.until.After(now) {
			wake = min(wake, t.until.Sub(now))
			continue
		}
		free = append(free, waiting{Recording: rows[i], urgent: rows[i].Urgent != 0})
	}
	return arrange(free, u.direction, u.served, lookAhead), max(wake, time.Millisecond), nil
}

// arrange gives up to limit of the recordings in the order in which they are
// sent (SPEC.md section 6): urgent ones, those that people put in order, then
// by age and category; of urgent ones and of the rest the bay that has had
// least goes first. served is how many bytes each bay has had.
func arrange(rows []waiting, d *protocol.Direction, served map[string]uint64, limit int) []waiting {
	place := map[string]int{}
	for i, id := range d.GetOrder() {
		place[id] = i
	}
	hours := map[string]float64{}
	for _, c := range d.GetCategories() {
		if c.GetWeight() > 0 {
			hours[c.GetCategory()] = math.Log2(float64(c.GetWeight()) / protocol.DefaultWeight)
		}
	}
	age := func(w *waiting) time.Time {
		return w.SpooledAt.Add(-time.Duration(hours[w.Claims.Category] * float64(time.Hour)))
	}
	var urgent, ordered, rest []waiting
	for _, w := range rows {
		_, named := place[w.Evidence.String()]
		switch {
		case w.urgent:
			urgent = append(urgent, w)
		case named:
			ordered = append(ordered, w)
		default:
			rest = append(rest, w)
		}
	}
	slices.SortStableFunc(ordered, func(a, b waiting) int { return cmp.Compare(place[a.Evidence.String()], place[b.Evidence.String()]) })
	byAge := func(a, b waiting) int { return age(&a).Compare(age(&b)) }
	slices.SortStableFunc(urgent, byAge)
	slices.SortStableFunc(rest, byAge)
	next := takeTurns(nil, urgent, served, limit)
	next = append(next, ordered[:min(len(ordered), limit-len(next))]...)
	return takeTurns(next, rest, served, limit)
}

// takeTurns appends rows, of one bay in their order, to next: each time the bay
// goes on that has had least.
func takeTurns(next, rows []waiting, served map[string]uint64, limit int) []waiting {
	bays := map[string][]waiting{}
	for _, w := range rows {
		bays[w.Bay] = append(bays[w.Bay], w)
	}
	had := maps.Clone(served)
	if had == nil {
		had = map[string]uint64{}
	}
	names := slices.Sorted(maps.Keys(bays))
	for len(next) < limit && len(names) > 0 {
		// Of bays that have had the same, the one whose recording is older.
		best := 0
		for i, name := range names {
			a, b := had[name], had[names[best]]
			if a < b || a == b && bays[name][0].SpooledAt.Before(bays[names[best]][0].SpooledAt) {
				best = i
			}
		}
		name := names[best]
		w := bays[name][0]
		next = append(next, w)
		had[name] += max(w.SealedLength(), 1)
		if bays[name] = bays[name][1:]; len(bays[name]) == 0 {
			names = slices.Delete(names, best, best+1)
		}
	}
	return next
}

// mark makes urgent in the journal what the server says is urgent, by itself or
// by officer or category, and takes that back from what no longer is.
func (u *Uploader) mark(ctx context.Context) error {
	u.mu.Lock()
	d := u.direction
	u.mu.Unlock()
	if d == nil {
		return nil
	}
	named := map[string]bool{}
	for _, id := range d.GetUrgent() {
		named[id] = true
	}
	officers, categories := map[string]bool{}, map[string]bool{}
	for _, id := range d.GetUrgentOfficers() {
		officers[id] = true
	}
	for _, c := range d.GetCategories() {
		categories[c.GetCategory()] = c.GetUrgent()
	}
	rows, err := u.opt.Spool.Waiting(ctx, markOver)
	if err != nil {
		return err
	}
	var set, clear []evidence.EvidenceID
	for i := range rows {
		w := &rows[i]
		want := len(named) > 0 && named[w.Evidence.String()] || w.Claims.OfficerID != "" && officers[w.Claims.OfficerID] || w.Claims.Category != "" && categories[w.Claims.Category]
		has := w.Urgent&spool.UrgentServer != 0
		switch {
		case want && !has:
			set = append(set, w.Evidence)
		case has && !want:
			clear = append(clear, w.Evidence)
		}
	}
	if err := u.forgive(u.opt.Spool.SetUrgent(ctx, set, spool.UrgentServer)); err != nil {
		return err
	}
	return u.forgive(u.opt.Spool.ClearUrgent(ctx, clear, spool.UrgentServer))
}

// shownQueue is what people were shown last.
type shownQueue struct {
	at   time.Time
	seen <-chan struct{} // closed when the journal has changed since
}

// showQueue sends the list of what waits, when it may have changed.
func (u *Uploader) showQueue(ctx context.Context, control lanes.Stream, shown *shownQueue) error {
	if now := time.Now(); shown.seen != nil && now.Sub(shown.at) < showPause {
		return nil
	}
	select {
	case <-shown.seen:
	default:
		if shown.seen != nil {
			return nil
		}
	}
	shown.at, shown.seen = time.Now(), u.opt.Spool.Changed()
	rows, err := u.opt.Spool.Waiting(ctx, protocol.MaxWaiting)
	if err != nil {
		return err
	}
	all, _ := u.opt.Spool.WaitingBytes()
	q := &protocol.Queue{Recordings: all.Recordings, Bytes: all.Bytes}
	u.mu.Lock()
	free := make([]waiting, len(rows))
	for i := range rows {
		free[i] = waiting{Recording: rows[i], urgent: rows[i].Urgent != 0}
	}
	for _, w := range arrange(free, u.direction, u.served, len(free)) {
		q.Waiting = append(q.Waiting, u.showWaiting(&w))
	}
	u.mu.Unlock()
	if err := protocol.WriteMessage(control, q); err != nil {
		return fmt.Errorf("sending the list of what waits: %w", err)
	}
	return nil
}

// showWaiting is one line for people. u.mu is held.
func (u *Uploader) showWaiting(w *waiting) *protocol.Waiting {
	text := func(s string) string { return protocol.CleanText(s, protocol.MaxText) }
	durable := w.SentSegments
	if t := u.under[w.Evidence]; t != nil {
		durable = t.durable
	}
	return &protocol.Waiting{
		EvidenceId: w.Evidence.String(), Path: text(w.Source.Path), CameraSerial: text(w.Source.Serial), Bay: text(w.Bay),
		Officer: text(cmp.Or(w.Claims.Officer, w.Claims.OfficerID)), Category: text(w.Claims.Category), Length: w.SealedLength(),
		DurableBytes: min(durable*protocol.SegmentSize, w.SealedLength()), Urgent: w.urgent, UrgentWhy: text(w.Urgent.String()), SpooledAtUs: max(w.SpooledAt.UnixMicro(), 0),
	}
}
