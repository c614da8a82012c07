package mhl

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	// Folder is the name of the folder that holds the lists.
	Folder = "ascmhl"
	// MaxGenerations is how many lists of one folder are read.
	MaxGenerations = 1000

	chainFile = "ascmhl_chain.xml"
	maxNotes  = 100
)

// Wanted says whether a file of an ascmhl folder is one that Combine reads.
func Wanted(name string) bool { return name == chainFile || path.Ext(name) == ".mhl" }

// File is one file of an ascmhl folder.
type File struct {
	Name string // without folders
	Data []byte
}

// History is what the lists of one ascmhl folder say together.
type History struct {
	// Hashes are those that came with each path. Paths are relative to the folder that
	// holds the ascmhl folder, joined by '/', as the lists write them.
	Hashes map[string][]Hash
	// Notes say for people what is odd about the lists. Texts from the card are quoted.
	Notes []string
}

// Combine reads the files of an ascmhl folder, those that are Wanted. For each path
// and algorithm the hash of the earliest generation stands, which is the one made
// nearest to the camera. What a list says of a failed check is a note, and so is a
// later list with another hash. A list that is damaged gives a note and no hashes; one
// that is not the one that the chain file names keeps its hashes and says so in
// their Origin.
func Combine(files []File) History {
	h := History{Hashes: map[string][]Hash{}}
	chain := h.chain(files)
	lists := slices.DeleteFunc(slices.Clone(files), func(f File) bool { return path.Ext(f.Name) != ".mhl" })
	slices.SortFunc(lists, func(a, b File) int {
		return cmp.Or(cmp.Compare(sequence(a.Name), sequence(b.Name)), strings.Compare(a.Name, b.Name))
	})
	if len(lists) > MaxGenerations {
		h.note("there are %d lists; the first %d are read", len(lists), MaxGenerations)
		lists = lists[:MaxGenerations]
	}
	total := 0
	for _, list := range lists {
		entries, odd, err := parseList(list.Data)
		if err != nil {
			h.note("the list %.80q is not used: %v", list.Name, err)
			continue
		}
		if odd > 0 {
			h.note("%d entries or hashes of the list %.80q are malformed and not used", odd, list.Name)
		}
		if total += len(entries); total > maxEntries {
			h.note("the lists have more than %d entries together; %.80q and what follows is not used", maxEntries, list.Name)
			break
		}
		origin := h.origin(list, chain)
		for _, e := range entries {
			h.add(e, origin)
		}
	}
	return h
}

func (h *History) note(format string, args ...any) {
	if len(h.Notes) < maxNotes {
		h.Notes = append(h.Notes, fmt.Sprintf(format, args...))
	}
}

// chain reads the chain file, if there is one: the C4 of each list by its name.
func (h *History) chain(files []File) map[string]string {
	for _, f := range files {
		if f.Name != chainFile {
			continue
		}
		chain, err := parseChain(f.Data)
		if err != nil {
			h.note("the chain file is not used: %v", err)
			return nil
		}
		named := map[string]string{}
		for _, g := range chain {
			named[g.file] = g.c4
			if !slices.ContainsFunc(files, func(f File) bool { return f.Name == g.file }) {
				h.note("generation %d is named in the chain file, and its list %.80q is missing", g.sequence, g.file)
			}
		}
		return named
	}
	return nil
}

// origin names a list, and says whether the chain file vouches for it.
func (h *History) origin(list File, chain map[string]string) string {
	name := fmt.Sprintf("%.80q", list.Name)
	if plain := name[1 : len(name)-1]; !strings.Contains(plain, "\\") {
		name = plain
	}
	if chain == nil {
		return name
	}
	c4, named := chain[list.Name]
	sum := newHash(C4)
	sum.Write(list.Data)
	switch {
	case !named:
		h.note("the list %.80q is not named in the chain file", list.Name)
		return name + " (not in the chain file)"
	case c4 != text(C4, sum.Sum(nil)):
		h.note("the list %.80q is not the one that the chain file names: it was changed after it was made", list.Name)
		return name + " (changed after it was made)"
	}
	return name
}

// add takes one entry of a list into the history.
func (h *History) add(e entry, origin string) {
	if e.previous != "" && len(h.Hashes[e.path]) == 0 {
		h.Hashes[e.path] = slices.Clone(h.Hashes[e.previous])
	}
	for _, l := range e.hashes {
		if l.action == "failed" {
			h.note("the list %s says that %.200q failed a check before this docking", origin, e.path)
			continue
		}
		known := h.Hashes[e.path]
		i := slices.IndexFunc(known, func(k Hash) bool { return k.Algorithm == l.algorithm })
		switch {
		case i < 0:
			h.Hashes[e.path] = append(known, Hash{Algorithm: l.algorithm, Value: l.value, Origin: origin})
		case known[i].Value != l.value:
			h.note("the lists %s and %s give two %s hashes for %.200q; the earlier one is compared", known[i].Origin, origin, l.algorithm, e.path)
		}
	}
}

// sequence is the number that a list's name begins with; lists without one come last.
func sequence(name string) int {
	digits, _, _ := strings.Cut(name, "_")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return int(^uint(0) >> 1)
	}
	return n
}
