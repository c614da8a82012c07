package doctor

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/internal/wire"
)

func rightsOf(path string) (Rights, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Rights{}, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Rights{}, fmt.Errorf("the owner of %s cannot be told", path)
	}
	return Rights{UID: int(owner.Uid), GID: int(owner.Gid), Mode: info.Mode()}, nil
}

func diskOf(path string) (Disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Disk{}, fmt.Errorf("asking for the disk of %s: %w", path, err)
	}
	block := uint64(st.Bsize)
	return Disk{Kind: kind(int64(st.Type)), Free: st.Bavail * block, Total: st.Blocks * block, ReadOnly: st.Flags&unix.ST_RDONLY != 0}, nil
}

// kind names a file system by its magic number.
func kind(magic int64) string {
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.F2FS_SUPER_MAGIC:
		return "f2fs"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.RAMFS_MAGIC:
		return "ramfs"
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.CIFS_SUPER_MAGIC:
		return "cifs"
	case unix.SMB2_SUPER_MAGIC:
		return "smb2"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	}
	return fmt.Sprintf("file system %#x", magic)
}

func kernelClock() (Clock, error) {
	var t unix.Timex // with no modes set: a question
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return Clock{}, fmt.Errorf("asking the kernel for its clock: %w", err)
	}
	synchronised := state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
	return Clock{Synchronised: synchronised, Error: time.Duration(t.Maxerror) * time.Microsecond}, nil
}

// socketBuffers opens a UDP socket as the agent does, but not with root's right to
// pass the system's limit, which the service lacks.
func socketBuffers() (Buffers, error) {
	b := Buffers{Wanted: wire.WantedBuffer}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return b, fmt.Errorf("opening a UDP socket: %w", err)
	}
	defer unix.Close(fd)
	for _, side := range []struct {
		option int
		got    *int
	}{{unix.SO_RCVBUF, &b.Receive}, {unix.SO_SNDBUF, &b.Send}} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, side.option, wire.WantedBuffer); err != nil {
			return b, fmt.Errorf("asking for a socket buffer: %w", err)
		}
		if *side.got, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, side.option); err != nil {
			return b, fmt.Errorf("reading a socket buffer's size: %w", err)
		}
	}
	return b, nil
}
