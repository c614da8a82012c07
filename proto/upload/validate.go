package upload

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Validate implements Message. The protocol number is the caller's to judge:
// a Hello of any version is well formed.
func (m *Hello) Validate() error {
	return first(
		text("Hello", "agent version", m.GetAgentVersion(), 1, MaxText),
		name("Hello", "agency", m.GetAgency()),
		name("Hello", "dock", m.GetDock()),
		size("Hello", "checkpoint", len(m.GetCheckpoint()), 0, MaxCheckpoint),
	)
}

// Validate implements Message.
func (m *Welcome) Validate() error {
	if len(m.GetConsistency())%HashSize != 0 {
		return badFrame("Welcome: %d bytes of a consistency proof are not a multiple of %d", len(m.GetConsistency()), HashSize)
	}
	for _, entries := range m.GetRestored() {
		if entries < 0 {
			return badFrame("Welcome: a backup cannot have had %d entries", entries)
		}
	}
	return first(
		text("Welcome", "server version", m.GetServerVersion(), 1, MaxText),
		name("Welcome", "agency", m.GetAgency()),
		size("Welcome", "agency public key", len(m.GetAgencyPublicKey()), 1, MaxPublicKey),
		text("Welcome", "log origin", m.GetLogOrigin(), 1, MaxOrigin),
		size("Welcome", "log public key", len(m.GetLogPublicKey()), Ed25519KeySize, Ed25519KeySize),
		text("Welcome", "receipt key id", m.GetReceiptKeyId(), 1, MaxKeyID),
		size("Welcome", "receipt public key", len(m.GetReceiptPublicKey()), Ed25519KeySize, Ed25519KeySize),
		instant("Welcome", "server time", m.GetServerTimeUs()),
		size("Welcome", "checkpoint", len(m.GetCheckpoint()), 0, MaxCheckpoint),
		size("Welcome", "list of restores", len(m.GetRestored()), 0, MaxRestores),
		size("Welcome", "consistency proof", len(m.GetConsistency()), 0, MaxConsistency),
	)
}

// Validate implements Message.
func (m *Inventory) Validate() error {
	return first(size("Inventory", "envelope", len(m.GetEnvelope()), 1, MaxInventory))
}

// Validate implements Message.
func (*InventoryAck) Validate() error { return nil }

// Validate implements Message.
func (m *Status) Validate() error {
	if err := first(
		instant("Status", "time", m.GetAtUs()),
		instant("Status", "time when all is handed over", m.GetClearAtUs()),
		instant("Status", "time when the spool is full", m.GetSpoolFullAtUs()),
		size("Status", "list of bays", len(m.GetBays()), 0, MaxBays),
	); err != nil {
		return err
	}
	for _, bay := range m.GetBays() {
		if err := bay.validate(); err != nil {
			return err
		}
	}
	if t := m.GetTransport(); t != nil {
		return first(
			word("Transport", "over", t.GetOver()),
			text("Transport", "reason", t.GetWhy(), 0, MaxMessage),
			size("Transport", "packets lost of a million", int(min(t.GetLostPpm(), MaxShare+1)), 0, MaxShare),
		)
	}
	return nil
}

func (m *Bay) validate() error {
	if m.GetBatteryPercent() < -1 || m.GetBatteryPercent() > 100 {
		return badFrame("Bay: battery of %d %% is not between 0 and 100, nor -1 for unknown", m.GetBatteryPercent())
	}
	return first(
		text("Bay", "port", m.GetPort(), 1, MaxText),
		text("Bay", "camera serial", m.GetCameraSerial(), 0, MaxText),
		text("Bay", "camera model", m.GetCameraModel(), 0, MaxText),
		word("Bay", "state", m.GetState()),
		text("Bay", "message", m.GetMessage(), 0, MaxMessage),
		instant("Bay", "time when all is handed over", m.GetClearAtUs()),
	)
}

// Validate implements Message.
func (m *Release) Validate() error {
	return first(size("Release", "envelope", len(m.GetEnvelope()), 1, MaxStatement))
}

// Validate implements Message.
func (m *ReleaseAck) Validate() error {
	return first(item("ReleaseAck", m.GetEvidenceId()))
}

