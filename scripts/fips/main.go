// Command fips runs the tests in the modes of Go's FIPS 140-3 module and prints a
// line of counts for each: the module switched on, the certified module built in,
// and only what is approved allowed, with this Go's own module and, for the packages
// that do cryptography, with the certified one. What may fail in a mode is in
// exceptions.txt; the command fails when anything else does, and when what is listed
// there passes.
//
//	fips           every package
//	fips --quick   the packages that do cryptography
//	fips --mode only ./internal/seal ./proto/...
//
// The ordinary run of the tests is the mode that is missing here: the module off.
package main

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// stateCommand makes the command tell which mode it is in itself.
const stateCommand = "state"

//go:embed exceptions.txt
var exceptionList string

// quick are the packages that call the module or decide what may be called.
var quick = []string{"./proto/evidence", "./internal/identity", "./internal/proof", "./internal/seal", "./internal/tlog", "./internal/wire",
	"./agent/internal/enrol", "./internal/mhl", "./agent/internal/policy", "./ingest/internal/auth", "./ingest/internal/keys", "./scripts/fips"}

func main() {
	if len(os.Args) == 2 && os.Args[1] == stateCommand {
		exit(json.NewEncoder(os.Stdout).Encode(thisState()))
	}
	short := flag.Bool("quick", false, "only the packages that do cryptography")
	only := flag.String("mode", "", "one mode instead of all: "+strings.Join(modeNames(), ", "))
	flag.Parse()
	packages := flag.Args()
	switch {
	case len(packages) > 0:
	case *short:
		packages = quick
	default:
		packages = []string{"./..."}
	}
	exit(run(packages, *only))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fips:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run tries every mode, or the one named, and says of each what came of it.
func run(patterns []string, only string) error {
	exceptions, err := parseExceptions(exceptionList)
	if err != nil {
		return err
	}
	packages, err := list(patterns)
	if err != nil {
		return err
	}
	passed, failed := 0, 0
	for _, m := range modes {
		if only != "" && m.name != only {
			continue
		}
		those := m.of(packages)
		if len(those) == 0 {
			continue
		}
		state, err := m.check()
		if err != nil {
			return fmt.Errorf("mode %s: %w", m.name, err)
		}
		fmt.Printf("fips: %s (%s): %d packages ...\n", m.name, state, len(those))
		began := time.Now()
		r := m.suite(those, within(exceptions, m.name, those))
		fmt.Printf("fips: %s (%s): %s, %v\n", m.name, state, r, time.Since(began).Round(time.Second))
		if r.ok() {
			passed++
		} else {
			failed++
		}
	}
	if passed+failed == 0 {
		return fmt.Errorf("no mode %q for these packages: choose one of %s", only, strings.Join(modeNames(), ", "))
	}
	fmt.Printf("fips: %d modes passed, %d failed\n", passed, failed)
	if failed > 0 {
		return fmt.Errorf("%d of %d modes failed", failed, passed+failed)
	}
	return nil
}
