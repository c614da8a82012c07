// Command demo starts a whole station on this machine: an ingest server, a dock
// agent and three simulated cameras with real footage. It prints the
// dashboard's address and runs until it is interrupted; with --once it docks
// the cameras, compares every hash from camera to store, has the store checked
// and ends.
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
	var d demo
	flag.BoolVar(&d.once, "once", false, "dock, compare, check, and end")
	flag.StringVar(&d.bin, "bin", "bin", "folder of the built programs")
	flag.StringVar(&d.dir, "dir", filepath.Join(".run", "demo"), "folder for everything the demo makes; emptied first")
	flag.IntVar(&d.cameras, "cameras", 3, "how many cameras")
	flag.IntVar(&d.clips, "recordings", 4, "clips on each camera")
	flag.IntVar(&d.sizeMiB, "size-mib", 90, "size of each clip")
	flag.Parse()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}
