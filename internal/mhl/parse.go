package mhl

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of one file of an ascmhl folder.
const (
	MaxFile    = 32 << 20 // bytes
	maxEntries = 200_000
	maxNesting = 32
	maxPath    = 4096 // bytes
	maxHashes  = 16   // of one entry
)

const (
	listSpace  = "urn:ASC:MHL:v2.0"
	chainSpace = "urn:ASC:MHL:DIRECTORY:v2.0"
)

// ErrMalformed is wrapped by every error about a list that cannot be read.
var ErrMalformed = errors.New("this is no readable ASC MHL file")

// entry is what a list says of one file.
type entry struct {
	path     string // relative to the folder above ascmhl
	previous string // its path before it was renamed, or empty
	hashes   []listed
}

// listed is one hash of an entry.
type listed struct {
	algorithm, value string
	action           string // "original", "verified", "failed" or empty
}

// generation is what a chain file says of one list.
type generation struct {
	sequence int
	file     string
	c4       string
}

// walker reads XML token by token, within bounds.
type walker struct {
	decoder *xml.Decoder
	nested  []xml.Name
}

func newWalker(data []byte) (*walker, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrMalformed, len(data), MaxFile)
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = true // an entity that XML does not define by itself is an error
	d.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("the character set %.40q is not read, only UTF-8", charset)
	}
	return &walker{decoder: d}, nil
}

// next gives the next start, end or text. The end of the file is io.EOF.
func (w *walker) next() (xml.Token, error) {
	for {
		token, err := w.decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(w.nested) == maxNesting {
				return nil, fmt.Errorf("%w: elements are nested deeper than %d", ErrMalformed, maxNesting)
			}
			w.nested = append(w.nested, t.Name)
			return t, nil
		case xml.EndElement:
			w.nested = w.nested[:len(w.nested)-1]
			return t, nil
		case xml.CharData:
			return t, nil
		case xml.Directive:
			return nil, fmt.Errorf("%w: it has a document type, which these files do not need", ErrMalformed)
		}
	}
}

// within says whether the open elements are these, from the root down.
func (w *walker) within(space string, names ...string) bool {
	if len(w.nested) != len(names) {
		return false
	}
	for i, name := range names {
		if w.nested[i].Local != name || w.nested[i].Space != space {
			return false
		}
	}
	return true
}

// text reads until the element that was just opened ends.
func (w *walker) text(limit int) (string, error) {
	depth := len(w.nested)
	var b strings.Builder
	for {
		token, err := w.next()
		if err != nil {
			return "", broken(err)
		}
		switch t := token.(type) {
		case xml.CharData:
			if b.Len()+len(t) > limit {
				return "", fmt.Errorf("%w: a text is longer than %d bytes", ErrMalformed, limit)
			}
			b.Write(t)
		case xml.EndElement:
			if len(w.nested) < depth {
				return strings.TrimSpace(b.String()), nil
			}
		}
	}
}

// broken makes an end of the file in mid-element an error.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it ends in the middle", ErrMalformed)
	}
	return err
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// parseList reads a list's entries. Entries with a path that leaves the card, and
// hashes that are no hashes, are left out and counted.
func parseList(data []byte) (entries []entry, odd int, err error) {
	w, err := newWalker(data)
	if err != nil {
		return nil, 0, err
	}
	root := false
	for {
		token, err := w.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		if _, ok := token.(xml.StartElement); !ok {
			continue
		}
		root = root || w.within(listSpace, "hashlist")
		if !w.within(listSpace, "hashlist", "hashes", "hash") {
			continue
		}
		if len(entries) == maxEntries {
			return nil, 0, fmt.Errorf("%w: more than %d entries", ErrMalformed, maxEntries)
		}
		e, skipped, err := w.entry()
		if err != nil {
			return nil, 0, err
		}
		odd += skipped
		if e.path != "" {
			entries = append(entries, e)
		}
	}
	if !root {
		return nil, 0, fmt.Errorf("%w: there is no hashlist of version 2 in it", ErrMalformed)
	}
	return entries, odd, nil
}

// entry reads one hash element that was just opened.
func (w *walker) entry() (e entry, odd int, err error) {
	depth := len(w.nested)
	for {
		token, err := w.next()
		if err != nil {
			return e, odd, broken(err)
		}
		if len(w.nested) < depth {
			break
		}
		start, ok := token.(xml.StartElement)
		if !ok || len(w.nested) != depth+1 || start.Name.Space != listSpace {
			continue
		}
		skipped, err := w.part(&e, start)
		if err != nil {
			return e, odd, err
		}
		odd += skipped
	}
	if !onCard(e.path) || e.previous != "" && !onCard(e.previous) {
		return entry{}, odd + 1, nil
	}
	return e, odd, nil
}

// part reads one child of a hash element.
func (w *walker) part(e *entry, start xml.StartElement) (odd int, err error) {
	switch name := start.Name.Local; {
	case name == "path":
		e.path, err = w.text(maxPath)
	case name == "previousPath":
		e.previous, err = w.text(maxPath)
	case isAlgorithm(name):
		h := listed{algorithm: name, action: attribute(start, "action")}
		if h.value, err = w.text(maxPath); err != nil {
			return 0, err
		}
		if h.value = normal(name, h.value); h.value == "" || len(e.hashes) == maxHashes {
			return 1, nil
		}
		e.hashes = append(e.hashes, h)
	}
	return 0, err
}

// parseChain reads a chain file.
func parseChain(data []byte) ([]generation, error) {
	w, err := newWalker(data)
	if err != nil {
		return nil, err
	}
	var chain []generation
	root := false
	for {
		token, err := w.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		root = root || w.within(chainSpace, "ascmhldirectory")
		switch {
		case w.within(chainSpace, "ascmhldirectory", "hashlist"):
			if len(chain) == MaxGenerations {
				return nil, fmt.Errorf("%w: the chain has more than %d generations", ErrMalformed, MaxGenerations)
			}
			number, err := strconv.Atoi(attribute(start, "sequencenr"))
			if err != nil || number < 0 {
				return nil, fmt.Errorf("%w: a generation of the chain has no number", ErrMalformed)
			}
			chain = append(chain, generation{sequence: number})
		case w.within(chainSpace, "ascmhldirectory", "hashlist", "path"):
			chain[len(chain)-1].file, err = w.text(maxPath)
		case w.within(chainSpace, "ascmhldirectory", "hashlist", "c4"):
			chain[len(chain)-1].c4, err = w.text(maxPath)
		}
		if err != nil {
			return nil, err
		}
	}
	if !root {
		return nil, fmt.Errorf("%w: there is no chain of version 2 in it", ErrMalformed)
	}
	return chain, nil
}

// onCard says whether a path is relative and stays where it starts.
func onCard(p string) bool {
	return p != "" && len(p) <= maxPath && utf8.ValidString(p) && !strings.ContainsRune(p, 0) && !path.IsAbs(p) &&
		path.Clean(p) == p && p != ".." && !strings.HasPrefix(p, "../") && p != "."
}
