// Package durable is the one place that makes files survive a power cut. Nobody
// else calls Sync.
//
// # What it promises
//
// When a function returns nil, its effect is on the medium: the bytes, and the
// directory entry that names them. When it returns an error, the effect may or
// may not have happened; the caller must look, or do it again from the source.
//
// A failed fsync is final. The kernel reports a lost write once and then forgets
// it, so a second fsync that succeeds proves nothing (Rebello et al., "Can
// Applications Recover from fsync Failures?", USENIX ATC 2020). A [File] is
// poisoned by its first failed Sync and refuses everything after it.
//
// # What it does not promise
//
// It does not detect a medium that lies about flushed writes, and it does not
// order writes of several processes: take [LockDir] first. On Windows a
// directory cannot be flushed; NTFS journals its names by itself.
//
// # Expected system calls (Linux, amd64)
//
//	WriteFile  openat(TEMP, O_WRONLY|O_CREAT|O_EXCL) write fsync(TEMP) close
//	           renameat(TEMP, PATH) openat(DIR) fsync(DIR) close
//	Rename     renameat(FROM, TO) fsync(DIR of TO) fsync(DIR of FROM, if another)
//	MkdirAll   for each missing level, from the top: mkdirat fsync(PARENT);
//	           where nothing is missing: fsync(PARENT), since an earlier process
//	           may have been killed between its mkdirat and its fsync
//	Remove     unlinkat fsync(DIR)
//	CreateFile openat(O_RDWR|O_CREAT|O_EXCL) fsync(DIR)
//	OpenFile   openat(O_RDWR) fsync(DIR), for the same reason as MkdirAll
//	Sync       fdatasync; after Folders.CreateFile also fsync(DIR), the first time
//	DropCache  fadvise64(POSIX_FADV_DONTNEED)
//	FromMedium fcntl(F_SETFL, O_DIRECT) fadvise64(POSIX_FADV_DONTNEED); then ReadAt
//	           is pread64 of whole blocks
//	Appender   as Folders.CreateFile, fcntl(F_SETFL, O_DIRECT); pwrite64 of whole
//	           blocks; its Sync pwrite64 ftruncate, then as Sync
//	Folders.CreateFile  openat(O_RDWR|O_CREAT|O_EXCL)
//	Folders.Place       fdatasync, then as Rename
//	LockDir    openat(DIR/lock) flock(LOCK_EX|LOCK_NB)
//
// A test traces these calls and fails when their order changes.
//
// # Left behind by a crash
//
// WriteFile may leave a file whose name begins with [TempPrefix]. It was never
// part of anything: whoever holds the directory's lock may delete it, and others when
// it is old. Agent and server do so when they start, with [RemoveUnfinished].
package durable
