// Command carry plays a station that the network does not reach: a dock copies
// cameras, everything goes to the server on a drive, and the receipts come back
// on it. The drive is pulled and programs are killed in the middle, again and
// again. At the end every recording must be at the server once, with the hash
// that its camera had, and the cameras are emptied without a byte of footage
// going over the network.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c campaign
	flag.StringVar(&c.bin, "bin", "bin", "folder of the built programs")
	flag.StringVar(&c.dir, "dir", filepath.Join(".run", "carry"), "folder for everything, about three times the footage; removed at the end when all is well")
	flag.Float64Var(&c.gib, "gib", 10, "GiB of footage")
	flag.IntVar(&c.cuts, "cuts", 8, "how often export and import are each cut off")
	flag.Uint64Var(&c.seed, "seed", 1, "chooses when")
	flag.Parse()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "carry:", err)
		stop()
		os.Exit(1)
	}
}
