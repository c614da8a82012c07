#include "abi.h"
#include "_cgo_export.h"
#include <string.h>

enum { PAGE = 4096, WAL_HEAD = 32, FRAME_HEAD = 24, CLEAR_HEAD = 8, FRAME = FRAME_HEAD + PAGE };

// kind is what a file is.
enum kind { DATABASE, WAL, JOURNAL };

// A sealed file; the one of the operating system lies behind it in the same memory.
typedef struct {
	sqlite3_file base;
	sqlite3_file *real;
	enum kind kind;
	unsigned int key; // as Key.Use gave it
} sealed;

static sqlite3_vfs *os; // written once, before the VFS is registered

static int pass_close(sqlite3_file *f) { return ((sealed *)f)->real->pMethods->xClose(((sealed *)f)->real); }
static int pass_truncate(sqlite3_file *f, sqlite3_int64 n) { return ((sealed *)f)->real->pMethods->xTruncate(((sealed *)f)->real, n); }
static int pass_sync(sqlite3_file *f, int flags) { return ((sealed *)f)->real->pMethods->xSync(((sealed *)f)->real, flags); }
static int pass_size(sqlite3_file *f, sqlite3_int64 *n) { return ((sealed *)f)->real->pMethods->xFileSize(((sealed *)f)->real, n); }
static int pass_lock(sqlite3_file *f, int l) { return ((sealed *)f)->real->pMethods->xLock(((sealed *)f)->real, l); }
static int pass_unlock(sqlite3_file *f, int l) { return ((sealed *)f)->real->pMethods->xUnlock(((sealed *)f)->real, l); }
static int pass_reserved(sqlite3_file *f, int *out) { return ((sealed *)f)->real->pMethods->xCheckReservedLock(((sealed *)f)->real, out); }
static int pass_control(sqlite3_file *f, int op, void *arg) { return ((sealed *)f)->real->pMethods->xFileControl(((sealed *)f)->real, op, arg); }
static int pass_sector(sqlite3_file *f) { return ((sealed *)f)->real->pMethods->xSectorSize(((sealed *)f)->real); }
static int pass_shm_lock(sqlite3_file *f, int o, int n, int flags) { return ((sealed *)f)->real->pMethods->xShmLock(((sealed *)f)->real, o, n, flags); }
static void pass_shm_barrier(sqlite3_file *f) { ((sealed *)f)->real->pMethods->xShmBarrier(((sealed *)f)->real); }
static int pass_shm_unmap(sqlite3_file *f, int del) { return ((sealed *)f)->real->pMethods->xShmUnmap(((sealed *)f)->real, del); }
static int pass_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
	return ((sealed *)f)->real->pMethods->xShmMap(((sealed *)f)->real, page, size, extend, out);
}

// Pages are read and written whole, whatever else the disk could do.
static int characteristics(sqlite3_file *f) {
	int have = ((sealed *)f)->real->pMethods->xDeviceCharacteristics(((sealed *)f)->real);
	return have & ~(SQLITE_IOCAP_BATCH_ATOMIC | SQLITE_IOCAP_SUBPAGE_READ);
}

static int real_read(sealed *s, void *out, int n, sqlite3_int64 at) { return s->real->pMethods->xRead(s->real, out, n, at); }
static int real_write(sealed *s, const void *in, int n, sqlite3_int64 at) { return s->real->pMethods->xWrite(s->real, in, n, at); }

// read_page reads n bytes from within a sector that lies at start. A sector that is cut
// reads as one that is not there, which is what it is to SQLite too.
static int read_page(sealed *s, int wal, sqlite3_int64 number, sqlite3_int64 start, void *out, int n, int from) {
	unsigned char page[PAGE];
	unsigned char *into = n == PAGE ? out : page;
	int rc = real_read(s, into, PAGE, start);
	if (rc == SQLITE_IOERR_SHORT_READ) {
		memset(out, 0, n);
		return rc;
	}
	if (rc != SQLITE_OK) return rc;
	if (sealedfileOpen(s->key, wal, into, PAGE, number, 0)) return SQLITE_IOERR_READ;
	if (into == page) memcpy(out, page + from, n);
	return SQLITE_OK;
}

