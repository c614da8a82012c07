package sqldb

import (
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// A term is what an item can be found by through item_terms: a letter for its kind, a
// colon, a value.
const (
	termState    = "s:" // as lists show it
	termCamera   = "c:"
	termDock     = "d:"
	termStation  = "t:"
	termKind     = "k:"
	termCategory = "g:"
	termPerson   = "o:" // officer or wearer, by name or id
	termWho      = "w:" // id of who recorded it, as a Reach has it
	termNobody   = "n:" // without value: no wearer
	termOriginal = "i:"
	termCase     = "e:" // it, or what it was made of, was put into a case
	termTag      = "a:"
	termIncident = "r:"
	termBegins   = "p:" // what a word begins with, up to 8 characters
	termWord     = "f:" // a word that is longer, up to 16 characters
	termSum      = "h:" // the first 16 digits of the SHA-256
)

const (
	beginning = 8  // characters of termBegins
	wordKey   = 16 // characters of termWord and termSum
	sumBegins = 2  // as many digits of id and SHA-256 have a termBegins: nearly each item has another one
)

// cut is the first n characters of a word.
func cut(word string, n int) string {
	for at := range word {
		if n == 0 {
			return word[:at]
		}
		n--
	}
	return word
}

// shownState is how lists show an item's state.
func shownState(i *catalog.Item) catalog.ItemState {
	if i.State == catalog.StateStored && !i.DestroyedAt.IsZero() {
		return catalog.StateDestroyed
	}
	return i.State
}

// termsOf calls each for the terms of an item, some of them more than once. words are
// those that a search by text looks at.
func termsOf(i *catalog.Item, words []string, each func(string)) {
	with := func(kind, value string) {
		if value != "" {
			each(kind + value)
		}
	}
	with(termState, string(shownState(i)))
	with(termCamera, i.Camera)
	with(termDock, string(i.Dock))
	with(termStation, string(i.Station))
	with(termKind, string(i.Kind))
	with(termCategory, i.Category)
	with(termIncident, i.Annotation.Incident)
	for _, tag := range i.Annotation.Tags {
		with(termTag, tag)
	}
	for _, person := range []string{i.Officer, i.OfficerID, i.Wearer, i.WearerID} {
		with(termPerson, person)
	}
	switch {
	case i.WearerID != "":
		with(termWho, i.WearerID)
	case i.Wearer == "":
		with(termWho, i.OfficerID)
		each(termNobody)
	}
	if !i.Original.IsZero() {
		with(termOriginal, i.Original.String())
	}
	for _, id := range i.Cases {
		each(termCase + id)
	}
	id, sum := i.ID.String(), i.SHA256.String()
	for _, word := range words {
		switch most := beginning; word {
		case sum:
			each(termSum + word[:wordKey])
			fallthrough
		case id:
			most = sumBegins
			fallthrough
		default:
			n := 0
			for at := range word {
				if n > 0 && n <= most {
					each(termBegins + word[:at])
				}
				n++
			}
			if n <= most {
				each(termBegins + word)
			} else if most == beginning {
				each(termWord + cut(word, wordKey))
			}
		}
	}
}

// condition is one condition of a filter as item_terms knows it: an item that it holds
// of has any of its terms, or is one of those named otherwise.
type condition struct {
	terms  []string
	word   string   // or a termWord that begins so
	sum    string   // or a termSum that begins so, or an id
	items  []string // or one of these ids
	loose  bool     // there are items with these terms that it does not hold of
	single bool     // it is one term
}

// conditionsOf are the conditions of a filter, but for times and erasure.
func conditionsOf(f *catalog.ItemFilter) (all []condition) {
	one := func(kind, value string) {
		if value != "" {
			all = append(all, condition{terms: []string{kind + clean(value)}, single: true})
		}
	}
	one(termCamera, f.Camera)
	one(termPerson, f.Officer)
	one(termCategory, f.Category)
	one(termCase, f.Case)
	one(termTag, strings.ToLower(f.Tag))
	one(termIncident, f.Incident)
	one(termDock, string(f.Dock))
	one(termStation, string(f.Station))
	one(termKind, string(f.Kind))
	one(termState, string(f.State))
	if f.NoWearer {
		all = append(all, condition{terms: []string{termNobody}, single: true})
	}
	for _, word := range wordsOf(maxWords, f.Text) {
		all = append(all, wordCondition(word))
	}
	if r := f.Within; r != nil && !r.All {
		var c condition
		add := func(kind, value string) {
			if value != "" {
				c.terms = append(c.terms, kind+clean(value))
			}
		}
		for _, s := range r.Stations {
			add(termStation, string(s))
		}
		for _, g := range r.Categories {
			add(termCategory, g)
		}
		for _, o := range r.Officers {
			add(termWho, o)
		}
		for _, id := range r.Items {
			add(termOriginal, id.String())
			c.items = append(c.items, id.String())
		}
		for _, id := range r.Cases {
			add(termCase, id)
		}
		slices.Sort(c.terms)
		c.terms = slices.Compact(c.terms)
		c.single = len(c.terms) == 1 && len(c.items) == 0
		all = append(all, c)
	}
	return all
}

func wordCondition(word string) condition {
	c := condition{}
	length := len([]rune(word))
	if length <= beginning {
		c.terms = []string{termBegins + word}
	} else {
		c.word, c.loose = cut(word, wordKey), length > wordKey
	}
	if length > sumBegins && strings.Trim(word, "0123456789abcdef") == "" {
		c.sum = word
	}
	c.single = c.word == "" && c.sum == ""
	return c
}
