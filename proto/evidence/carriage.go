package evidence

import (
	"fmt"
	"time"
)

// TypeCarriage is the payload type of a Carriage: by the dock.
const TypeCarriage = "application/vnd.sealdock.carriage.v1+json"

// Bounds of a carriage.
const (
	MaxCarriagePages = 4096
	MaxCarriedOnPage = 5000    // recordings, and as many statements
	MaxCarriedFiles  = 2048    // sealed files of one recording
	MaxCarriagePage  = 4 << 20 // bytes of one page's JSON
)

// Carriage is a dock's signed index of what it has written to a drive, to be
// taken to the server by hand. It says what is there; what that is worth is
// said by each recording's own manifest. The dock keeps everything until it has
// verified the server's receipts.
type Carriage struct {
	Version    int            `json:"version"` // 1
	Agency     AgencyID       `json:"agency"`
	Station    StationID      `json:"station"`
	Dock       DockID         `json:"dock"`
	MadeAt     time.Time      `json:"made_at"` // by the dock's clock
	Agent      string         `json:"agent"`   // version of the agent
	Recordings uint64         `json:"recordings"`
	Statements uint64         `json:"statements"`
	Left       uint64         `json:"left"` // recordings that waited at the dock and are not on this drive
	Pages      []CarriagePart `json:"pages"`
}

// CarriagePart names a page of the index by what it holds.
type CarriagePart struct {
	SHA256 Digest `json:"sha256"` // of the page's JSON
	Bytes  uint64 `json:"bytes"`
}

// CarriagePage is a part of the index; the Carriage names it by its hash.
type CarriagePage struct {
	Version    int                `json:"version"` // 1
	Recordings []CarriedRecording `json:"recordings,omitempty"`
	Statements []CarriedStatement `json:"statements,omitempty"`
}

// CarriedRecording is one sealed recording on the drive.
type CarriedRecording struct {
	Evidence EvidenceID `json:"evidence"`
	Attempt  uint32     `json:"attempt"`
	Length   uint64     `json:"length"` // bytes that are sealed
	Offer    Digest     `json:"offer"`  // SHA-256 of the file with manifest, wrapped key, header and leaves
	Files    []Digest   `json:"files"`  // SHA-256 of each file with sealed bytes, in order
}

// CarriedStatement is one signed statement on the drive besides manifests.
type CarriedStatement struct {
	Kind   string `json:"kind"`   // "inventory" or "release"
	SHA256 Digest `json:"sha256"` // of the envelope's JSON
}

// Check implements Statement.
func (c *Carriage) Check() error {
	if c.Version != 1 {
		return fmt.Errorf("carriage version %d: this program reads version 1; update the older side", c.Version)
	}
	if err := firstError(CheckName("agency", string(c.Agency)), CheckName("station", string(c.Station)), CheckName("dock", string(c.Dock)), checkText("agent version", c.Agent, 64)); err != nil {
		return fmt.Errorf("carriage: %w", err)
	}
	if c.MadeAt.IsZero() || len(c.Pages) > MaxCarriagePages {
		return fmt.Errorf("carriage: no time, or %d pages where at most %d are read", len(c.Pages), MaxCarriagePages)
	}
	if most := uint64(len(c.Pages)) * MaxCarriedOnPage; c.Recordings > most || c.Statements > most {
		return fmt.Errorf("carriage: %d recordings and %d statements do not fit on %d pages", c.Recordings, c.Statements, len(c.Pages))
	}
	for _, p := range c.Pages {
		if p.Bytes == 0 || p.Bytes > MaxCarriagePage || p.SHA256.IsZero() {
			return fmt.Errorf("carriage: a page of %d bytes, at most %d are read", p.Bytes, MaxCarriagePage)
		}
	}
	return nil
}

// Check implements Statement.
func (p *CarriagePage) Check() error {
	if p.Version != 1 {
		return fmt.Errorf("carriage page version %d: this program reads version 1; update the older side", p.Version)
	}
	if len(p.Recordings) > MaxCarriedOnPage || len(p.Statements) > MaxCarriedOnPage {
		return fmt.Errorf("carriage page: %d recordings and %d statements, at most %d of each are read", len(p.Recordings), len(p.Statements), MaxCarriedOnPage)
	}
	for i := range p.Recordings {
		r := &p.Recordings[i]
		if r.Evidence.IsZero() || r.Attempt == 0 || r.Length > MaxLength || r.Offer.IsZero() || len(r.Files) == 0 || len(r.Files) > MaxCarriedFiles {
			return fmt.Errorf("carriage page: recording %v attempt %d of %d bytes in %d files", r.Evidence, r.Attempt, r.Length, len(r.Files))
		}
	}
	for _, s := range p.Statements {
		if s.Kind != "inventory" && s.Kind != "release" || s.SHA256.IsZero() {
			return fmt.Errorf("carriage page: a statement of kind %q", clip(s.Kind))
		}
	}
	return nil
}
