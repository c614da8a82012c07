package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	maxCount   = 1_000_000
	maxRate    = 100_000 // comings and goings a minute, events a second
	maxVariant = 32
	maxPath    = 4096
)

// Fault is one scripted misbehaviour. Which fields count depends on Kind.
type Fault struct {
	Kind    Kind          `json:"kind"`
	Path    string        `json:"path,omitempty"`    // the recording; empty: any
	At      int64         `json:"at,omitempty"`      // Unplug, Reboot, Stall, Halt: object bytes since the fault was set; Flip, BadBlock: offset in Path; Grow: bytes at first
	For     time.Duration `json:"for,omitempty"`     // Stall, Reboot, Storm, Events, nanoseconds; 0: without end
	Bit     uint8         `json:"bit,omitempty"`     // Flip, 0 to 7
	Read    int           `json:"read,omitempty"`    // Flip, Swap, from 1; 0: each reading
	Delta   int64         `json:"delta,omitempty"`   // Size, Changing, Grow
	Variant string        `json:"variant,omitempty"` // of the kinds that have some
	Count   int           `json:"count,omitempty"`   // Handles (many, endless), Busy, Containers, UnplugErase
	Rate    int64         `json:"rate,omitempty"`    // Slow, bytes per second; Storm, times a minute; Events, events a second
	Bay     string        `json:"bay,omitempty"`     // Reboot: where it comes back; Serial: whose serial number
	Drift   float64       `json:"drift,omitempty"`   // ClockDrift, seconds per second
}

// ErrScript is wrapped by every error about a fault that makes no sense.
var ErrScript = errors.New("fault makes no sense")

// What Set.Fill and Set.Erase return when such a fault strikes.
var (
	ErrUnplug   = errors.New("fault: the cable is pulled")
	ErrHalt     = errors.New("fault: the endpoint is halted")
	ErrReadOnly = errors.New("fault: the card is read-only")
)

// Check says what is wrong with a fault, in words for the person who wrote it.
func (f *Fault) Check() error {
	if !slices.Contains(Kinds(), f.Kind) {
		return fmt.Errorf("kind %q is unknown (known: %v): %w", cut(string(f.Kind)), Kinds(), ErrScript)
	}
	bad := func(format string, arguments ...any) error {
		return fmt.Errorf("%s: %s: %w", f.Kind, fmt.Sprintf(format, arguments...), ErrScript)
	}
	if known := Variants(f.Kind); known != nil && !slices.Contains(known, f.Variant) {
		return bad("variant %q is unknown (known: %s)", cut(f.Variant), strings.Join(known, ", "))
	} else if known == nil && f.Variant != "" {
		return bad("it has no variants")
	}
	switch {
	case len(f.Path) > maxPath:
		return bad("path of %d bytes, at most %d", len(f.Path), maxPath)
	case len(f.Bay) > maxVariant:
		return bad("bay %q is none", cut(f.Bay))
	case f.At < 0:
		return bad("byte %d is negative", f.At)
	case f.For < 0:
		return bad("time %v is negative", f.For)
	case f.Bit > 7:
		return bad("bit %d, want 0 to 7", f.Bit)
	case f.Read < 0:
		return bad("reading %d, want 1 or more, or 0 for each", f.Read)
	case f.Count < 0 || f.Count > maxCount:
		return bad("count %d, want 0 to %d", f.Count, maxCount)
	}
	if missing := f.missing(); missing != "" {
		return bad("%s", missing)
	}
	return nil
}

// missing says what a fault of its kind needs and has not, or "".
func (f *Fault) missing() string {
	switch f.Kind {
	case Flip, Swap, BadBlock, Grow, Again:
		switch {
		case f.Path == "":
			return "say which recording: its path"
		case f.Kind == Swap && f.Read == 0:
			return "say on which reading"
		case f.Kind == Grow && f.Delta <= 0:
			return "say by how many bytes it grows"
		}
	case Size, Changing:
		if f.Delta == 0 {
			return "a difference of 0 is no lie"
		}
	case Busy:
		if f.Count == 0 {
			return "say for how many transactions"
		}
	case UnplugErase:
		if f.Count == 0 {
			return "say at which deletion, from 1"
		}
	case Handles:
		if f.Count == 0 && (f.Variant == VariantMany || f.Variant == VariantEndless) {
			return "say how many handles"
		}
	case Slow:
		if f.Rate <= 0 {
			return fmt.Sprintf("rate %d bytes per second, want more than 0", f.Rate)
		}
	case Storm, Events:
		if f.Rate <= 0 || f.Rate > maxRate {
			return fmt.Sprintf("%d times, want 1 to %d", f.Rate, maxRate)
		}
	case Reboot:
		if f.For == 0 {
			return "say for how long the camera is away"
		}
	case Serial:
		if f.Bay == "" {
			return "say whose serial number: its bay"
		}
	case ClockDrift:
		if !(f.Drift >= -0.5 && f.Drift <= 0.5) {
			return fmt.Sprintf("%g seconds per second, want -0.5 to 0.5", f.Drift)
		}
	}
	return ""
}

func cut(s string) string {
	if len(s) > maxVariant {
		return s[:maxVariant] + "…"
	}
	return s
}
