package ledger

import (
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// First returns the first number of a camera that is looked for. lowest is the
// lowest that it has ever given, 0 for none. A decision leaves out only what is
// below that: once a camera has shown a number, a gap above it is a real one,
// whatever was decided before. A nil decision leaves out nothing.
func First(b *catalog.Beginning, lowest uint64) uint64 {
	if b == nil {
		return 1
	}
	return max(min(b.Number, lowest), 1)
}

// Uncounted tells of numbers that are not looked for, since somebody decided so.
type Uncounted struct {
	Below    uint64 // numbers below this one are not looked for
	Decision catalog.Beginning
	Text     string // one sentence for people: what, by whom, when and why
}

// uncounted says what a decision leaves out; nil when there is none, or when it
// says that every number counts.
func uncounted(b *catalog.Beginning, lowest uint64) *Uncounted {
	if b == nil || b.Number <= 1 {
		return nil
	}
	u := &Uncounted{Below: First(b, lowest), Decision: *b}
	by := fmt.Sprintf("by %s on %s: %s", person(b.By, b.ByName), stamp(b.At), b.Reason)
	switch {
	case u.Below == b.Number:
		u.Text = fmt.Sprintf("numbers below %d are not counted, %s", b.Number, by)
	case u.Below == 1:
		u.Text = fmt.Sprintf("numbers below %d were not to be counted, %s. Since then the camera came with a lower number, so all its numbers count", b.Number, by)
	default:
		u.Text = fmt.Sprintf("numbers below %d were not to be counted, %s. Since then the camera came with number %d, so only those below that are not counted", b.Number, by, u.Below)
	}
	return u
}

// person calls whoever decided something by name.
func person(id, name string) string {
	switch {
	case name != "":
		return name
	case id == "local":
		return "the server's command line"
	}
	return "user " + id
}
