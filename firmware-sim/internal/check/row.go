package check

import (
	"fmt"
	"regexp"
	"slices"
)

// Row is one promise.
type Row struct {
	Name    string // what --only matches
	Covers  string // the requirement, fault case or attack case
	Done    string // to the camera
	Holds   string // what must
	Short   bool   // in the short set too
	Alone   bool   // no other row at the same time
	Cameras int    // how many it needs
	// Extended: its cameras have the Sealdock extension, else none of them has.
	Extended bool
	// Play does it. Nil: the row cannot be played over USB/IP, and Done says where it is.
	Play func(*scene)
}

// Rows are all rows of the kit.
func Rows() []Row {
	return slices.Concat(cableRows(), storageRows(), sizeRows(), listRows(), protocolRows(), clockRows(), extensionRows(), oursRows(), elsewhereRows())
}

// choose picks rows by set and by name.
func choose(rows []Row, short bool, only string) ([]Row, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("--only %q is no regular expression: %w", only, err)
	}
	chosen := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		return short && !r.Short || !pattern.MatchString(r.Name+" "+r.Covers)
	})
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no row is called %q; without --only all are played", only)
	}
	return chosen, nil
}

// bays is how many bays the rows need together, and how many of them are for cameras
// without the extension: those are the first.
func bays(rows []Row) (all, plain int) {
	for _, r := range rows {
		all += r.Cameras
		if !r.Extended {
			plain += r.Cameras
		}
	}
	return all, plain
}
