// Command power-cuts cuts the power of a dock and of a server at random moments and
// looks whether anything was lost or is told wrongly.
//
// Data folders lie on file systems of their own (ext4 or XFS in an image, mounted by a
// loop device). A cut is the file system's shutdown ioctl without a flush of its journal:
// what was not synced is gone, and nothing more is written. The programs are stopped just
// before and killed after it, and the file system is mounted again, which replays its
// journal. The camera is the simulator; it stands outside and goes on, and its book is the
// truth.
//
// Each round a camera with new recordings is docked, and the power goes at a random moment
// of its offload: the server's, the dock's, or both; sometimes while a backup is made, keys
// are rotated, stored items are proven again or the store is checked. Sometimes it goes
// again while the programs start, or as soon as a server was set up or a dock enrolled. The
// stores stay for many rounds, so that damage would add up; in every other one the catalog
// lies on a file system of its own.
//
// # What is looked at
//
// What an outsider has seen before a cut is kept outside: which items had which receipts,
// and each checkpoint that the server has published. Behind each cut, everything down:
//
//   - each recording is on its camera, or stored with a receipt that verifies; nothing was
//     erased before its receipt; what is stored is what the camera made, once; each
//     checkpoint that the dock ever kept is of the log ([station.Station.Broken]);
//   - fsck finds no problem: no receipt without its blob, no blob with other bytes;
//   - each item seen with a receipt has the same one.
//
// With everything up again, without hands, every fifth round and at the end of a store:
//
//   - within a minute every docked camera is empty and all that it made is stored;
//   - each checkpoint that was ever seen is an earlier state of the log;
//   - all of the above still holds, no alert was raised, and no program fell over;
//   - no unfinished file is left, neither of a server nor of a dock;
//   - the backups that were made verify; one that a cut met counts for nothing.
//
// First it shows that the method bites: files that were synced outlive a cut, files that
// were not do not. With --self-test it shows that it finds something: it builds the server
// with every flush of internal/durable left out, which must fail. As root, on Linux, with
// mkfs.ext4 and mkfs.xfs.
//
// A failure is told with the end of the programs' logs, its folder stays, and the next
// store is begun; the exit status is then 1.
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
	flag.IntVar(&c.rounds, "rounds", 500, "how many rounds on each kind of file system; each has one cut at least")
	kinds := flag.String("fs", "ext4,xfs", "kinds of file system")
	flag.Uint64Var(&c.seed, "seed", uint64(time.Now().UnixNano()), "for choices and moments; runs with one seed choose the same, but meet other instants")
	flag.IntVar(&c.only, "store", -1, "only the store of this number, as a failure names it")
	flag.StringVar(&c.bin, "bin", "bin", "folder of the built programs")
	flag.StringVar(&c.dir, "dir", "", "folder for everything that is made; default: a temporary one")
	flag.BoolVar(&c.keep, "keep", false, "leave the file systems of a store mounted when something was found in it")
	flag.BoolVar(&c.teeth, "self-test", false, "show instead that a server that syncs no file is found out")
	flag.Parse()
	c.kinds = strings.Split(*kinds, ",")
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "power-cuts:", err)
		stop()
		os.Exit(1)
	}
}