// read_head reads n bytes from within the head of a frame that lies at start.
static int read_head(sealed *s, sqlite3_int64 frame, sqlite3_int64 start, void *out, int n, int from) {
	unsigned char head[FRAME_HEAD];
	int rc = real_read(s, head, FRAME_HEAD, start);
	if (rc == SQLITE_IOERR_SHORT_READ) memset(out, 0, n);
	if (rc != SQLITE_OK) return rc;
	if (sealedfileOpen(s->key, 1, head + CLEAR_HEAD, FRAME_HEAD - CLEAR_HEAD, frame, 1)) return SQLITE_IOERR_READ;
	memcpy(out, head + from, n);
	return SQLITE_OK;
}

// SQLite reads the head of the WAL or a part of it, a frame, and of a frame its head, the
// checksum in it, its page or the beginning of that.
static int read_wal(sealed *s, void *out, int n, sqlite3_int64 at) {
	sqlite3_int64 frame = (at - WAL_HEAD) / FRAME;
	int within = (at - WAL_HEAD) % FRAME;
	int rc;
	if (at < 0 || n <= 0) return SQLITE_IOERR_READ;
	if (at + n <= WAL_HEAD) return real_read(s, out, n, at);
	if (at < WAL_HEAD) return SQLITE_IOERR_READ;
	if (within + n <= FRAME_HEAD) return read_head(s, frame, at - within, out, n, within);
	if (within == FRAME_HEAD && n <= PAGE) return read_page(s, 1, frame, at, out, n, 0);
	if (within != 0 || n != FRAME) return SQLITE_IOERR_READ;
	rc = read_head(s, frame, at, out, FRAME_HEAD, 0);
	return rc != SQLITE_OK ? rc : read_page(s, 1, frame, at + FRAME_HEAD, (unsigned char *)out + FRAME_HEAD, PAGE, 0);
}

static int write_wal(sealed *s, const void *in, int n, sqlite3_int64 at) {
	unsigned char page[PAGE];
	sqlite3_int64 frame = (at - WAL_HEAD) / FRAME;
	int within = (at - WAL_HEAD) % FRAME;
	if (at == 0 && n == WAL_HEAD) return real_write(s, in, n, at);
	if (at < WAL_HEAD) return SQLITE_IOERR_WRITE;
	if (within == 0 && n == FRAME_HEAD) {
		memcpy(page, in, CLEAR_HEAD);
		if (sealedfileSeal(s->key, 1, page + CLEAR_HEAD, (char *)in + CLEAR_HEAD, FRAME_HEAD - CLEAR_HEAD, frame, 1)) return SQLITE_IOERR_WRITE;
	} else if (within == FRAME_HEAD && n == PAGE) {
		if (sealedfileSeal(s->key, 1, page, (void *)in, PAGE, frame, 0)) return SQLITE_IOERR_WRITE;
	} else {
		return SQLITE_IOERR_WRITE;
	}
	return real_write(s, page, n, at);
}

static int read_any(sqlite3_file *f, void *out, int n, sqlite3_int64 at) {
	sealed *s = (sealed *)f;
	int from = at % PAGE;
	if (s->kind == WAL) return read_wal(s, out, n, at);
	if (s->kind == JOURNAL) return real_read(s, out, n, at);
	if (at < 0 || n <= 0 || from + n > PAGE) return SQLITE_IOERR_READ;
	return read_page(s, 0, at / PAGE, at - from, out, n, from);
}

static int write_any(sqlite3_file *f, const void *in, int n, sqlite3_int64 at) {
	sealed *s = (sealed *)f;
	unsigned char page[PAGE];
	if (s->kind == WAL) return write_wal(s, in, n, at);
	if (s->kind == JOURNAL) { // pages would begin behind the first sector
		if (at < 0 || n < 0 || at + n > pass_sector(f)) return SQLITE_IOERR_WRITE;
		return real_write(s, in, n, at);
	}
	if (at < 0 || at % PAGE != 0 || n != PAGE) return SQLITE_IOERR_WRITE;
	if (sealedfileSeal(s->key, 0, page, (void *)in, PAGE, at / PAGE, 0)) return SQLITE_IOERR_WRITE;
	return real_write(s, page, n, at);
}

