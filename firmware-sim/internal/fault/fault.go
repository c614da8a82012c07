package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is what goes wrong.
type Kind string

// The kinds of fault.
const (
	// Unplug pulls the cable before object byte At is sent. It strikes once.
	Unplug Kind = "unplug-at"
	// Stall stops answering before object byte At, for the time For, or (For 0) until
	// the host cancels. It strikes once.
	Stall Kind = "stall"
	// Halt stalls the bulk IN endpoint (USB's STALL) before object byte At. It strikes once.
	Halt Kind = "halt"
	// Flip turns bit Bit of the byte at object offset At of Path on its Read-th
	// reading, or (Read 0) on every one.
	Flip Kind = "flip-bit"
	// Size declares the size of Path wrong by Delta bytes.
	Size Kind = "lie-size"
	// Dates sends dates of the given Variant.
	Dates Kind = "bad-dates"
	// Handles lies in handle lists by Variant.
	Handles Kind = "lie-handles"
	// Names adds recordings with hostile names of Variant. They are real recordings.
	Names Kind = "hostile-names"
	// Busy answers the next Count transactions with DeviceBusy.
	Busy Kind = "busy"
	// Slow limits object data to Rate bytes a second.
	Slow Kind = "slow"
)

// Variants of Names, Dates and Handles. VariantAll stands for every one of Names.
const (
	VariantAll        = "all"
	VariantParent     = "parent"     // "../" and absolute paths
	VariantNUL        = "nul"        // NUL and control characters
	VariantLong       = "long"       // the longest name, in folders so deep that the path passes 4096 bytes
	VariantSurrogate  = "surrogate"  // broken UTF-16
	VariantTwins      = "twins"      // two recordings with the same name in one folder
	VariantGarbage    = "garbage"    // dates that are none
	VariantImpossible = "impossible" // dates that look right and are not on any calendar
	VariantEmpty      = "empty"      // no dates
	VariantFuture     = "future"     // a date far from now
	VariantMany       = "many"       // Count handles too many
	VariantDouble     = "double"     // each handle twice
	VariantLoop       = "loop"       // folders that contain each other
)

const (
	maxCount   = 1_000_000
	maxVariant = 32
	maxPath    = 4096
)

// Fault is one scripted misbehaviour. Which fields count depends on Kind.
type Fault struct {
	Kind    Kind          `json:"kind"`
	Path    string        `json:"path,omitempty"`    // the recording; empty: any
	At      int64         `json:"at,omitempty"`      // Unplug, Stall, Halt: object bytes since the fault was set; Flip: offset in Path
	For     time.Duration `json:"for,omitempty"`     // Stall, nanoseconds; 0: without end
	Bit     uint8         `json:"bit,omitempty"`     // Flip, 0 to 7
	Read    int           `json:"read,omitempty"`    // Flip, from 1; 0: each reading
	Delta   int64         `json:"delta,omitempty"`   // Size
	Variant string        `json:"variant,omitempty"` // Names, Dates, Handles
	Count   int           `json:"count,omitempty"`   // Handles (many), Busy
	Rate    int64         `json:"rate,omitempty"`    // Slow, bytes per second
}

// ErrScript is wrapped by every error about a fault that makes no sense.
var ErrScript = errors.New("fault makes no sense")

// ErrUnplug and ErrHalt are what Set.Fill returns when such a fault strikes.
var (
	ErrUnplug = errors.New("fault: the cable is pulled")
	ErrHalt   = errors.New("fault: the endpoint is halted")
)

// Kinds lists every kind, for help texts.
func Kinds() []Kind {
	return []Kind{Unplug, Stall, Halt, Flip, Size, Dates, Handles, Names, Busy, Slow}
}

// Variants lists what Variant may be for a kind; none if it has no variants.
func Variants(k Kind) []string {
	switch k {
	case Names:
		return []string{VariantAll, VariantParent, VariantNUL, VariantLong, VariantSurrogate, VariantTwins}
	case Dates:
		return []string{VariantGarbage, VariantImpossible, VariantEmpty, VariantFuture}
	case Handles:
		return []string{VariantMany, VariantDouble, VariantLoop}
	}
	return nil
}

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
	case f.Kind == Flip && f.Path == "":
		return bad("say which recording: its path")
	case f.Kind == Size && f.Delta == 0:
		return bad("a difference of 0 is no lie")
	case f.Kind == Busy && f.Count == 0:
		return bad("say for how many transactions")
	case f.Kind == Handles && f.Variant == VariantMany && f.Count == 0:
		return bad("say how many handles")
	case f.Kind == Slow && f.Rate <= 0:
		return bad("rate %d bytes per second, want more than 0", f.Rate)
	}
	return nil
}

func cut(s string) string {
	if len(s) > maxVariant {
		return s[:maxVariant] + "…"
	}
	return s
}
