package catalog

import "time"

// SavedSearch is a search of the evidence that a person keeps.
type SavedSearch struct {
	User  string // user id
	Name  string // "": the search made last
	Query string // as in the address of the list, without cursor
	At    time.Time
}

// MaxSavedSearches is how many a person may keep.
const MaxSavedSearches = 30