static const sqlite3_io_methods methods = {
	2, // no memory mapping, which would go past read_any
	pass_close, read_any, write_any, pass_truncate, pass_sync, pass_size, pass_lock, pass_unlock, pass_reserved, pass_control,
	pass_sector, characteristics, pass_shm_map, pass_shm_lock, pass_shm_barrier, pass_shm_unmap,
};

// judge refuses a database that is in clear, or under another key. It reads by SQLite's own
// file: closing another one of the same database would end this process's locks.
static int judge(sealed *s) {
	unsigned char block[16];
	sqlite3_int64 size;
	int rc = s->real->pMethods->xFileSize(s->real, &size);
	if (rc == SQLITE_OK && size > 0) rc = real_read(s, block, sizeof block, 0);
	if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) return rc;
	return sealedfileJudge(s->key, block, size) ? SQLITE_CANTOPEN : SQLITE_OK;
}

static int open_any(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out) {
	sealed *s = (sealed *)f;
	int rc;
	memset(s, 0, sizeof *s);
	if (name == 0) return SQLITE_CANTOPEN;
	if (flags & SQLITE_OPEN_MAIN_DB) s->kind = DATABASE;
	else if (flags & SQLITE_OPEN_WAL) s->kind = WAL;
	else if (flags & SQLITE_OPEN_MAIN_JOURNAL) s->kind = JOURNAL;
	else return SQLITE_CANTOPEN;
	s->key = sqlite3_uri_int64(name, "sealed", 0);
	if (!sealedfileKnown(s->key)) return SQLITE_CANTOPEN;
	s->real = (sqlite3_file *)(s + 1);
	rc = os->xOpen(os, name, s->real, flags, out);
	if (rc == SQLITE_OK && (s->real->pMethods->iVersion < 2 || (s->kind == DATABASE && judge(s) != SQLITE_OK))) {
		s->real->pMethods->xClose(s->real);
		rc = SQLITE_CANTOPEN;
	}
	if (rc == SQLITE_OK) s->base.pMethods = &methods;
	return rc;
}

static int pass_delete(sqlite3_vfs *vfs, const char *name, int sync) { return os->xDelete(os, name, sync); }
static int pass_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) { return os->xAccess(os, name, flags, out); }
static int pass_full(sqlite3_vfs *vfs, const char *name, int n, char *out) { return os->xFullPathname(os, name, n, out); }
static int pass_random(sqlite3_vfs *vfs, int n, char *out) { return os->xRandomness(os, n, out); }
static int pass_sleep(sqlite3_vfs *vfs, int micros) { return os->xSleep(os, micros); }
static int pass_time(sqlite3_vfs *vfs, double *out) { return os->xCurrentTime(os, out); }
static int pass_error(sqlite3_vfs *vfs, int n, char *out) { return os->xGetLastError(os, n, out); }
static int pass_time64(sqlite3_vfs *vfs, sqlite3_int64 *out) { return os->xCurrentTimeInt64(os, out); }

// No library is loaded by this VFS.
static void *no_library(sqlite3_vfs *vfs, const char *name) { return 0; }
static void no_library_why(sqlite3_vfs *vfs, int n, char *out) { if (n > 0) out[0] = 0; }
static void (*no_symbol(sqlite3_vfs *vfs, void *library, const char *name))(void) { return 0; }
static void no_close(sqlite3_vfs *vfs, void *library) {}

static sqlite3_vfs layer = {
	.iVersion = 2, .zName = "sealed", .xOpen = open_any, .xDelete = pass_delete, .xAccess = pass_access, .xFullPathname = pass_full,
	.xDlOpen = no_library, .xDlError = no_library_why, .xDlSym = no_symbol, .xDlClose = no_close,
	.xRandomness = pass_random, .xSleep = pass_sleep, .xCurrentTime = pass_time, .xGetLastError = pass_error, .xCurrentTimeInt64 = pass_time64,
};

int sealedfile_register(void) {
	os = sqlite3_vfs_find(0);
	if (os == 0 || os->iVersion < 2) return SQLITE_ERROR;
	layer.szOsFile = sizeof(sealed) + os->szOsFile;
	layer.mxPathname = os->mxPathname;
	return sqlite3_vfs_register(&layer, 0);
}
