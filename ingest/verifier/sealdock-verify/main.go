// Command sealdock-verify judges custody packages, with no network and no server.
//
// It ends with 0 when the package holds under a log key that was given, 3 when it
// holds under the keys that it brings itself, 1 when it does not hold, and 2 when
// it could not be read or the command line is wrong.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"

	"github.com/alecthomas/kong"

	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/buildinfo"
	"github.com/sealdock/sealdock/internal/pack"
)

// version is set by the linker (see the Makefile).
var version = ""

type commands struct {
	Package    string   `arg:"" type:"path" help:"The custody package, a .zip as it was handed out; or the proof of one entry of the log, a .tlog-proof."`
	LogKey     string   `placeholder:"KEY" help:"Key of the agency's custody log, from a source that you trust: as keys/log.txt of a package has it (name+hash+base64), or 64 hex digits; or @FILE that holds it."`
	ReceiptKey []string `placeholder:"HEX" help:"Key of the server's receipts, 64 hex digits; several where it was changed."`
	DockKey    []string `placeholder:"HEX" help:"Key of a dock, 64 hex digits; then every dock's key must be among those given."`
	WitnessKey []string `placeholder:"KEY" help:"Key of a witness that must have signed the log's checkpoint (name+hash+base64)."`
	TimeCA     string   `name:"time-authority" type:"path" placeholder:"FILE" help:"Certificate (PEM) of the time-stamp authority that you trust, from itself. Without it, that a time stamp is of that authority is not shown."`
	JSON       bool     `name:"json" help:"Print the report as JSON."`
	Version    kong.VersionFlag
}

const description = `Judges a custody package offline: what in it is proven, what is not, and by whose keys.

Ends with 0: it holds under the log key that you gave; 3: it holds under the keys that it brings itself; 1: it does not hold; 2: it could not be read.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var c commands
	kong.Parse(&c, kong.Name("sealdock-verify"), kong.Description(description), kong.ShortUsageOnError(),
		kong.Vars{"version": fmt.Sprintf("sealdock-verify %s (%s, %s/%s)", buildinfo.Version(version), runtime.Version(), runtime.GOOS, runtime.GOARCH)},
		kong.Exit(func(code int) {
			if code != 0 {
				code = 2
			}
			os.Exit(code)
		}), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}))
	report, err := c.judge(ctx)
	if err == nil {
		err = c.print(os.Stdout, report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sealdock-verify:", err)
		os.Exit(2)
	}
	os.Exit(map[verifier.Verdict]int{verifier.Holds: 0, verifier.HoldsUnpinned: 3, verifier.Fails: 1}[report.Verdict])
}

func (c *commands) print(w io.Writer, r *verifier.Report) error {
	if !c.JSON {
		return r.Text(w)
	}
	_, err := w.Write(pack.JSON(r))
	return err
}
