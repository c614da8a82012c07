package closed

import (
	"errors"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What of Landlock's rights is handled (include/uapi/linux/landlock.h): all that every
// version of it knows, and later ones where the kernel has them.
const (
	readRights  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	firstRights = 1<<13 - 1 // of version 1
	netRights   = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
)

func landlockVersion() int {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// readOnly keeps this thread, and what it becomes, from all files but those at and
// below the paths, which it may read and run. Files that are open stay open.
func readOnly(paths ...string) error {
	handled := unix.LandlockRulesetAttr{Handled_access_fs: firstRights}
	size := unsafe.Sizeof(handled.Handled_access_fs)
	switch version := landlockVersion(); {
	case version >= 4:
		handled.Handled_access_net = netRights
		size += unsafe.Sizeof(handled.Handled_access_net)
		fallthrough
	case version >= 3:
		handled.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		fallthrough
	case version == 2:
		handled.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&handled)), size, 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(set))
	for _, path := range paths {
		if err := allow(int(set), path); err != nil {
			return err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// allow lets what is at and below a path be read and run; a path that is not there is
// passed over.
func allow(set int, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	at, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	rule := unix.LandlockPathBeneathAttr{Allowed_access: readRights, Parent_fd: int32(at)}
	if !info.IsDir() {
		rule.Allowed_access &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
