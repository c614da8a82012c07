package upload

import "github.com/sealdock/sealdock/proto/evidence"

// What Transport.Over says (SPEC.md section 6).
const (
	OverQUIC = "quic"
	OverTCP  = "tcp"
)

// DefaultWeight is the weight of a category that has none.
const DefaultWeight = 10

// minutesOfDay is the last minute that a window may name.
const minutesOfDay = 24 * 60

// Validate implements Message.
func (m *Join) Validate() error { return first(item("Join", m.GetEvidenceId())) }

// Validate implements Message.
func (m *Queue) Validate() error {
	if err := first(size("Queue", "list of recordings", len(m.GetWaiting()), 0, MaxWaiting)); err != nil {
		return err
	}
	for _, w := range m.GetWaiting() {
		if err := w.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (w *Waiting) validate() error {
	return first(
		item("Waiting", w.GetEvidenceId()),
		text("Waiting", "path", w.GetPath(), 0, MaxText),
		text("Waiting", "camera serial", w.GetCameraSerial(), 0, MaxText),
		text("Waiting", "bay", w.GetBay(), 0, MaxText),
		text("Waiting", "officer", w.GetOfficer(), 0, MaxText),
		text("Waiting", "category", w.GetCategory(), 0, MaxText),
		text("Waiting", "reason of the urgency", w.GetUrgentWhy(), 0, MaxText),
		instant("Waiting", "time of copying", w.GetSpooledAtUs()),
	)
}

// Validate implements Message.
func (m *Direction) Validate() error {
	if err := first(
		text("Direction", "reason of the limit", m.GetLimitWhy(), 0, MaxMessage),
		size("Direction", "time to come back in", int(min(m.GetBackWithinMs(), MaxRetryAfter+1)), 0, MaxRetryAfter),
		size("Direction", "share", int(min(m.GetSharePpm(), MaxShare+1)), 0, MaxShare),
		size("Direction", "order", len(m.GetOrder()), 0, MaxOrder),
		size("Direction", "list of urgent recordings", len(m.GetUrgent()), 0, MaxOrder),
		size("Direction", "list of urgent officers", len(m.GetUrgentOfficers()), 0, MaxOfficers),
		size("Direction", "list of categories", len(m.GetCategories()), 0, MaxCategories),
		m.GetDockBandwidth().validate(), m.GetStationBandwidth().validate(),
	); err != nil {
		return err
	}
	if n := len(m.GetPolicyDigest()); n > 0 {
		if err := size("Direction", "digest of the policy", n, HashSize, HashSize); err != nil {
			return err
		}
	}
	for _, list := range [][]string{m.GetOrder(), m.GetUrgent()} {
		for _, id := range list {
			if err := item("Direction", id); err != nil {
				return err
			}
		}
	}
	for _, officer := range m.GetUrgentOfficers() {
		if err := text("Direction", "urgent officer", officer, 1, MaxText); err != nil {
			return err
		}
	}
	for _, c := range m.GetCategories() {
		if err := first(
			text("Category", "name", c.GetCategory(), 1, MaxText),
			size("Category", "weight", int(min(c.GetWeight(), MaxWeight+1)), 0, MaxWeight),
		); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bandwidth) validate() *Error {
	if b == nil {
		return nil
	}
	if err := size("Bandwidth", "list of windows", len(b.GetWindows()), 0, MaxWindows); err != nil {
		return err
	}
	for _, w := range b.GetWindows() {
		if w.GetDays() == 0 || w.GetDays() > 1<<7-1 {
			return badFrame("Window: days %#x, want one or more of seven bits", w.GetDays())
		}
		for _, minute := range []uint32{w.GetFrom(), w.GetUntil()} {
			if minute > minutesOfDay {
				return badFrame("Window: minute %d of the day is beyond %d", minute, minutesOfDay)
			}
		}
	}
	return text("Bandwidth", "time zone", b.GetZone(), 1, MaxText)
}

// item accepts an evidence id.
func item(message, id string) *Error {
	if _, err := evidence.ParseEvidenceID(id); err != nil {
		return badFrame("%s: %v", message, err)
	}
	return nil
}