// Validate implements Message.
func (m *Offer) Validate() error {
	if len(m.GetLeaves())%HashSize != 0 {
		return badFrame("Offer: %d bytes of leaf hashes are not a multiple of %d", len(m.GetLeaves()), HashSize)
	}
	return first(
		size("Offer", "manifest", len(m.GetManifest()), 1, MaxStatement),
		size("Offer", "wrapped key", len(m.GetWrappedKey()), 1, MaxWrappedKey),
		size("Offer", "seal header", len(m.GetHeader()), 1, MaxSealHeader),
		size("Offer", "leaf hashes", len(m.GetLeaves()), HashSize, MaxSegments*HashSize),
	)
}

// Validate implements Message.
func (m *Accept) Validate() error {
	return first(
		segment("Accept", m.GetResumeSegment(), MaxSegments),
		size("Accept", "list of segments held", len(m.GetHeld()), 0, MaxHeld),
	)
}

// Validate implements Message.
func (m *Data) Validate() error {
	return first(
		segment("Data", m.Index, MaxSegments-1),
		size("Data", "sealed segment", len(m.Sealed), 1, MaxSegment),
	)
}

// Validate implements Message.
func (m *Ack) Validate() error {
	return first(segment("Ack", m.GetDurableSegments(), MaxSegments), segment("Ack", m.GetFrames(), MaxSegments))
}

// Validate implements Message.
func (*Finish) Validate() error { return nil }

// Validate implements Message.
func (m *Receipt) Validate() error {
	return first(size("Receipt", "envelope", len(m.GetEnvelope()), 1, MaxStatement))
}

// Validate implements Message.
func (e *Error) Validate() error {
	if e.RetryAfter < 0 || e.RetryAfter.Milliseconds() > MaxRetryAfter {
		return badFrame("Error: retry after %v is not between 0 and one day", e.RetryAfter)
	}
	return first(
		word("Error", "code", string(e.Code)),
		text("Error", "message", e.Message, 0, MaxMessage),
	)
}

// first returns the first failed check as a plain error, so that no nil *Error
// hides in an error interface.
func first(checks ...*Error) error {
	for _, check := range checks {
		if check != nil {
			return check
		}
	}
	return nil
}

func size(message, field string, n, low, high int) *Error {
	if n < low || n > high {
		return badFrame("%s: %s has length %d, allowed are %d to %d", message, field, n, low, high)
	}
	return nil
}

func segment(message string, n, high uint64) *Error {
	if n > high {
		return badFrame("%s: segment %d is beyond %d", message, n, high)
	}
	return nil
}

// latest is the last microsecond of the year 9999 UTC.
const latest = 253_402_300_799_999_999

func instant(message, field string, us int64) *Error {
	if us < 0 || us > latest {
		return badFrame("%s: %s %d is not between the years 1970 and 9999", message, field, us)
	}
	return nil
}

// name accepts what evidence accepts as agency or dock id.
func name(message, field, s string) *Error {
	if err := evidence.CheckName(field, s); err != nil {
		return badFrame("%s: %v", message, err)
	}
	return nil
}

// word accepts 1 to 32 small letters, digits, "_" and "-".
func word(message, field, s string) *Error {
	if err := size(message, field, len(s), 1, 32); err != nil {
		return err
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return badFrame("%s: %s %q is not a plain word", message, field, s)
		}
	}
	return nil
}

func text(message, field, s string, low, high int) *Error {
	if err := size(message, field, len(s), low, high); err != nil {
		return err
	}
	if !utf8.ValidString(s) {
		return badFrame("%s: %s is not UTF-8", message, field)
	}
	if strings.ContainsFunc(s, unprintable) {
		return badFrame("%s: %s %q has unprintable characters", message, field, s)
	}
	return nil
}

// unprintable covers control characters, line breaks, invisible format and
// direction marks: a message shown to people must read as it was written.
func unprintable(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) }

// CleanText makes any string fit for a text field of at most limit bytes: what
// cannot be shown becomes "?", and the end is cut between characters.
func CleanText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unprintable(r) {
			return '?'
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
