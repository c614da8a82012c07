package verifier

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Sentence is the verdict in one sentence.
func (r *Report) Sentence() string {
	switch {
	case r.Verdict == Holds && r.Proof:
		return "The proof holds: the entry is in the custody log whose key you gave."
	case r.Proof:
		return "The proof does not hold: it was changed, or is of another log than the one whose key you gave."
	}
	switch r.Verdict {
	case Holds:
		return "The package holds: everything in it is proven under the log key that you gave."
	case HoldsUnpinned:
		return "The package holds together, under the keys that it brings itself. Whose keys they are is not shown: give the log's key, from a source that you trust, to have that shown too."
	}
	return "The package does not hold: something in it was changed, damaged or is not from this server."
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", strings.ToUpper(map[Verdict]string{Holds: "holds", HoldsUnpinned: "holds, keys not confirmed", Fails: "does not hold"}[r.Verdict]))
	fmt.Fprintf(&b, "%s\n", r.Sentence())
	if r.Agency != "" && !r.Proof {
		fmt.Fprintf(&b, "\nAgency %s. Made %s by %s %s. Custody log %s, %d entries.\n", clean(string(r.Agency)), r.MadeAt.UTC().Format(time.DateTime+" UTC"), clean(r.MadeBy.Kind), clean(nameOf(r.MadeBy)), clean(r.LogOrigin), r.LogSize)
	}
	for _, rec := range r.Recordings {
		word := "holds"
		if !rec.Holds {
			word = "DOES NOT HOLD"
		}
		fmt.Fprintf(&b, "\nRecording %s: %s\n  camera %s, %s, %d bytes\n  SHA-256 %s\n  in the package as %s\n", rec.ID, word, clean(rec.Camera), clean(rec.Path), rec.Length, rec.SHA256, rec.File)
	}
	for _, part := range []struct {
		status Status
		title  string
	}{{Failed, "What does not hold"}, {Proven, "What is proven"}, {NotProven, "What is not proven"}} {
		begun := false
		for _, f := range r.Findings {
			if f.Status != part.status {
				continue
			}
			if !begun {
				fmt.Fprintf(&b, "\n%s:\n", part.title)
			}
			begun = true
			fmt.Fprintf(&b, "  - %s: %s\n", clean(f.Subject), clean(f.What))
		}
	}
	if len(r.Keys) > 0 {
		b.WriteString("\nBy whose keys (Ed25519, hex):\n")
		for _, k := range r.Keys {
			fmt.Fprintf(&b, "  - %s: %s (%s)\n", clean(k.Role), k.Key, k.Source)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// clean keeps hostile text from acting on a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}
