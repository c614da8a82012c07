// Command power-cuts cuts the power of a dock and of a server at random moments and
// looks whether anything was lost or is told wrongly.
//
// Data folders lie on file systems of their own (ext4 or XFS in an image, mounted by a
// loop device). A cut is the file system's shutdown ioctl without a flush of its journal:
// what was not synced is gone, and nothing more is written. Then the programs are
// killed, and the file system is mounted again, which replays its journal. The camera is
// the simulator; it stands outside and goes on, and its book is the truth.
//
// Each round a camera with new recordings is docked, and the power goes at a random moment
// of its offload: the server's, the dock's, or both; sometimes while a backup is made,
// keys are rotated or the store is read again. The stores stay for many rounds. Then:
//
//   - with everything down: a recording is on its camera or stored with a receipt that
//     verifies; nothing was erased before its receipt; what is stored is what the camera
//     made, once; every checkpoint that the dock ever saw is of the log (station.Broken);
//     fsck finds no problem in the store;
//   - with everything up again, without hands: all cameras are emptied within a minute,
//     everything made is stored, fsck is clean, no alert tells of damage or of a server that
//     was set back, and the newest backup verifies.
//
// First it shows that the method bites: files that were synced outlive a cut, files that
// were not do not. As root, on Linux, with mkfs.ext4 and mkfs.xfs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c campaign
	flag.IntVar(&c.rounds, "rounds", 500, "how many cuts on each kind of file system")
	kinds := flag.String("fs", "ext4,xfs", "kinds of file system")
	flag.Uint64Var(&c.seed, "seed", uint64(time.Now().UnixNano()), "for choices and moments; runs with one seed choose the same, but meet other instants")
	flag.StringVar(&c.bin, "bin", "bin", "folder of the built programs")
	flag.StringVar(&c.dir, "dir", "", "folder for everything that is made; default: a temporary one")
	flag.BoolVar(&c.keep, "keep", false, "leave the folder there when something was found")
	flag.Parse()
	c.kinds = strings.Split(*kinds, ",")
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "power-cuts:", err)
		stop()
		os.Exit(1)
	}
}
