package evidence

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"unicode/utf8"
)

// AgencyID names a tenant: 1 to 40 of a-z, 0-9 and '-', not starting or
// ending with '-'. It is part of every key, path, wrap context and log leaf.
type AgencyID string

// StationID names a building with docks. Same alphabet as AgencyID.
type StationID string

// DockID names one agent. Same alphabet as AgencyID.
type DockID string

// EvidenceID names one evidence item: 128 random bits, made by the dock before
// the first byte is read. Its text is 32 lower-case hex digits.
type EvidenceID [16]byte

// DockingID names one stay of one camera in one bay: 128 random bits.
type DockingID [16]byte

// CheckName reports whether s may serve as agency, station or dock id.
func CheckName(what, s string) error {
	if len(s) == 0 || len(s) > 40 {
		return fmt.Errorf("%s id %q: want 1 to 40 characters, have %d", what, clip(s), len(s))
	}
	for i, r := range s {
		ok := r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' && i > 0 && i < len(s)-1
		if !ok {
			return fmt.Errorf("%s id %q: only a-z, 0-9 and inner '-' are allowed", what, clip(s))
		}
	}
	return nil
}

// NewEvidenceID draws a new id from the system's random source.
func NewEvidenceID() EvidenceID { return EvidenceID(random16()) }

// NewDockingID draws a new id from the system's random source.
func NewDockingID() DockingID { return DockingID(random16()) }

func random16() (b [16]byte) {
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return b
}

func (id EvidenceID) String() string { return hex.EncodeToString(id[:]) }
func (id DockingID) String() string  { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id was never set.
func (id EvidenceID) IsZero() bool { return id == EvidenceID{} }

// ParseEvidenceID reads the text form.
func ParseEvidenceID(s string) (EvidenceID, error) {
	var id EvidenceID
	return id, id.UnmarshalText([]byte(s))
}

// ParseDockingID reads the text form.
func ParseDockingID(s string) (DockingID, error) {
	var id DockingID
	return id, id.UnmarshalText([]byte(s))
}

func (id EvidenceID) MarshalText() ([]byte, error)  { return []byte(id.String()), nil }
func (id DockingID) MarshalText() ([]byte, error)   { return []byte(id.String()), nil }
func (id *EvidenceID) UnmarshalText(b []byte) error { return unhex("evidence id", id[:], b) }
func (id *DockingID) UnmarshalText(b []byte) error  { return unhex("docking id", id[:], b) }

// unhex fills dst from exactly 2*len(dst) lower-case hex digits.
func unhex(what string, dst, src []byte) error {
	if len(src) != 2*len(dst) {
		return fmt.Errorf("%s: want %d hex digits, have %d characters", what, 2*len(dst), len(src))
	}
	for _, c := range src {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("%s: %q is not lower-case hex", what, src)
		}
	}
	_, err := hex.Decode(dst, src)
	return err
}

// clip shortens hostile text for an error message.
func clip(s string) string {
	if len(s) <= 64 {
		return s
	}
	n := 64
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
