package camera

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	ptp "github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	maxName = 512  // bytes of one safe path component
	maxPath = 2048 // bytes of a safe path
	maxText = 128  // bytes of a vendor, model, serial or firmware text
	maxDate = 64   // bytes of a date
)

// SafeName makes a name from a camera safe to show, to log and to use as one
// component of a path. Letters of every script stay; '/', '\', '%', NUL, control
// and formatting characters, and unassigned ones become %XX per byte of their UTF-8, lone
// surrogates %uXXXX. A name of dots only is escaped as a whole, and an empty one
// becomes "%00". Two names that differ give results that differ, unless one is too
// long: that is cut and marked with "…".
func SafeName(name ptp.Text) string {
	safe := escape(name, maxName)
	switch {
	case safe == "":
		return "%00"
	case strings.Trim(safe, ".") == "":
		return strings.ReplaceAll(safe, ".", "%2E")
	}
	return safe
}

func escape(text ptp.Text, limit int) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		r := rune(text[i])
		if utf16.IsSurrogate(r) {
			pair := unicode.ReplacementChar
			if i+1 < len(text) {
				pair = utf16.DecodeRune(r, rune(text[i+1]))
			}
			if pair == unicode.ReplacementChar {
				fmt.Fprintf(&b, "%%u%04X", text[i])
				continue
			}
			r = pair
			i++
		}
		if isSafe(r) {
			b.WriteRune(r)
			continue
		}
		for _, c := range []byte(string(r)) {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return shorten(b.String(), limit)
}

func isSafe(r rune) bool {
	switch r {
	case '/', '\\', '%', unicode.ReplacementChar:
		return false
	}
	return unicode.IsPrint(r) // letters, marks, numbers, punctuation, symbols and the ASCII space
}

// shorten cuts s to limit bytes, at a rune's border.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const mark = "…"
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// names gives every object of one listing a path of its own, the one that it had
// in the listing before.
type names struct {
	taken  map[string]bool
	given  map[uint32]named
	before map[uint32]named
	held   map[string]uint32 // paths of the listing before, and whose they were
}

// named is the path that an object was given.
type named struct {
	plain string // folder and name, before it was made unique
	path  string
}

func newNames(before map[uint32]named) *names {
	n := &names{taken: map[string]bool{}, given: map[uint32]named{}, before: before, held: make(map[string]uint32, len(before))}
	for handle, was := range before {
		n.held[was.path] = handle
	}
	return n
}

// unique returns folder/name, with the handle behind it where another object
// has or had that path already or the path is too long.
func (n *names) unique(folder string, name ptp.Text, handle uint32) (result string, changed bool) {
	plain := path.Join(folder, SafeName(name))
	full := plain
	if was := n.before[handle]; was.plain == plain {
		full = was.path
	}
	if len(full) > maxPath {
		full = path.Join("too deep", SafeName(name))
	}
	if full != plain && n.before[handle].path != full || !n.free(full, handle) {
		full = fmt.Sprintf("%s (handle %d)", full, handle)
	}
	for !n.free(full, handle) { // a camera that guessed the suffix
		full += "'"
	}
	n.taken[full], n.given[handle] = true, named{plain, full}
	return full, full != plain
}

func (n *names) free(path string, handle uint32) bool {
	holder, held := n.held[path]
	return !n.taken[path] && (!held || holder == handle)
}

// KindOf judges an object by its name alone.
func KindOf(name string) evidence.Kind { return kindOf(0, name) }

// kindOf judges an object by its format code and its name.
func kindOf(format ptp.Format, name string) evidence.Kind {
	switch format {
	case ptp.FormatMP4, ptp.FormatAVI, ptp.FormatMPEG, ptp.FormatASF, ptp.FormatWMV, ptp.Format3GP:
		return evidence.KindVideo
	case ptp.FormatXML, ptp.FormatText, ptp.FormatHTML:
		return evidence.KindMetadata
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".mp4", ".m4v", ".mov", ".mkv", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".asf", ".wmv", ".webm":
		return evidence.KindVideo
	case ".json", ".xml", ".gpx", ".kml", ".nmea", ".csv", ".txt", ".log", ".srt", ".vtt", ".mhl", ".xmp":
		return evidence.KindMetadata
	}
	return evidence.KindOther
}
