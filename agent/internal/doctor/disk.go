package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// comfortable is how much room beyond the reserve is worth no word: a shift of one
// camera or so, in bytes.
const comfortable = 10 << 30

// volatile and remote are file systems on which a spool does not keep its promise,
// or may not.
func volatile(kind string) bool { return kind == "tmpfs" || kind == "ramfs" }

func remote(kind string) bool {
	return slices.Contains([]string{"nfs", "cifs", "smb2", "9p", "fuse", "overlayfs"}, kind)
}

func disk(_ context.Context, s *Station) []Finding {
	d, err := s.Disk(s.at(s.Config.Data))
	if errors.Is(err, fs.ErrNotExist) {
		return one(warn("There is no data folder yet, whose disk could be looked at.", "Run sealdock-agent install as root, or name the right folder with --data."))
	}
	if err != nil {
		return one(unknown("The disk of the spool cannot be looked at.", err))
	}
	data, quota, reserve := s.Config.Data, s.Config.Spool.QuotaBytes, s.Config.Spool.ReserveBytes
	room := fmt.Sprintf("%s of %s are free on the spool's disk (%s, %s)", size(d.Free), size(d.Total), filepath.Clean(data), d.Kind)
	switch {
	case d.ReadOnly:
		return one(fail("The spool's disk is read-only: nothing can be copied.", "Look into the kernel's log for disk errors (dmesg), mend or replace the disk, and mount it writable."))
	case volatile(d.Kind):
		return one(fail("The data folder is in memory ("+d.Kind+"): a power cut takes the dock's keys and every copy.", "Put the data folder on a disk (sealdock-agent install --data DIR)."))
	case d.Free <= reserve:
		return one(fail(fmt.Sprintf("%s, and %s are kept as a reserve: copying pauses, cameras keep their recordings.", room, size(reserve)), "Make room on this disk or use a larger one; if recordings wait, see that the server is reached."))
	case remote(d.Kind):
		return one(warn(room+": that is no local disk, and may lose what it calls written.", "Put the data folder on a local disk with ext4 or XFS."))
	case d.Free-reserve < comfortable:
		return one(warn(room+": that is little for the time when the server is not reached.", "Make room on this disk, or use a larger one."))
	case quota > d.Total:
		return one(warn(fmt.Sprintf("%s, and the quota of %s is more than the whole disk.", room, size(quota)), "Lower spool.quota_bytes, or set it to 0."))
	}
	return one(fine(room + "."))
}

// filling asks the running agent how full the spool is and how it goes on.
func filling(ctx context.Context, s *Station) []Finding {
	if s.Spool == nil {
		return nil
	}
	f, err := s.Spool(ctx)
	if err != nil {
		return nil // the check of the service tells of an agent that does not run
	}
	said := fmt.Sprintf("%d recordings wait for the server; their copies take %s of %s (%d %%).", f.Waiting, size(f.Bytes), size(f.Limit), f.Percent)
	if f.Words != "" {
		said = fmt.Sprintf("%d recordings wait for the server. %s", f.Waiting, f.Words)
	}
	const advice = "See that the server is reached, make room, or carry recordings to the server with sealdock-agent export-spool."
	switch {
	case f.Alarm >= 95:
		return one(fail(said, advice))
	case f.Alarm > 0:
		return one(warn(said, advice))
	}
	return one(fine(said))
}

// size gives bytes in the unit that people use.
func size(n uint64) string {
	value, units := float64(n), []string{"B", "kB", "MB", "GB", "TB", "PB"}
	for value >= 1000 && len(units) > 1 {
		value, units = value/1000, units[1:]
	}
	return fmt.Sprintf("%.4g %s", value, units[0])
}
